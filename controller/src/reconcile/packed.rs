//! As few bytes: what is kept of a service that is sound asleep, and is read once in a blue moon.
//!
//! It is the JSON of its row, or of what users see of it, compressed against that of a typical one: of ten thousand rows nearly all say the same.

use dormouse_manifests::ServiceSpec;
use dormouse_state::{Cause, Condition, ConditionType, Definition, ServiceRecord};
use jiff::Timestamp;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

/// What rows have in common.
static TYPICAL: LazyLock<Vec<u8>> = LazyLock::new(|| serde_json::to_vec(&typical()).unwrap_or_default());

/// A packed value: a record, or what looks like one.
#[derive(Debug)]
pub(super) struct Packed<T>(Box<[u8]>, PhantomData<fn() -> T>);

impl<T: Serialize + DeserializeOwned + PartialEq> Packed<T> {
    /// Packs a value; `None` when it would not come back as it is.
    pub(super) fn of(value: &T) -> Option<Packed<T>> {
        let json = serde_json::to_vec(value).ok()?;
        let packed = Packed(compress_prepend_size_with_dict(&json, &TYPICAL).into(), PhantomData);
        packed.unpack().filter(|unpacked: &T| unpacked == value)?;
        Some(packed)
    }

    /// The value. `None` never happens: it was tried when it was packed.
    pub(super) fn unpack(&self) -> Option<T> {
        let json = decompress_size_prepended_with_dict(&self.0, &TYPICAL).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
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
        assert!(fresh.bytes() < 250, "{}", fresh.bytes());
        record.definitions = typical().definitions;
        record.note(record.created_at, "Declared", "declared");
        (0..20).for_each(|took| record.took(took));
        let packed = Packed::of(&record).unwrap();
        assert_eq!(packed.unpack().unwrap(), record);
        assert!(packed.bytes() < 450, "{}", packed.bytes());
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
