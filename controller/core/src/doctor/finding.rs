//! One thing that was looked at.

use super::facts::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, or may; or nobody could look.
    Warning,
    /// It cannot work.
    Problem,
}

/// What was looked at, how it stands, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The setting that it is about, or what was looked at in a word or two.
    pub about: String,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do; there is something to do about everything but what is as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(about: &str, message: impl Into<String>) -> Finding {
        Finding { about: about.to_owned(), level: Level::Ok, message: message.into(), fix: None }
    }

    /// It works, or may.
    pub fn warning(about: &str, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        let (message, fix) = (message.into(), Some(fix.into()));
        Finding { about: about.to_owned(), level: Level::Warning, message, fix }
    }

    /// It cannot work.
    pub fn problem(about: &str, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { level: Level::Problem, ..Finding::warning(about, message, fix) }
    }

    /// Nobody could look.
    pub(super) fn unread(about: &str, why: &str) -> Finding {
        Finding::warning(
            about,
            format!("not checked: {why}"),
            "allow the controller to read it, or name one that it may read",
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.message)?;
        match &self.fix {
            Some(fix) => write!(f, ": {fix}"),
            None => Ok(()),
        }
    }
}

impl<T> Reading<T> {
    /// What was read; else what to say of it instead. Nothing works without it.
    pub(super) fn needed(&self, about: &str, missing: impl FnOnce() -> Finding) -> Result<&T, Finding> {
        let needed = |finding: Finding| match self {
            Reading::Unread(_) => Finding { level: Level::Problem, ..finding },
            _ => finding,
        };
        self.known(about, missing).map_err(needed)
    }

    /// What was read; else what to say of it instead.
    pub(super) fn known(&self, about: &str, missing: impl FnOnce() -> Finding) -> Result<&T, Finding> {
        match self {
            Reading::Known(known) => Ok(known),
            Reading::Missing => Err(missing()),
            Reading::Unread(why) => Err(Finding::unread(about, why)),
        }
    }
}
