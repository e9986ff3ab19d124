//! `dormouse doctor`.

use super::args::{DoctorArgs, Format};
use super::failure::Failure;
use super::get::document;
use super::output::Output;
use super::table::Table;
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::doctor::{Report, outside};
use crate::exit::Exit;
use dormouse_core::doctor::{Finding, Level};
use http::Method;

pub(super) async fn run(args: &DoctorArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut report: Report = client.json(Method::GET, "/v1/doctor").await?;
    if !args.inside {
        let seen = outside::look(&report, &args.resolver, SystemClock.now()).await;
        let more = outside::findings(&report, &seen);
        report.findings.extend(more);
    }
    match args.output {
        Format::Json | Format::Yaml => out.data(&document(&report, args.output)?),
        Format::Table | Format::Wide | Format::Name => out.data(&table(&report.findings)),
    }
    let of = |level| report.findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (of(Level::Problem), of(Level::Warning));
    out.say(&format!("{problems} problems, {warnings} warnings, {} as they should be", of(Level::Ok)));
    Ok(if problems > 0 { Exit::Failed } else { Exit::Done })
}

/// Worst last, where it is read first.
fn table(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.level);
    let mut table = Table::new(&["", "ABOUT", "FOUND"]);
    for finding in sorted {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "PROBLEM",
        };
        table.row(vec![level.to_owned(), finding.about.clone(), finding.message.clone()]);
        if let Some(fix) = &finding.fix {
            table.row(vec![String::new(), String::new(), format!("-> {fix}")]);
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_last_and_each_fix_stands_below_what_it_mends() {
        let findings = [
            Finding::problem("zone", "gone", "make it"),
            Finding::ok("port", "open"),
            Finding::warning("quota", "low", "raise it"),
        ];
        let expected = "         ABOUT  FOUND
ok       port   open
warning  quota  low
                -> raise it
PROBLEM  zone   gone
                -> make it
";
        assert_eq!(table(&findings), expected);
    }
}
