//! What to measure, and how long.

use crate::scenario::Name;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Measures the proxy beside nginx: CPU time of the process tree, waiting time, memory, size.
///
/// Exits 1 when a request failed, whoever failed it. A missed aim is no failure.
#[derive(Debug, Parser)]
#[command(name = "bench-proxy")]
pub struct Args {
    /// The proxy: the static program of the image.
    #[arg(long, value_name = "FILE")]
    pub proxy: PathBuf,
    /// Another build of the proxy, measured against it as nginx is: what a change gave.
    #[arg(long, value_name = "FILE")]
    pub before: Option<PathBuf>,
    /// Without nginx: only the proxy against itself, and against --before.
    #[arg(long)]
    pub no_nginx: bool,
    /// Only these; all of them when none is named.
    #[arg(value_enum)]
    pub scenarios: Vec<Name>,
    /// Rounds of each scenario; five at least for figures to be told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long one proxy is measured in one round.
    #[arg(long, default_value_t = 1.5)]
    pub seconds: f64,
    /// A look that takes less than a minute: three short rounds.
    #[arg(long)]
    pub quick: bool,
    /// The core of the proxies; load and service have the other.
    #[arg(long, default_value_t = 1)]
    pub core: usize,
    /// The core of load and service.
    #[arg(long, default_value_t = 0)]
    pub load_core: usize,
    /// Writes everything measured to this file as well.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Args {
    /// Rounds, warming up, measuring.
    pub fn times(&self) -> (u32, Duration, Duration) {
        if self.quick {
            (3, Duration::from_millis(120), Duration::from_millis(400))
        } else {
            (self.rounds, Duration::from_millis(300), Duration::from_secs_f64(self.seconds))
        }
    }
}
