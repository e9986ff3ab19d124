//! How the program ends: one number a meaning, so that scripts can tell them apart.

use std::process::ExitCode;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked is done.
    Done,
    /// It was tried and did not work.
    Failed,
    /// Wrong usage, a wrong setting or an invalid manifest.
    Usage,
    /// There is no such service.
    NotFound,
    /// It did not happen in the time it was given.
    TimedOut,
    /// The server could not be reached.
    Unreachable,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::TimedOut => 4,
            Exit::Unreachable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
