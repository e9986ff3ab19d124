//! Many clients at once: each sends one request after the other and counts exactly one outcome for each.

use crate::http::{Answer, Request};
use crate::world::{World, host, socket};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The mark that it carried.
    pub id: String,
    /// Its method.
    pub method: &'static str,
    /// How long after the start it was sent.
    pub sent: Duration,
    /// Where to.
    pub to: String,
    /// How long the answer took.
    pub took: Duration,
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    quiet: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Outcome>>>,
    /// How many answers have come so far.
    answered: Arc<AtomicU64>,
}

/// Between two looks of a client that is to be quiet.
const LOOK: Duration = Duration::from_millis(20);

static NUMBERS: AtomicU64 = AtomicU64::new(1);

impl Load {
    /// Starts so many clients of a service, each with a resolver of its own and a pause between its requests.
    /// Every other one posts.
    pub fn start(world: &World, service: &str, clients: usize, pause: Duration) -> Load {
        let (stop, quiet) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let answered = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let clients = (0..clients)
            .map(|number| {
                let (mut resolver, service) = (world.resolver(), service.to_owned());
                let (stop, quiet) = (Arc::clone(&stop), Arc::clone(&quiet));
                let answered = Arc::clone(&answered);
                let method = if number % 2 == 0 { "GET" } else { "POST" };
                thread::spawn(move || {
                    let mut outcomes = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        if quiet.load(Ordering::SeqCst) {
                            sleep(LOOK);
                            continue;
                        }
                        let sent = begin.elapsed();
                        let to = resolver.resolve(&host(&service));
                        outcomes.push(one(&service, method, sent, to));
                        answered.fetch_add(1, Ordering::SeqCst);
                        sleep(pause);
                    }
                    outcomes
                })
            })
            .collect();
        Load { stop, quiet, clients, answered }
    }

    /// Whether clients send nothing new for now.
    pub fn quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::SeqCst);
    }

    /// How many requests have an outcome.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Ends it; every request that was sent has its outcome.
    ///
    /// # Panics
    /// When a client did.
    pub fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    }
}

/// Sends so many requests at the same moment, to wherever the name leads, and waits for all outcomes.
///
/// # Panics
/// When a client did.
pub fn at_once(world: &World, service: &str, count: usize) -> Vec<Outcome> {
    let to = world.resolver().resolve(&host(service));
    let gate = Arc::new(std::sync::Barrier::new(count));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let clients: Vec<_> = (0..count)
        .map(|_| {
            let (gate, outcomes, service, to) =
                (Arc::clone(&gate), Arc::clone(&outcomes), service.to_owned(), to.clone());
            thread::spawn(move || {
                gate.wait();
                let outcome = one(&service, "GET", Duration::ZERO, to);
                outcomes.lock().expect("no client panics").push(outcome);
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client");
    }
    let outcomes = outcomes.lock().expect("no client panics");
    outcomes.clone()
}

fn one(service: &str, method: &'static str, sent: Duration, to: Result<String, String>) -> Outcome {
    let id = format!("r{}", NUMBERS.fetch_add(1, Ordering::SeqCst));
    let start = Instant::now();
    let request = Request::new(method, &host(service), &format!("/?id={id}"));
    let request = if method == "POST" { request.body("something to be done once") } else { request };
    let answer = to.clone().and_then(|to| request.send(socket(&to)).map_err(|error| error.to_string()));
    Outcome { id, method, sent, to: to.unwrap_or_else(|error| error), took: start.elapsed(), answer }
}

/// How many of each kind there were, for messages.
pub fn summary(outcomes: &[Outcome]) -> String {
    let mut kinds: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        let kind = match &outcome.answer {
            Ok(answer) if answer.status == 200 => "200".to_owned(),
            Ok(answer) => answer.to_string().chars().take(300).collect(),
            Err(error) => error.clone(),
        };
        kinds.entry(kind).or_default().push(outcome);
    }
    kinds.into_iter().fold(String::new(), |mut text, (kind, outcomes)| {
        let slowest = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
        let first = outcomes
            .first()
            .map(|outcome| format!("{} {} at {:?}", outcome.method, outcome.to, outcome.sent));
        let first = first.unwrap_or_default();
        let _ = write!(text, "\n  {} × {kind} (slowest {slowest:?}, first {first})", outcomes.len());
        text
    })
}

/// Asserts that every request was answered by the service, and that none was done twice.
///
/// # Panics
/// When not.
#[track_caller]
pub fn all_answered(world: &World, service: &str, outcomes: &[Outcome]) {
    let fine = |outcome: &&Outcome| outcome.answer.as_ref().is_ok_and(|answer| answer.status == 200);
    assert_eq!(
        outcomes.iter().filter(fine).count(),
        outcomes.len(),
        "of {}:{}",
        outcomes.len(),
        summary(outcomes)
    );
    none_twice(world, service, outcomes);
}

/// Asserts that no request that may not be repeated reached the service twice.
///
/// # Panics
/// When one did.
#[track_caller]
pub fn none_twice(world: &World, service: &str, outcomes: &[Outcome]) {
    let printed = world.printed(service);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for id in printed.lines().filter_map(|line| line.strip_prefix("request ")) {
        *seen.entry(id).or_default() += 1;
    }
    for outcome in outcomes {
        let times = seen.get(outcome.id.as_str()).copied().unwrap_or_default();
        let most = if outcome.method == "POST" { 1 } else { 2 };
        assert!(times <= most, "{} {} reached the service {times} times", outcome.method, outcome.id);
        let answered = outcome.answer.as_ref().is_ok_and(|answer| answer.status == 200);
        assert!(!answered || times > 0, "{} was answered, but not by the service", outcome.id);
    }
}
