//! What goes wrong with calls to the local AWS.

use crate::control::Control;
use serde_json::{Value, json};

/// A fault; the kinds are those of the control endpoint.
#[derive(Debug, Clone)]
pub struct Fault(Value);

impl Fault {
    fn new(operation: &str, kind: &str) -> Fault {
        Fault(json!({"operation": operation, "kind": kind}))
    }

    /// The throttling error of the service; nothing is done.
    pub fn throttle(operation: &str) -> Fault {
        Fault::new(operation, "throttle")
    }

    /// It is done, and the connection ends without an answer.
    pub fn lose_answer(operation: &str) -> Fault {
        Fault::new(operation, "lose-answer").with("close", true)
    }

    /// It is done, and the answer is a 500.
    pub fn error_after(operation: &str) -> Fault {
        Fault::new(operation, "lose-answer")
    }

    /// Nothing is done, and the answer is a 500.
    pub fn http500(operation: &str) -> Fault {
        Fault::new(operation, "http500")
    }

    /// It is done later.
    pub fn delay(operation: &str, ms: u64) -> Fault {
        Fault::new(operation, "delay").with("delayMs", ms)
    }

    /// Reads give the state of some time ago, until the fault is removed.
    pub fn read_lag(operation: &str, ms: u64) -> Fault {
        Fault::new(operation, "read-lag").with("delayMs", ms)
    }

    /// So many times (1 unless said).
    #[must_use]
    pub fn times(self, count: u32) -> Fault {
        self.with("count", count)
    }

    /// Until removed.
    #[must_use]
    pub fn for_ever(self) -> Fault {
        self.with("count", -1)
    }

    /// With this probability.
    #[must_use]
    pub fn sometimes(self, probability: f64) -> Fault {
        self.with("probability", probability)
    }

    /// Only calls with these parameters.
    #[must_use]
    pub fn matching(self, parameters: Value) -> Fault {
        self.with("match", parameters)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Fault {
        self.0[name] = value.into();
        self
    }

    /// Installs it; answers its number.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn install(&self, control: &Control) -> u64 {
        control.post("faults", &self.0)["id"].as_u64().expect("a fault has a number")
    }
}

/// How often a fault has struck; 0 when it was removed.
pub fn hits(control: &Control, number: u64) -> u64 {
    let known = control.get("faults");
    let known = known["faults"].as_array().cloned().unwrap_or_default();
    known.iter().find(|one| one["id"] == number).and_then(|one| one["hits"].as_u64()).unwrap_or_default()
}

/// Removes all.
///
/// # Panics
/// When that is refused.
#[track_caller]
pub fn clear(control: &Control) {
    control.call("DELETE", "faults", None).unwrap_or_else(|error| panic!("{error}"));
}
