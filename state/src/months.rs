//! Time in use, month by month, as UTC counts them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many months are kept.
pub const MAX_MONTHS: usize = 13;

/// Seconds by month, such as `2026-11`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Months(pub BTreeMap<String, u64>);

impl Months {
    /// Adds a time to the months that it lies in, and drops the oldest past [`MAX_MONTHS`].
    pub fn add(&mut self, from: Timestamp, to: Timestamp) {
        for (month, seconds) in split(from, to) {
            let known = self.0.entry(month).or_default();
            *known = known.saturating_add(seconds);
        }
        while self.0.len() > MAX_MONTHS {
            self.0.pop_first();
        }
    }

    /// Whether nothing was ever added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The months from one time to another, each with the seconds of it that lie between them; none when `to` is not after
/// `from`.
pub fn split(from: Timestamp, to: Timestamp) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut at = from;
    while at < to {
        let (month, next) = month(at);
        let end = next.min(to);
        let seconds = end.duration_since(at).as_secs();
        parts.push((month, seconds.try_into().unwrap_or_default()));
        at = end;
    }
    parts
}

/// The month of a time, and when the next one begins.
pub fn month(at: Timestamp) -> (String, Timestamp) {
    let first = TimeZone::UTC.to_datetime(at).date().first_of_month();
    let next = first.checked_add(1.month()).and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)));
    (format!("{:04}-{:02}", first.year(), first.month()), next.unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// From, to, and the seconds of each month.
    type Row = (&'static str, &'static str, &'static [(&'static str, u64)]);

    #[test]
    fn a_time_is_shared_out_among_its_months() {
        let table: [Row; 5] = [
            ("2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z", &[("2026-11", 3600)]),
            ("2026-11-30T23:59:00Z", "2026-12-01T00:02:00Z", &[("2026-11", 60), ("2026-12", 120)]),
            // A leap year's February, whole.
            (
                "2028-01-31T23:59:59Z",
                "2028-03-01T00:00:01Z",
                &[("2028-01", 1), ("2028-02", 29 * 86_400), ("2028-03", 1)],
            ),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", &[]),
            ("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", &[]),
        ];
        for (from, to, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|(month, seconds)| ((*month).to_owned(), *seconds)).collect();
            assert_eq!(split(at(from), at(to)), expected, "{from} to {to}");
        }
    }

    #[test]
    fn times_add_up_and_the_oldest_months_go() {
        let mut months = Months::default();
        months.add(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:10Z"));
        months.add(at("2026-01-01T00:00:20Z"), at("2026-01-01T00:00:25Z"));
        assert_eq!(months.0, BTreeMap::from([("2026-01".to_owned(), 15)]));
        months.add(at("2026-01-31T23:59:59Z"), at("2027-02-01T00:00:01Z"));
        assert_eq!(months.0.len(), MAX_MONTHS);
        assert_eq!(months.0.first_key_value().unwrap().0, "2026-02");
        assert_eq!(serde_json::to_value(&months).unwrap()["2027-02"], 1);
    }
}
