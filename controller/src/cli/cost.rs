//! `dormouse cost`.

use super::args::{CostArgs, Format};
use super::failure::Failure;
use super::get::document;
use super::output::Output;
use super::table::Table;
use crate::api::CostReport;
use crate::client::Client;
use crate::exit::Exit;
use dormouse_core::upkeep::Upkeep;
use http::Method;

pub(super) async fn run(args: &CostArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut report: CostReport = client.json(Method::GET, "/v1/cost").await?;
    if let Some(month) = &args.month {
        report.services.iter_mut().for_each(|service| service.months.retain(|known| known.month == *month));
    }
    match args.output {
        Format::Json | Format::Yaml => out.data(&document(&report, args.output)?),
        Format::Table | Format::Wide | Format::Name => {
            out.data(&table(&report));
            out.data(&idle(&report.idle));
            let instances = report
                .instance_type
                .as_deref()
                .unwrap_or("not reckoned: their type is not in the price table");
            let (date, region) = (&report.prices_of, &report.region);
            out.say(&format!("list prices of {region}, {date}; instances: {instances}"));
        }
    }
    Ok(Exit::Done)
}

/// A line for each thing that is paid while everything sleeps, and their sum.
fn idle(upkeep: &Upkeep) -> String {
    let mut table = Table::new(&["ASLEEP", "A-MONTH", "ON-SPOT", "HOW"]);
    let dollars = |sum: f64| format!("${sum:.2}");
    for line in &upkeep.lines {
        table.row(vec![line.what.clone(), dollars(line.dollars), dollars(line.on_spot), line.how.clone()]);
    }
    let sums = [upkeep.month, upkeep.month_on_spot].map(dollars);
    let [month, on_spot] = sums;
    table.row(vec!["(all)".to_owned(), month, on_spot, String::new()]);
    table.render()
}

/// A line a service and month, and a sum a month.
fn table(report: &CostReport) -> String {
    let mut table = Table::new(&["MONTH", "SERVICE", "AWAKE", "ASLEEP", "SPENT", "SAVED"]);
    let mut months: Vec<&str> = report
        .services
        .iter()
        .flat_map(|service| &service.months)
        .map(|known| known.month.as_str())
        .collect();
    months.sort_unstable();
    months.dedup();
    let dollars = |sum: f64| format!("${sum:.2}");
    for month in months {
        for service in &report.services {
            for known in service.months.iter().filter(|known| known.month == month) {
                table.row(vec![
                    month.to_owned(),
                    service.name.clone(),
                    format!("{:.1} h", known.awake_hours),
                    format!("{:.1} h", known.asleep_hours),
                    dollars(known.spent),
                    dollars(known.saved),
                ]);
            }
        }
        let (spent, saved) = report.total(month);
        let blank = String::new();
        table.row(vec![
            month.to_owned(),
            "(all)".to_owned(),
            blank.clone(),
            blank,
            dollars(spent),
            dollars(saved),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ServiceCost;
    use dormouse_core::cost::{Hourly, MonthCost};
    use dormouse_core::upkeep::Line;

    #[test]
    fn a_line_a_service_and_month_and_a_sum_a_month() {
        let month = |month: &str, awake: f64, asleep: f64| MonthCost {
            month: month.into(),
            awake_hours: awake,
            asleep_hours: asleep,
            spent: awake / 10.0,
            saved: asleep / 10.0,
        };
        let hourly = Hourly { proxy: 0.1, address: 0.0, instance: None, on_fargate: None };
        let service = |name: &str, months| ServiceCost { name: name.into(), hourly, months };
        let report = CostReport {
            prices_of: "2026-03-31".into(),
            region: "us-east-1".into(),
            instance_type: None,
            month: "2026-11".into(),
            idle: Upkeep::default(),
            services: vec![
                service("a", vec![month("2026-10", 1.0, 100.0), month("2026-11", 20.0, 0.0)]),
                service("b", vec![month("2026-11", 5.0, 15.0)]),
            ],
        };
        let expected = "\
MONTH    SERVICE  AWAKE   ASLEEP   SPENT  SAVED
2026-10  a        1.0 h   100.0 h  $0.10  $10.00
2026-10  (all)                     $0.10  $10.00
2026-11  a        20.0 h  0.0 h    $2.00  $0.00
2026-11  b        5.0 h   15.0 h   $0.50  $1.50
2026-11  (all)                     $2.50  $1.50
";
        assert_eq!(table(&report), expected);
    }

    #[test]
    fn what_is_paid_asleep_line_by_line() {
        let line = |what: &str, dollars: f64, on_spot: f64| Line {
            what: what.into(),
            how: "1 x 2".into(),
            dollars,
            on_spot,
        };
        let lines = vec![line("controller, Fargate", 7.2, 2.1), line("secret", 0.4, 0.4)];
        let expected = "\
ASLEEP               A-MONTH  ON-SPOT  HOW
controller, Fargate  $7.20    $2.10    1 x 2
secret               $0.40    $0.40    1 x 2
(all)                $7.60    $2.50
";
        assert_eq!(idle(&Upkeep { lines, month: 7.6, month_on_spot: 2.5 }), expected);
    }
}
