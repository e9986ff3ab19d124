//! AWS's clock, as its answers are dated: what a signature is held against.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// The newest date, and when it came.
#[derive(Debug, Default)]
pub(crate) struct Dates(Mutex<Option<(Timestamp, Instant)>>);

impl Dates {
    /// An answer's `Date`, if it has one that can be read.
    pub fn note(&self, header: Option<&str>) {
        let read = |text| DateTime::from_str(text, Format::HttpDate).ok();
        let Some(date) = header.and_then(read).and_then(|date| Timestamp::from_second(date.secs()).ok())
        else {
            return;
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
    }

    /// The time there now, to a second or two: an answer is dated in whole seconds, and was under way.
    pub fn now(&self) -> Option<Timestamp> {
        let (date, came) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(came.elapsed()).ok()
    }
}
