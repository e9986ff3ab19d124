//! How a command fails.

use crate::client::CallError;
use crate::exit::Exit;

/// Words for stderr, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// Empty when all was said already.
    pub(super) words: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, words: impl Into<String>) -> Failure {
        Failure { exit, words: words.into() }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        Failure::new(error.exit(), error.to_string())
    }
}
