//! See the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    dormouse_sim::cli::main(&args)
}
