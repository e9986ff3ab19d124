//! One event as it is sent: its kind, its id, its body. The same event is the same message whenever it is sent again.

use super::Notice;
use crate::naming;
use crate::settings::Settings;
use dormouse_state::Event;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What kind of news an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is wanted awake.
    Woken,
    /// A wake has come to its end: users are answered.
    Ready,
    /// It is not wanted awake any more.
    Slept,
    /// Its tasks were lost, it is not ready long after its wake, or a changed manifest did not come into use.
    Failed,
}

impl Kind {
    /// Of an event; `None`: it is no news for others.
    pub fn of(event: &Event) -> Option<Kind> {
        match event.reason.as_str() {
            "Woken" => Some(Kind::Woken),
            "Ready" => Some(Kind::Ready),
            "Slept" => Some(Kind::Slept),
            "PairLost" | "SlowWake" | "RolloutFailed" | "RolledBack" => Some(Kind::Failed),
            _ => None,
        }
    }

    /// As a message's `type`.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Woken => "service.woken",
            Kind::Ready => "service.ready",
            Kind::Slept => "service.slept",
            Kind::Failed => "service.failed",
        }
    }
}

/// A message: what is posted, and the id that it has whenever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `msg_` and 32 hexadecimal digits.
    pub id: String,
    /// JSON.
    pub body: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    install: &'a str,
    service: &'a str,
    url: String,
    reason: &'a str,
    message: &'a str,
}

impl Message {
    /// A number that is another one for other messages.
    pub fn spread(&self) -> u32 {
        self.id.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    }
}

/// An event of the service `name` as a message.
pub fn message(settings: &Settings, name: &str, notice: &Notice) -> Message {
    let Notice { number, incarnation, kind, event } = notice;
    let mut hash = Sha256::new();
    // The count alone is not enough: a version that does not keep it makes it begin anew.
    for part in
        [&settings.install, name, &incarnation.to_string(), &number.to_string(), &event.at.to_string()]
    {
        hash.update(part);
        hash.update([0]);
    }
    let mut id = "msg_".to_owned();
    for byte in hash.finalize().iter().take(16) {
        let _ = write!(id, "{byte:02x}");
    }
    let data = Data {
        install: &settings.install,
        service: name,
        url: naming::url(name, &settings.domain),
        reason: &event.reason,
        message: &event.message,
    };
    let body = Body { kind: kind.word(), timestamp: event.at, data };
    // Texts and a time: there is nothing in it that cannot be written.
    Message { id, body: serde_json::to_string(&body).unwrap_or_default() }
}
