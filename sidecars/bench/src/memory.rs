//! What idle connections take.

use crate::contender::{Contender, Place, Who};
use crate::nginx::Setup;
use crate::report::{Row, Verdict};
use crate::rig::Rig;
use crate::scenario::one_request;
use crate::stats::{Ratio, median};
use std::time::Duration;

/// So many clients come, ask once, and stay.
const CONNECTIONS: usize = 1000;
/// Memory that is only needed for a moment goes back meanwhile.
const SETTLE: Duration = Duration::from_millis(700);
const MIB: f64 = 1024.0;

/// Measures the proxy and nginx so many times, each in a process of its own.
///
/// # Errors
/// The first request that failed, and how.
pub fn measure(rig: &mut Rig, place: &Place, nginx: bool, rounds: u32) -> Result<Vec<Row>, String> {
    let mut whos = vec![Who::Proxy];
    whos.extend(place.before.is_some().then_some(Who::Before));
    whos.extend(nginx.then_some(Who::Nginx(Setup::Tuned)));
    let load = one_request();
    let mut seen: Vec<[Vec<f64>; 4]> = whos.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (who, seen) in whos.iter().zip(&mut seen) {
            let contender = Contender::start(*who, place);
            rig.idle(&load, SETTLE);
            let start = contender.tree.memory();
            rig.hold(contender.address, &load, CONNECTIONS)
                .map_err(|failure| format!("{}: {failure}\n{}", who.name(), contender.log()))?;
            rig.idle(&load, SETTLE);
            let full = contender.tree.memory();
            rig.hang_up();
            for (values, kib) in seen.iter_mut().zip([start.rss, start.pss, full.rss, full.pss]) {
                values.push(kib as f64 / MIB);
            }
        }
    }
    let (ours, others) = seen.split_first().ok_or("nobody was measured")?;
    let row = |title: &str, measured: &str, values: &[f64]| Row {
        title: title.to_owned(),
        measured: measured.to_owned(),
        unit: "MiB",
        ours: median(values),
        against: None,
        noise: None,
        margin: 0.05,
        aim: None,
        stretch: None,
    };
    let full = format!("{CONNECTIONS} idle connections");
    let mut rows = vec![
        Row { aim: Some(2.0), ..row("memory at the start", "RSS", &ours[0]) },
        row(&full, "RSS", &ours[2]),
    ];
    for (who, theirs) in whos[1..].iter().zip(others) {
        // What nginx's two processes share is not counted twice.
        let against = Some((who.name().to_owned(), median(&theirs[3]), Ratio::of(&ours[3], &theirs[3])));
        let aim = matches!(who, Who::Nginx(_)).then_some(0.30);
        rows.push(Row { against, aim, ..row(&full, "PSS", &ours[3]) });
    }
    debug_assert!(rows.iter().all(|row| row.verdict() != Verdict::Unknown || row.aim.is_none()));
    Ok(rows)
}
