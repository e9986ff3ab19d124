//! A whole run: scenarios, rounds, contenders in turn.

use crate::cli::Args;
use crate::contender::{Contender, Place, Who};
use crate::cpu::pin;
use crate::report::{self, Row};
use crate::rig::{Rig, Sample};
use crate::scenario::{self, Measure, Name, Scenario};
use crate::stats::{Ratio, median};
use crate::{memory, size, wire};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// More of the proxies' core than this for somebody else makes figures doubtful.
const FOREIGN: f64 = 0.05;

type Samples = HashMap<Who, Vec<Sample>>;

/// Measures what was asked for, and tells it.
pub fn run(args: &Args) -> ExitCode {
    match measure(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-proxy: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<(), String> {
    let start = Instant::now();
    // A thousand clients, and as many connections behind them; whoever is started here inherits it.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
    pin(args.load_core);
    let mut rig = Rig::new();
    let (nginx, version) =
        if args.no_nginx { (PathBuf::new(), "without nginx".to_owned()) } else { nginx_program()? };
    let place = Place {
        proxy: found(&args.proxy)?,
        before: args.before.as_deref().map(found).transpose()?,
        nginx,
        service: rig.port(),
        core: args.core,
        load_core: args.load_core,
    };
    let wanted = |name| args.scenarios.is_empty() || args.scenarios.contains(&name);
    let (mut rows, mut raw, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
    let pattern = wire::pattern();
    for scenario in scenario::all(&pattern).into_iter().filter(|s| wanted(s.name)) {
        eprintln!("{:>4.0} s  {}", start.elapsed().as_secs_f64(), scenario.title);
        let samples = rounds(&mut rig, &place, &scenario, args)?;
        rows.extend(compare(&scenario, &samples));
        foreign.extend(samples.values().flatten().map(|sample| sample.foreign));
        raw.push(json!({ "scenario": scenario.title, "samples": raw_json(&samples) }));
    }
    if wanted(Name::Memory) {
        eprintln!("{:>4.0} s  memory", start.elapsed().as_secs_f64());
        rows.extend(memory::measure(&mut rig, &place, !args.no_nginx, if args.quick { 1 } else { 3 })?);
    }
    if wanted(Name::Size) {
        rows.extend(size::measure(&place.proxy));
    }
    print!("{}", report::table(&rows));
    let worst = foreign.iter().copied().fold(0.0, f64::max);
    let (rounds, _, window) = args.times();
    println!(
        "\n{rounds} rounds of {window:?} each, in {:.0} s; {version}; foreign CPU on the proxies' core: \
         median {:.1} %, worst {:.1} %{}",
        start.elapsed().as_secs_f64(),
        median(&foreign) * 100.0,
        worst * 100.0,
        if worst > FOREIGN { " (figures are doubtful: something else runs here)" } else { "" },
    );
    if let Some(file) = &args.json {
        let all = json!({
            "rows": report::json(&rows),
            "scenarios": raw,
            "rounds": rounds,
            "window_ms": window.as_millis() as u64,
            "nginx": version,
            "foreign": { "median": median(&foreign), "worst": worst },
        });
        std::fs::write(file, format!("{all:#}\n")).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

fn found(program: &Path) -> Result<PathBuf, String> {
    program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))
}

/// nginx and its version. Where it is installed, a user's search path may not lead.
fn nginx_program() -> Result<(PathBuf, String), String> {
    let said = |program: &str| Command::new(program).arg("-v").output().ok().map(|output| output.stderr);
    let found = ["nginx", "/usr/sbin/nginx"].into_iter().find_map(|program| Some((program, said(program)?)));
    let (program, said) = found.ok_or("nginx is missing: sudo apt-get install nginx, or --no-nginx")?;
    Ok((
        program.into(),
        String::from_utf8_lossy(&said).trim().trim_start_matches("nginx version: ").to_owned(),
    ))
}

fn rounds(rig: &mut Rig, place: &Place, scenario: &Scenario, args: &Args) -> Result<Samples, String> {
    let mut whos = vec![Who::Proxy, Who::Control];
    whos.extend(place.before.is_some().then_some(Who::Before));
    if !args.no_nginx {
        whos.extend(scenario.others());
    }
    let mut contenders: Vec<Contender> = whos.iter().map(|who| Contender::start(*who, place)).collect();
    let (rounds, warm, window) = args.times();
    let mut samples = Samples::new();
    for _ in 0..rounds {
        for contender in &contenders {
            let sample =
                rig.measure(contender, &scenario.load, place.core, (warm, window)).map_err(|why| {
                    format!("{}, {}: {why}\n{}", scenario.title, contender.who.name(), contender.log())
                })?;
            if sample.requests == 0 {
                return Err(format!("{}, {}: no request was answered", scenario.title, contender.who.name()));
            }
            samples.entry(contender.who).or_default().push(sample);
        }
        // Whoever came last comes first now: a machine that gets slower is nobody's fault.
        contenders.reverse();
    }
    Ok(samples)
}

fn compare(scenario: &Scenario, samples: &Samples) -> Vec<Row> {
    let figures = |who: Who, measure| -> Vec<f64> {
        samples.get(&who).into_iter().flatten().map(|sample| figure(scenario, sample, measure)).collect()
    };
    let mut wanted: Vec<(Measure, Who, Option<f64>, Option<f64>)> = scenario
        .aims
        .iter()
        .filter(|aim| samples.contains_key(&aim.against))
        .map(|aim| (aim.measure, aim.against, Some(aim.most), aim.stretch))
        .collect();
    let mut measures: Vec<Measure> = scenario.aims.iter().map(|aim| aim.measure).collect();
    measures.dedup();
    if samples.contains_key(&Who::Before) {
        wanted.extend(measures.iter().map(|measure| (*measure, Who::Before, None, None)));
    }
    if wanted.is_empty() {
        wanted.extend(measures.iter().map(|measure| (*measure, Who::Control, None, None)));
    }
    let row = |(measure, against, aim, stretch): (Measure, Who, Option<f64>, Option<f64>)| {
        let (ours, theirs) = (figures(Who::Proxy, measure), figures(against, measure));
        let (measured, unit) = match measure {
            Measure::CpuPerRequest => ("CPU per request", "µs"),
            Measure::CpuPerGigabyte => ("CPU per GB", "ms"),
            Measure::P99 => ("p99", "µs"),
        };
        Row {
            title: scenario.title.to_owned(),
            measured: measured.to_owned(),
            unit,
            ours: median(&ours),
            against: Some((against.name().to_owned(), median(&theirs), Ratio::of(&ours, &theirs))),
            noise: Some(Ratio::of(&figures(Who::Control, measure), &ours)),
            margin: scenario.margin,
            aim,
            stretch,
        }
    };
    let mut rows: Vec<Row> = wanted.into_iter().map(row).collect();
    if matches!(scenario.name, Name::Paced | Name::Stall) {
        rows.extend(waits(scenario, samples));
    }
    rows
}

/// Waiting times that no ratio is asked of.
fn waits(scenario: &Scenario, samples: &Samples) -> Vec<Row> {
    let of = |who: Who, pick: fn(&Sample) -> u64| -> Vec<f64> {
        samples.get(&who).into_iter().flatten().map(|sample| pick(sample) as f64 / 1000.0).collect()
    };
    let row = |measured: &str, pick: fn(&Sample) -> u64| {
        let ours = of(Who::Proxy, pick);
        let other = scenario.others().into_iter().find(|who| samples.contains_key(who));
        Row {
            title: scenario.title.to_owned(),
            measured: measured.to_owned(),
            unit: "µs",
            ours: median(&ours),
            against: other.map(|who| {
                let theirs = of(who, pick);
                (who.name().to_owned(), median(&theirs), Ratio::of(&ours, &theirs))
            }),
            noise: Some(Ratio::of(&of(Who::Control, pick), &ours)),
            margin: scenario.margin,
            aim: None,
            stretch: None,
        }
    };
    let mut rows = vec![row("p50", |sample| sample.p50)];
    if scenario.name == Name::Stall {
        // A delayed acknowledgement is 40 ms late.
        let longest = row("longest", |sample| sample.longest);
        rows.push(Row { against: None, noise: None, aim: Some(38_000.0), ..longest });
    }
    rows
}

fn figure(scenario: &Scenario, sample: &Sample, measure: Measure) -> f64 {
    let cpu = sample.cpu.as_secs_f64();
    match measure {
        Measure::CpuPerRequest => cpu * 1e6 / sample.requests as f64,
        Measure::CpuPerGigabyte => {
            let bytes = if scenario.upload > 0 { sample.requests * scenario.upload } else { sample.bytes };
            cpu * 1e12 / bytes as f64
        }
        Measure::P99 => sample.p99 as f64 / 1000.0,
    }
}

fn raw_json(samples: &Samples) -> Value {
    let mut all = serde_json::Map::new();
    for (who, samples) in samples {
        let list = samples.iter().map(|sample| {
            json!({
                "requests": sample.requests,
                "bytes": sample.bytes,
                "wall_us": sample.wall.as_micros() as u64,
                "cpu_us": sample.cpu.as_micros() as u64,
                "cpu_ticks_us": sample.ticks.as_micros() as u64,
                "foreign": sample.foreign,
                "p50_us": sample.p50 / 1000,
                "p99_us": sample.p99 / 1000,
                "longest_us": sample.longest / 1000,
            })
        });
        all.insert(who.name().to_owned(), list.collect());
    }
    Value::Object(all)
}
