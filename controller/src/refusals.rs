//! Requests that did not wake their service: counted by reason, and told at most once a minute.

use crate::metrics::{Metrics, Page};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two events of a service for one reason.
const EVERY: Duration = Duration::from_secs(60);

/// Why a request did not wake its service, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// `spec.wake.rateLimit`.
    ClientRate,
    /// `spec.wake.serviceRateLimit`.
    ServiceRate,
    /// `spec.wake.dailyBudget`.
    DailyBudget,
    /// `spec.wake.access: token`, and none was shown.
    NoToken,
    /// `spec.max` of its template.
    TemplateFull,
}

impl Reason {
    const ALL: [Reason; 5] =
        [Reason::ClientRate, Reason::ServiceRate, Reason::DailyBudget, Reason::NoToken, Reason::TemplateFull];

    /// The word, as the metric's label and the answer's member have it.
    pub const fn word(self) -> &'static str {
        match self {
            Reason::ClientRate => "client-rate",
            Reason::ServiceRate => "service-rate",
            Reason::DailyBudget => "daily-budget",
            Reason::NoToken => "no-token",
            Reason::TemplateFull => "template-full",
        }
    }
}

/// What was refused so far.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    by_reason: BTreeMap<Reason, u64>,
    told: HashMap<(String, Reason), Told>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// How many since then.
    untold: u64,
}

impl Refusals {
    /// Counts one. Now and then it is to be told: then this answers how many were not told since the last time.
    ///
    /// Only names of declared services and of templates come here, so what is remembered is bounded by their number.
    pub fn count(&self, service: &str, reason: Reason) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.by_reason.entry(reason).or_default() += 1;
        let now = Instant::now();
        let key = (service.to_owned(), reason);
        match counted.told.get_mut(&key) {
            Some(told) if now.duration_since(told.at) < EVERY => {
                told.untold += 1;
                None
            }
            Some(told) => {
                told.at = now;
                Some(std::mem::take(&mut told.untold))
            }
            None => {
                counted.told.insert(key, Told { at: now, untold: 0 });
                Some(0)
            }
        }
    }
}

impl Metrics for Refusals {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let by_reason = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_reason.clone();
        let counts =
            Reason::ALL.map(|reason| (reason.word(), by_reason.get(&reason).copied().unwrap_or_default()));
        page.counters("dormouse_refused", "Requests that were not let wake their service", "reason", counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn each_reason_of_a_service_is_told_once_a_minute() {
        let refusals = Refusals::default();
        assert_eq!(refusals.count("a", Reason::ClientRate), Some(0));
        for _ in 0..3 {
            assert_eq!(refusals.count("a", Reason::ClientRate), None);
        }
        assert_eq!(refusals.count("a", Reason::NoToken), Some(0));
        assert_eq!(refusals.count("b", Reason::ClientRate), Some(0));
        tokio::time::advance(EVERY).await;
        assert_eq!(refusals.count("a", Reason::ClientRate), Some(3));
        assert_eq!(refusals.count("a", Reason::ClientRate), None);
        let source: Arc<dyn Metrics> = Arc::new(refusals);
        let text = text([&source]).unwrap();
        assert!(text.contains("\ndormouse_refused_total{reason=\"client-rate\"} 7\n"), "{text}");
        assert!(text.contains("\ndormouse_refused_total{reason=\"daily-budget\"} 0\n"), "{text}");
        assert!(text.contains("\ndormouse_refused_total{reason=\"no-token\"} 1\n"), "{text}");
    }
}
