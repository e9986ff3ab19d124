//! The newest events of many records.

use super::EventView;
use dormouse_state::ServiceRecord;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The newest events of all records, the newest last. Looks at no more than it has to: records have up to
/// [`dormouse_state::record::MAX_EVENTS`] each.
pub fn newest_events<'a>(
    records: impl IntoIterator<Item = &'a ServiceRecord>,
    count: usize,
) -> Vec<EventView> {
    let mut newest: BinaryHeap<Reverse<(Timestamp, usize, usize)>> = BinaryHeap::new();
    let records: Vec<&ServiceRecord> = records.into_iter().collect();
    for (of, record) in records.iter().enumerate() {
        for (nth, event) in record.events.iter().enumerate().rev() {
            let place = Reverse((event.at, of, nth));
            if newest.len() < count {
                newest.push(place);
            } else if newest.peek().is_some_and(|oldest| place < *oldest) {
                newest.pop();
                newest.push(place);
            } else if newest.peek().is_none_or(|Reverse((oldest, ..))| event.at < *oldest) {
                // Those before it are older still.
                break;
            }
        }
    }
    let mut newest: Vec<_> = newest.into_iter().map(|Reverse(place)| place).collect();
    newest.sort_unstable();
    let shown = |(_, of, nth): (Timestamp, usize, usize)| EventView {
        service: records[of].name.clone(),
        event: records[of].events[nth].clone(),
    };
    newest.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_manifests::ServiceSpec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// The same as all of them, sorted, and cut off.
        #[test]
        fn the_newest_events_are_those_of_all(
            times in prop::collection::vec(prop::collection::vec(0_i64..20, 0..12), 0..8),
            count in 0_usize..12,
        ) {
            let mut all = Vec::new();
            let records: Vec<ServiceRecord> = times.into_iter().enumerate().map(|(number, mut times)| {
                times.sort_unstable();
                let name = format!("s{number}");
                let spec = ServiceSpec::defaults_for("demo");
                let mut record = ServiceRecord::declared(&name, BTreeMap::new(), spec, Timestamp::UNIX_EPOCH);
                for (nth, at) in times.into_iter().enumerate() {
                    record.note(Timestamp::from_second(at).unwrap(), "R", format!("{nth}"));
                }
                all.extend(record.events.iter().map(|event| EventView { service: name.clone(), event: event.clone() }));
                record
            }).collect();
            all.sort_by_key(|event| event.event.at);
            let expected = all.split_off(all.len().saturating_sub(count));
            prop_assert_eq!(newest_events(&records, count), expected);
        }
    }
}
