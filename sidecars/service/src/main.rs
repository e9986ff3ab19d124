//! See the library beside this file; here is only the process around it.

use dormouse_peer::{exit, settings::process_environment};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    exit::process(dormouse_service::cli::run(&args, &process_environment))
}
