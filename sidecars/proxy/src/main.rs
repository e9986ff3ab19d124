//! See the library beside this file; here is only the process around it.

use dormouse_peer::{exit, settings::process_environment};
use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    exit::process(dormouse_proxy::cli::run(&args, &process_environment))
}
