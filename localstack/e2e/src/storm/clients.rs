//! Who ask: bursts of requests and pauses, by names as a browser resolves them.

use super::SERVICES;
use super::acts::Harm;
use crate::dns::Resolver;
use crate::http::{Answer, Request};
use crate::world::{World, host, socket};
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Clients of each service.
const CLIENTS: u64 = 3;
/// Between two requests of a burst.
const PAUSE: Duration = Duration::from_millis(150);
/// How long bursts and the pauses between them last; a service idles after two seconds.
const BURSTS: &[(u64, u64)] = &[(1500, 1000), (3000, 9000), (800, 4500), (5000, 12_000), (1000, 3000)];
/// When a client gives up.
const PATIENCE: Duration = Duration::from_secs(75);
/// Service → how long after one of its tasks was killed its old address may still be found: failures are noticed, the
/// record is taken out, resolvers forget it.
const FOUND_FOR: Duration = Duration::from_secs(15);

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The mark that it carried.
    pub id: String,
    /// Whom it was for.
    pub service: &'static str,
    /// Its method.
    pub method: &'static str,
    /// The address that took it.
    pub to: String,
    /// When it was sent, and when it was over.
    pub during: (Instant, Instant),
    /// How long after the begin it was sent.
    pub at: Duration,
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// What an outcome is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service's answer.
    Answered,
    /// Refused, and told when to come again.
    ComeAgain,
    /// Whoever had it was killed, frozen or replaced meanwhile.
    Killed,
    /// None of these.
    Lost,
}

impl Verdict {
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Answered => "requests: answered by the service",
            Verdict::ComeAgain => "requests: refused with Retry-After",
            Verdict::Killed => "requests: at whom was killed or frozen",
            Verdict::Lost => "requests: lost",
        }
    }
}

impl Outcome {
    /// What it is worth, when this harm was done meanwhile.
    pub fn verdict(&self, harms: &[Harm]) -> Verdict {
        let harmed = || {
            harms.iter().any(|harm| {
                let until = if harm.address.is_some() { harm.until } else { harm.until + FOUND_FOR };
                let met = match &harm.address {
                    Some(address) => *address == self.to || self.to.is_empty(),
                    None => harm.service == self.service,
                };
                met && harm.from <= self.during.1 && self.during.0 <= until
            })
        };
        match &self.answer {
            Ok(answer) if answer.status == 200 => Verdict::Answered,
            Ok(answer) if [503, 504].contains(&answer.status) && answer.header("retry-after").is_some() => {
                Verdict::ComeAgain
            }
            _ if harmed() => Verdict::Killed,
            _ => Verdict::Lost,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.during.1 - self.during.0;
        write!(f, "{} {} of {} at {:.1?}", self.method, self.id, self.service, self.at)?;
        write!(f, ", to {:?}, after {took:.1?}: ", self.to)?;
        match &self.answer {
            Ok(answer) => write!(f, "{answer}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Outcome>>>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

impl Clients {
    /// Starts them.
    pub fn start(world: &World) -> Clients {
        let stop = Arc::new(AtomicBool::new(false));
        let begin = Instant::now();
        let threads = SERVICES
            .into_iter()
            .flat_map(|service| (0..CLIENTS).map(move |number| (service, number)))
            .enumerate()
            .map(|(place, (service, number))| {
                let (mut resolver, stop) = (world.resolver(), Arc::clone(&stop));
                let method = if number % 2 == 0 { "GET" } else { "POST" };
                thread::spawn(move || {
                    let mut outcomes = Vec::new();
                    for (burst, pause) in BURSTS.iter().cycle().skip(place) {
                        let until = Instant::now() + Duration::from_millis(*burst);
                        while Instant::now() < until && !stop.load(Ordering::SeqCst) {
                            outcomes.push(ask(&mut resolver, service, method, begin));
                            sleep(PAUSE);
                        }
                        let until = Instant::now() + Duration::from_millis(*pause);
                        while Instant::now() < until && !stop.load(Ordering::SeqCst) {
                            sleep(PAUSE);
                        }
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                    outcomes
                })
            })
            .collect();
        Clients { stop, threads }
    }

    /// Ends them; every request that was sent has its outcome.
    ///
    /// # Panics
    /// When a client did.
    pub fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    }
}

/// One request, to the first address of the name that takes it.
fn ask(resolver: &mut Resolver, service: &'static str, method: &'static str, begin: Instant) -> Outcome {
    let id = format!("s{}", NUMBERS.fetch_add(1, Ordering::SeqCst));
    let request = Request::new(method, &host(service), &format!("/?id={id}")).patience(PATIENCE);
    let request = if method == "POST" { request.body("something to be done once") } else { request };
    let (at, sent) = (begin.elapsed(), Instant::now());
    let (mut to, mut answer) = (String::new(), Err("it does not resolve".to_owned()));
    match resolver.addresses(&host(service)) {
        Ok(addresses) => {
            for address in addresses {
                to.clone_from(&address);
                let outcome = request.send(socket(&address));
                let refused =
                    outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
                answer = outcome.map_err(|error| error.to_string());
                if !refused {
                    break;
                }
            }
        }
        Err(error) => answer = Err(error),
    }
    Outcome { id, service, method, to, during: (sent, Instant::now()), at, answer }
}
