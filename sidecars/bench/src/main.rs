//! `make bench-proxy` runs it.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use clap::Parser;
use dormouse_bench::cli::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    dormouse_bench::run::run(&Args::parse())
}
