//! Waiting for a condition: never longer than needed, and a failure says what was seen last.

use std::fmt::Display;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Generous: only a failing test waits this long.
pub const SOON: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(40);

/// Looks until there is a value; the error says what is there instead.
///
/// # Panics
/// When there is none within the time.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() >= within => {
                panic!("not within {} s: {what}; last seen: {seen}", within.as_secs())
            }
            Err(_) => sleep(LOOK),
        }
    }
}

/// Looks for a while whether something stays as it is.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn steadily<E: Display>(what: &str, during: Duration, mut look: impl FnMut() -> Result<(), E>) {
    let start = Instant::now();
    while start.elapsed() < during {
        if let Err(seen) = look() {
            panic!("after {:.1} s no longer: {what}; seen: {seen}", start.elapsed().as_secs_f64());
        }
        sleep(LOOK);
    }
}

/// `Ok` if it holds, else the words.
///
/// # Errors
/// The words.
pub fn holds(condition: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}
