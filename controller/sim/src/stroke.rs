//! What befalls a controller at an effect of its own, to be tried at each in turn.

use crate::profile::{Ms, SECOND};
use std::collections::BTreeMap;
use std::fmt;

/// For so long a controller is frozen: another has taken its lease by then (17.4 s), has read everything and gone on.
pub const FROZEN_FOR: Ms = 40 * SECOND;

/// What befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// It crashes before: the effect never happens.
    Before,
    /// It crashes after: the effect happens, and nobody hears of it.
    After,
    /// It is frozen right before its call leaves, and makes it when it goes on.
    FrozenBefore,
    /// It is frozen right after, and hears the answer when it goes on.
    FrozenAfter,
    /// It crashes while its call is on its way, which arrives when the next controller has started.
    Late,
    /// The same, and another leads when it arrives.
    Overtaken,
}

impl Stroke {
    /// All of them.
    pub const ALL: [Stroke; 6] = [
        Stroke::Before,
        Stroke::After,
        Stroke::FrozenBefore,
        Stroke::FrozenAfter,
        Stroke::Late,
        Stroke::Overtaken,
    ];

    /// How long after the stroke the effect happens; `None`: never.
    pub const fn delay(self) -> Option<Ms> {
        match self {
            Stroke::Before => None,
            Stroke::After | Stroke::FrozenAfter => Some(0),
            // A moment after it goes on.
            Stroke::FrozenBefore => Some(FROZEN_FOR + 5),
            Stroke::Late => Some(8 * SECOND),
            // A lease is taken within 17.4 s, and everything read right after that.
            Stroke::Overtaken => Some(20 * SECOND),
        }
    }

    /// Whether the controller goes on after a while.
    pub const fn freezes(self) -> bool {
        matches!(self, Stroke::FrozenBefore | Stroke::FrozenAfter)
    }

    /// Whether it is of interest only if somebody else is there to go on.
    pub const fn needs_another(self) -> bool {
        !matches!(self, Stroke::Before | Stroke::After)
    }

    const fn word(self) -> &'static str {
        match self {
            Stroke::Before => "before",
            Stroke::After => "after",
            Stroke::FrozenBefore => "frozen-before",
            Stroke::FrozenAfter => "frozen-after",
            Stroke::Late => "late",
            Stroke::Overtaken => "overtaken",
        }
    }
}

impl fmt::Display for Stroke {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// An effect of a run, counted from 0, and what befalls its controller there.
pub type At = (u64, Stroke);

/// Strokes at effects in the words that the program takes: `before:37,frozen-after:52`.
pub fn words(strokes: &[At]) -> String {
    strokes.iter().map(|(effect, stroke)| format!("{stroke}:{effect}")).collect::<Vec<_>>().join(",")
}

/// What `words` gives, read again; `None`: it is nothing of the kind.
pub fn read(words: &str) -> Option<Vec<At>> {
    let stroke = |word: &str| {
        let (when, effect) = word.split_once(':')?;
        let stroke = Stroke::ALL.into_iter().find(|stroke| stroke.word() == when)?;
        Some((effect.parse().ok()?, stroke))
    };
    words.split(',').map(stroke).collect()
}

/// The strokes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strokes {
    /// Where they fall, and which.
    pub at: Vec<At>,
    /// Effects so far.
    pub count: u64,
    /// Controllers that one has fallen on; the driver sees to it.
    pub due: BTreeMap<usize, Stroke>,
}

impl Strokes {
    /// Counts an effect of a controller; answers what befalls it there.
    pub fn fall(&mut self, controller: usize) -> Option<Stroke> {
        let here = self.at.iter().find(|(effect, _)| *effect == self.count).map(|(_, stroke)| *stroke);
        self.count += 1;
        self.due.extend(here.map(|stroke| (controller, stroke)));
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let all: Vec<At> = (30..).zip(Stroke::ALL).collect();
        assert_eq!(read(&words(&all)), Some(all));
        for wrong in ["", "before", "before:", "before:x", "never:3", "before:3,"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
