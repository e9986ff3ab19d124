//! The command line as the shell sees it: the built program against a server in this process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod applied;
mod life;
mod logs;
mod shell;
mod shown;
#[path = "../../src/testing.rs"]
#[allow(dead_code)]
mod testing;
mod usage;
