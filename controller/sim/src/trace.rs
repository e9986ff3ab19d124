//! What happened, as a hash (always) and as a readable timeline (when asked).

use crate::profile::Ms;
use std::fmt::{self, Write};

/// Takes in every effect, fault and finding of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: Fnv,
    lines: Option<Vec<String>>,
}

#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xCBF2_9CE4_8422_2325)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Ok(())
    }
}

impl Trace {
    /// A trace that keeps its lines, or only their hash.
    pub fn new(keep: bool) -> Trace {
        Trace { hash: Fnv::default(), lines: keep.then(Vec::new) }
    }

    /// Adds a line.
    pub fn note(&mut self, now: Ms, line: fmt::Arguments<'_>) {
        // Writing to these never fails.
        let _ = write!(self.hash, "{now} {line}");
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {line}", clock(now)));
        }
    }

    /// Adds a line that is only to be read: it plays no part in the hash.
    pub fn remark(&mut self, now: Ms, line: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {line}", clock(now)));
        }
    }

    /// Whether lines are kept.
    pub fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    /// Hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// The lines, when they were kept.
    pub fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// `mm:ss.mmm` since the start.
pub fn clock(now: Ms) -> String {
    format!("{:03}:{:02}.{:03}", now / 60_000, now / 1000 % 60, now % 1000)
}
