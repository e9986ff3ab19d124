//! The proxy beside a forwarder on hyper and beside nginx: the same bytes, and every difference explained.
//!
//! Two things are checked of each case. What the service behind the proxy saw must be the requests that RFC 9112 finds
//! in the client's bytes, in their order, cut at the same places, and none after the first thing that is no request:
//! whatever anybody in front makes of the same bytes, nothing is smuggled past it. And where the others saw or said
//! something else than the proxy, a line of [`explained`] says who is stricter, and why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "these are tests, which wait in real time"
)]

mod answers;
mod cases;
mod client;
mod contenders;
mod explained;
mod forwarder;
mod generate;
mod oracle;
mod recorder;

use cases::Case;
use client::Got;
use contenders::{Contender, Who};
use explained::Explained;
use oracle::{Fields, Meaning, Parse, Request};
use recorder::{Script, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Generated cases of one run.
const GENERATED: u64 = 1500;
/// So many cases at once.
const LANES: usize = 8;

/// What became of a client's bytes.
struct Outcome {
    seen: State,
    got: Got,
}

fn send(contender: &Contender, case: &Case, meaning: &Meaning, pieces: usize) -> Outcome {
    let expected = meaning.requests.len() + usize::from(meaning.invalid.is_some());
    let heads: Vec<bool> = meaning.requests.iter().map(|request| request.method == "HEAD").collect();
    let got = client::exchange(contender.address, &case.bytes, pieces, expected, &heads);
    settle(contender);
    Outcome { got, seen: contender.recorder.take() }
}

/// Lets what is still on its way to the service arrive: behind it comes a request that nobody writes down, and behind the
/// connections that were made, one more.
fn settle(contender: &Contender) {
    assert!(client::is_there(contender.address), "{:?} is gone", contender.who);
    assert!(client::is_there(contender.recorder.address));
}

/// What must hold for the proxy, whatever others do.
fn judge(meaning: &Meaning, outcome: &Outcome) -> Result<(), String> {
    let Outcome { seen, got } = outcome;
    if let Some((why, bytes)) = seen.wrong.first() {
        return Err(format!("the service got no request ({why}): {:?}", String::from_utf8_lossy(bytes)));
    }
    for (at, request) in seen.whole.iter().enumerate() {
        let Some(meant) = meaning.requests.get(at) else {
            return Err(format!("smuggled: {} {}", request.method, request.target));
        };
        if let Some(differs) = differs(&plain(meant), &plain(request)) {
            return Err(format!("request {at} was changed: {differs}"));
        }
        let odd: Vec<_> = request.lenient.iter().filter(|odd| !passed_on(odd)).collect();
        if !odd.is_empty() {
            return Err(format!("request {at} went on with {odd:?}"));
        }
    }
    // A 200 is the service's, and to the request in its place.
    for (at, answer) in got.answers.iter().enumerate().filter(|(_, answer)| answer.status == 200) {
        let was = answer.fields.iter().find(|(name, _)| name == "x-was").map(|(_, value)| value.clone());
        let meant = meaning.requests.get(at).map(|meant| recorder::name(meant).into_bytes());
        if was != meant {
            return Err(format!("answer {at} is another request's"));
        }
    }
    if let Some(broken) = &got.broken {
        return Err(format!("the client got no answer: {broken}"));
    }
    if got.hangs {
        return Err("the connection hangs".into());
    }
    // What is beyond doubt must go through.
    let clear = meaning.requests.iter().take_while(|request| request.lenient.is_empty()).count();
    if seen.whole.len() < clear {
        return Err(format!("only {} of {clear} good requests went through", seen.whole.len()));
    }
    let refused = meaning.invalid.is_some() && seen.whole.len() == meaning.requests.len();
    let last = got.answers.get(meaning.requests.len()).map(|answer| answer.status);
    if refused && !last.is_none_or(|status| (400..600).contains(&status)) {
        return Err(format!("what is no request got {last:?}"));
    }
    Ok(())
}

/// What is the service's business alone.
fn passed_on(odd: &str) -> bool {
    ["large head", "target not escaped", "large extension"].contains(&odd)
}

/// A request without what every forwarder writes in its own way.
struct Plain {
    line: String,
    host: Option<Vec<u8>>,
    fields: Fields,
    body: Vec<u8>,
    trailers: Fields,
}

/// Fields of the hop, and those that say who asked.
const WRITTEN: [&str; 15] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "host",
    "expect",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-real-ip",
    "http2-settings",
];

fn plain(request: &Request) -> Plain {
    let named = oracle::tokens(&request.fields, "connection");
    let mut fields = request.fields.clone();
    fields.retain(|(name, _)| {
        !WRITTEN.contains(&name.as_str()) && !named.iter().any(|n| n.eq_ignore_ascii_case(name))
    });
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    Plain {
        line: format!("{} {}", request.method, request.target),
        // HTTP/1.0 may come without; then anything goes.
        host: request.host.clone().filter(|_| request.minor == 1 || request.host.is_some()),
        fields,
        body: request.body.clone(),
        trailers: request.trailers.clone(),
    }
}

/// In what two requests differ.
fn differs(one: &Plain, other: &Plain) -> Option<String> {
    let mut what = Vec::new();
    if one.line != other.line {
        what.push("line");
    }
    if one.host.is_some() && one.host != other.host {
        what.push("host");
    }
    if one.fields != other.fields {
        what.push("fields");
    }
    if one.body != other.body {
        what.push("body");
    }
    if one.trailers != other.trailers {
        what.push("trailers");
    }
    (!what.is_empty()).then(|| what.join(", "))
}

/// How another contender's outcome differs from the proxy's.
fn difference(proxy: &Outcome, other: &Outcome) -> Option<String> {
    if !other.seen.wrong.is_empty() {
        return Some("it forwards what is no request".into());
    }
    let (ours, theirs) = (&proxy.seen.whole, &other.seen.whole);
    if ours.len() < theirs.len() {
        return Some("the proxy refuses".into());
    }
    if ours.len() > theirs.len() {
        return Some("it refuses".into());
    }
    let changed = ours.iter().zip(theirs).find_map(|(one, other)| differs(&plain(one), &plain(other)));
    if let Some(changed) = changed {
        return Some(format!("another {changed}"));
    }
    let good = |outcome: &Outcome| outcome.got.answers.iter().filter(|answer| answer.status == 200).count();
    (good(proxy) != good(other)).then(|| "other answers".into())
}

#[derive(Default)]
struct Findings {
    wrong: Vec<String>,
    used: BTreeSet<usize>,
    /// With how often, and one of them.
    unexplained: BTreeMap<String, (usize, String)>,
}

impl Findings {
    fn explain(&mut self, table: &[Explained], classes: &[&str], who: Who, what: &str, shown: &str) {
        let fits = |line: &Explained| line.other == who && line.what == what && classes.contains(&line.class);
        match table.iter().position(fits) {
            Some(at) => drop(self.used.insert(at)),
            None => {
                let classes: BTreeSet<&&str> = classes.iter().collect();
                let key = format!("{who:?}: {what}; {classes:?}");
                self.unexplained.entry(key).or_insert((0, shown.to_owned())).0 += 1;
            }
        }
    }

    fn finish(&self, table: &[Explained], nginx: bool) {
        let stale: Vec<String> = table
            .iter()
            .enumerate()
            .filter(|(at, line)| !self.used.contains(at) && !line.is_a_matter_of_time())
            .filter(|(_, line)| nginx || line.other != Who::Nginx)
            .map(|(_, line)| {
                format!("{:?}: {}; {} ({}: {})", line.other, line.what, line.class, line.section, line.why)
            })
            .collect();
        let show = |list: &[String]| list.iter().take(200).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.wrong.is_empty(), "{} wrong:\n{}", self.wrong.len(), show(&self.wrong));
        let unexplained: Vec<String> =
            self.unexplained.iter().map(|(key, (count, one))| format!("{count}: {key}: {one}")).collect();
        assert!(unexplained.is_empty(), "{} unexplained:\n{}", unexplained.len(), show(&unexplained));
        assert!(stale.is_empty(), "differences that are no more:\n{}", show(&stale));
    }
}

fn shown(bytes: &[u8]) -> String {
    let text: String =
        bytes.iter().take(300).flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect();
    format!("{text} ({} bytes)", bytes.len())
}

/// Goes through the cases, several at once, each with contenders of its own: most of the time somebody waits for bytes
/// that do not come.
fn go<T: Sync>(
    cases: &[T],
    table: &[Explained],
    case: impl Fn(&[Contender], usize, &T, &Mutex<Findings>) + Sync,
) {
    let findings = Mutex::new(Findings::default());
    let next = AtomicUsize::new(0);
    let nginx = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let contenders = contenders::all();
                nginx.store(contenders.len() > 2, Relaxed);
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    let Some(this) = cases.get(number) else { return };
                    case(&contenders, number, this, &findings);
                }
            });
        }
    });
    findings.into_inner().unwrap().finish(table, nginx.into_inner());
}

#[test]
fn requests() {
    let generated = (0..GENERATED).map(generate::case);
    let cases: Vec<Case> = cases::requests().into_iter().chain(generated).collect();
    go(&cases, explained::REQUESTS, |contenders, number, case, findings| {
        let meaning = oracle::meaning(&case.bytes);
        // Some in one piece, some torn: where a read ends must not matter.
        let pieces =
            if case.bytes.len() < 2000 && number % 3 == 2 { 1 + number % 7 } else { case.bytes.len() };
        let mut classes = case.classes.clone();
        classes.extend(meaning.requests.iter().flat_map(|request| request.lenient.clone()));
        classes.extend(meaning.invalid);
        classes.extend(meaning.partial.then_some("cut off"));
        classes.extend(
            meaning.requests.iter().any(|request| !request.trailers.is_empty()).then_some("trailers"),
        );
        classes.extend(meaning.requests.iter().any(names_fields).then_some("named in Connection"));
        classes.extend(meaning.requests.iter().any(odd_method).then_some("odd method"));
        classes.extend(meaning.requests.iter().any(odd_escape).then_some("odd escape"));
        classes.extend(meaning.requests.iter().any(odd_name).then_some("another name"));
        let empty = |request: &Request| request.host.as_ref().is_some_and(Vec::is_empty);
        classes.extend(meaning.requests.iter().any(empty).then_some("empty host"));
        let proxy = send(&contenders[0], case, &meaning, pieces);
        if let Err(why) = judge(&meaning, &proxy) {
            let shows = shown(&case.bytes);
            findings.lock().unwrap().wrong.push(format!("{why}; {classes:?}, by {pieces}: {shows}"));
        }
        for contender in &contenders[1..] {
            let other = send(contender, case, &meaning, pieces);
            if let Some(what) = difference(&proxy, &other) {
                let shows = shown(&case.bytes);
                findings.lock().unwrap().explain(explained::REQUESTS, &classes, contender.who, &what, &shows);
            }
        }
    });
}

/// A token, but none that anybody has registered.
fn odd_method(request: &Request) -> bool {
    !request.method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

/// A `%` that begins no escape.
fn odd_escape(request: &Request) -> bool {
    let hex = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    request.target.split('%').skip(1).any(|part| !hex(part))
}

/// A token, but with more than letters, digits and `-`.
fn odd_name(request: &Request) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    request.fields.iter().any(|(name, _)| !name.bytes().all(plain))
}

fn names_fields(request: &Request) -> bool {
    let known = ["keep-alive", "close", "te", "upgrade", ""];
    oracle::tokens(&request.fields, "connection")
        .iter()
        .any(|t| !known.contains(&t.to_ascii_lowercase().as_str()))
}

/// What a client made of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    /// Status, fields and body.
    Whole(u16, Fields, Vec<u8>),
    /// It saw that the answer broke off.
    Cut,
    /// It was told that there is none.
    Refused,
}

const AFTER: &str = "GET /b HTTP/1.1\r\nhost: h\r\n\r\n";
const AFTER_NAME: &str = "GET /b cbf29ce484222325";

/// The client's view of the answer, or what is wrong with what followed it.
fn ask(contender: &Contender, case: &answers::Case) -> (View, Result<(), String>) {
    contender.recorder.state().script = Some(Script { bytes: case.bytes.clone(), end: case.end });
    let first = format!("{} /a HTTP/1.1\r\nhost: h\r\n\r\n{AFTER}", case.method);
    let got = client::exchange(
        contender.address,
        first.as_bytes(),
        first.len(),
        2,
        &[case.method == "HEAD", false],
    );
    // And what the next client gets, over whatever connection is left.
    let next = client::exchange(contender.address, AFTER.as_bytes(), AFTER.len(), 1, &[false]);
    settle(contender);
    contender.recorder.take();
    let is_after = |answer: &oracle::Answer| answer.status == 200 && answer.body == AFTER_NAME.as_bytes();
    let check = || {
        if got.answers.get(1).is_some_and(|answer| !is_after(answer)) {
            return Err("the same client's next answer is another's".to_owned());
        }
        if got.answers.len() > 2 {
            return Err("an answer to nothing".into());
        }
        match &next.answers[..] {
            [answer] if is_after(answer) && next.broken.is_none() => {}
            _ => return Err(format!("the next client got {next:?}")),
        }
        if got.hangs || next.hangs {
            return Err("the connection hangs".into());
        }
        Ok(())
    };
    let view = match got.answers.first() {
        Some(answer) if own(answer) => View::Refused,
        Some(answer) => {
            let mut fields = answer.fields.clone();
            fields
                .retain(|(name, _)| !WRITTEN.contains(&name.as_str()) && name != "date" && name != "server");
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            View::Whole(answer.status, fields, answer.body.clone())
        }
        None if got.broken.is_some() => View::Cut,
        None => View::Refused,
    };
    (view, check())
}

/// A forwarder's own words.
fn own(answer: &oracle::Answer) -> bool {
    (500..505).contains(&answer.status)
}

/// What the service's bytes are.
fn told(case: &answers::Case) -> (View, Vec<&'static str>) {
    let mut bytes = &case.bytes[..];
    let mut interim = 0;
    loop {
        match oracle::answer(bytes, case.method == "HEAD", case.end == recorder::End::Close) {
            Parse::Whole(answer, used) if answer.status < 200 && answer.status != 101 => {
                bytes = &bytes[used..];
                interim += 1;
            }
            Parse::Whole(mut answer, _) => {
                if interim > 100 {
                    answer.lenient.push("many interim");
                }
                let mut fields = answer.fields.clone();
                let named = oracle::tokens(&answer.fields, "connection");
                fields.retain(|(name, _)| {
                    !WRITTEN.contains(&name.as_str()) && !named.iter().any(|n| n.eq_ignore_ascii_case(name))
                });
                fields.sort_by(|(one, _), (other, _)| one.cmp(other));
                return (View::Whole(answer.status, fields, answer.body), answer.lenient);
            }
            Parse::Partial => return (View::Cut, vec!["cut off"]),
            Parse::Invalid(why) => return (View::Refused, vec![why]),
        }
    }
}

#[test]
fn answers() {
    go(&answers::answers(), explained::ANSWERS, |contenders, _, case, findings| {
        let (told, mut classes) = told(case);
        let lenient = !classes.is_empty();
        classes.push(case.class);
        let (proxy, after) = ask(&contenders[0], case);
        let shows = shown(&case.bytes);
        let wrong = |why: String| findings.lock().unwrap().wrong.push(format!("{why}; {classes:?}: {shows}"));
        if let Err(why) = after {
            wrong(why);
        }
        let fits = match (&told, &proxy) {
            // What must not be seen as whole is not.
            (View::Cut | View::Refused, view) => !matches!(view, View::Whole(..)),
            // 101 was not asked for.
            (View::Whole(101, ..), view) => *view == View::Refused,
            (View::Whole(..), View::Refused | View::Cut) => lenient,
            (told, view) => told == view,
        };
        if !fits {
            wrong(format!("the client saw {proxy:?} and not {told:?}"));
        }
        for contender in &contenders[1..] {
            let (other, after) = ask(contender, case);
            let what = match (&proxy, &other, after) {
                (.., Err(_)) => "what follows is another's".to_owned(),
                (one, other, _) if one == other => continue,
                (View::Whole(..), View::Whole(..), _) => "another answer".to_owned(),
                (View::Whole(..), View::Refused, _) => "it refuses".to_owned(),
                (View::Refused, View::Whole(..), _) => "the proxy refuses".to_owned(),
                (one, other, _) => format!("{} for {}", word(other), word(one)),
            };
            findings.lock().unwrap().explain(explained::ANSWERS, &classes, contender.who, &what, &shows);
        }
    });
}

fn word(view: &View) -> &'static str {
    match view {
        View::Whole(..) => "whole",
        View::Cut => "cut",
        View::Refused => "refused",
    }
}
