//! A record as few bytes: that of a service that is sound asleep, and is read once in a blue moon.
//!
//! It is the JSON of its row, compressed against that of a typical one: of ten thousand rows nearly all say the same.

use dormouse_manifests::ServiceSpec;
use dormouse_state::{Cause, Condition, ConditionType, Definition, ServiceRecord};
use jiff::Timestamp;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What rows have in common.
static TYPICAL: LazyLock<Vec<u8>> = LazyLock::new(|| serde_json::to_vec(&typical()).unwrap_or_default());

/// A packed record.
#[derive(Debug)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs a record; `None` when it would not come back as it is.
    pub(super) fn of(record: &ServiceRecord) -> Option<Packed> {
        let json = serde_json::to_vec(record).ok()?;
        let packed = Packed(compress_prepend_size_with_dict(&json, &TYPICAL).into());
        packed.unpack().filter(|unpacked| unpacked == record)?;
        Some(packed)
    }

    /// The record. `None` never happens: it was tried when it was packed.
    pub(super) fn unpack(&self) -> Option<ServiceRecord> {
        let json = decompress_size_prepended_with_dict(&self.0, &TYPICAL).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// A service that was awake once. What it says makes packed records smaller, and nothing else.
fn typical() -> ServiceRecord {
    let now = Timestamp::UNIX_EPOCH;
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/";
    let mut record = ServiceRecord::declared("", BTreeMap::new(), ServiceSpec::defaults_for(image), now);
    let definition = |role: &str| {
        let arn = format!("arn:aws:ecs:us-east-1:123456789012:task-definition/dormouse--{role}:1");
        Some(Definition { hash: String::new(), arn: Some(arn) })
    };
    record.definitions.proxy = definition("proxy");
    record.definitions.service = definition("service");
    let cause = |origin: &str, reason: &str| {
        Some(Cause { at: now, origin: origin.into(), reason: reason.into(), duration_ms: Some(0) })
    };
    record.last_wake = cause("request", "GET / from (curl/Mozilla/5.0");
    record.last_sleep = cause("idle", "not used for 15m");
    record.conditions.push(Condition {
        kind: ConditionType::Ready,
        status: false,
        reason: "Asleep".into(),
        message: "it was not woken yet".into(),
        last_transition_time: now,
    });
    record.note(now, "Woken", "request: GET / from ");
    record.note(now, "Ready", "ready 3.0 s after the wake");
    record.note(now, "Slept", "idle: not used for 15m");
    record.note(now, "Declared", "declared");
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_takes_few_bytes() {
        let mut record = ServiceRecord::declared(
            "service-00042",
            [("team".to_owned(), "web".to_owned())].into(),
            ServiceSpec::defaults_for("example.com/shop:1.4.2"),
            "2026-03-04T05:06:07.089123456Z".parse().unwrap(),
        );
        let fresh = Packed::of(&record).unwrap();
        assert!(fresh.0.len() < 250, "{}", fresh.0.len());
        record.definitions = typical().definitions;
        record.note(record.created_at, "Declared", "declared");
        (0..20).for_each(|took| record.took(took));
        let packed = Packed::of(&record).unwrap();
        assert_eq!(packed.unpack().unwrap(), record);
        assert!(packed.0.len() < 450, "{}", packed.0.len());
    }

    #[test]
    fn one_that_would_not_come_back_as_it_was_is_not_packed() {
        let mut spec = ServiceSpec::defaults_for("demo");
        // What a manifest cannot say: a row says it in whole milliseconds.
        spec.drain = std::time::Duration::from_nanos(1);
        let record = ServiceRecord::declared("odd", BTreeMap::new(), spec, Timestamp::UNIX_EPOCH);
        assert!(Packed::of(&record).is_none());
    }
}
