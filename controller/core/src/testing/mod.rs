//! What tests are written with: moments, a scene with one service in it, and a toy world.
//!
//! # Layout
//!
//! - `scene`: one service, and what is observed of it, to be changed by hand
//! - `fleet`: instances and their group
//! - `toy`: a small cloud that takes steps, loses answers and lets tasks die

pub(crate) mod fleet;
pub(crate) mod scene;
pub(crate) mod toy;

use dormouse_manifests::{AwakeWindow, IdleAfter};
use jiff::Timestamp;
use std::time::Duration;

/// Seconds after the beginning of every test.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A moment as people write it.
pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Seconds.
pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `idleAfter` in seconds.
pub(crate) fn idle_after(seconds: u64) -> IdleAfter {
    IdleAfter::After(secs(seconds))
}

/// An awake window.
pub(crate) fn window(days: &str, from: &str, to: &str, timezone: &str) -> AwakeWindow {
    AwakeWindow {
        days: days.parse().unwrap(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        timezone: timezone.into(),
    }
}
