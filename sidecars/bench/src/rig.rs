//! The loop that is both the clients and the service, on the core that is not the proxy's.
//!
//! One thread and prepared bytes: it takes less time for a request than any proxy, so that the proxy is what
//! is measured.

use crate::client::{Client, News};
use crate::contender::Contender;
use crate::cpu;
use crate::scenario::{Load, Style};
use crate::service::{Answers, Next, Service};
use crate::stats::percentile;
use crate::wire;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
/// Longer than any read is worth.
const SCRATCH: usize = 256 * 1024;
/// How long answers that are still out may take when a measurement is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients, service and the clock.
#[derive(Debug)]
pub struct Rig {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    services: Slab<Service>,
    clients: Slab<Client>,
    answers: Answers,
    pattern: Rc<[u8]>,
    scratch: Box<[u8]>,
    start: Instant,
    tally: Tally,
    /// The proxy that clients connect to.
    to: SocketAddr,
}

/// What happened since the measurement began.
#[derive(Debug, Default)]
struct Tally {
    done: u64,
    /// Bytes of answers that came.
    moved: u64,
    /// Nanoseconds from the time a request was to be sent to the end of its answer.
    waits: Vec<u64>,
    failure: Option<String>,
    /// No request is sent any more.
    stops: bool,
    /// Times of requests that found no free connection.
    late: VecDeque<u64>,
    free: VecDeque<usize>,
}

/// One proxy, measured once.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Answers that were whole within the time.
    pub requests: u64,
    /// Bytes of answers within the time.
    pub bytes: u64,
    /// How long it was.
    pub wall: Duration,
    /// CPU time of the proxy's processes.
    pub cpu: Duration,
    /// The same by the clock ticks.
    pub ticks: Duration,
    /// Share (0 to 1) of the proxies' core that was somebody else's.
    pub foreign: f64,
    /// Half of the requests took no longer, in nanoseconds.
    pub p50: u64,
    /// All but one of a hundred took no longer, in nanoseconds.
    pub p99: u64,
    /// The longest, in nanoseconds.
    pub longest: u64,
}

impl Rig {
    /// With a service at a port of its own.
    pub fn new() -> Rig {
        let poll = Poll::new().expect("epoll");
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("epoll");
        let pattern = wire::pattern();
        Rig {
            poll,
            events: Events::with_capacity(1024),
            listener,
            services: Slab::new(),
            clients: Slab::new(),
            answers: Answers::new(&pattern),
            pattern,
            scratch: vec![0; SCRATCH].into(),
            start: Instant::now(),
            tally: Tally::default(),
            to: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// Port of the service.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("its address").port()
    }

    /// Loads a proxy, and measures it once it is warm.
    ///
    /// # Errors
    /// The first request that failed, and how.
    pub fn measure(
        &mut self,
        contender: &Contender,
        load: &Load,
        core: usize,
        (warm, window): (Duration, Duration),
    ) -> Result<Sample, String> {
        self.tally = Tally::default();
        self.to = contender.address;
        for _ in 0..load.clients {
            self.connect(load)?;
        }
        let sample = self.window(contender, load, core, warm, window);
        self.settle(load);
        self.clients.clear();
        match self.tally.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(sample),
        }
    }

    fn window(
        &mut self,
        contender: &Contender,
        load: &Load,
        core: usize,
        warm: Duration,
        window: Duration,
    ) -> Sample {
        let interval = match load.style {
            Style::Paced(rate) => Some(1_000_000_000 / rate),
            _ => None,
        };
        let mut due = self.now();
        let mut begun = None;
        let mut end = due + nanos(warm);
        loop {
            let now = self.now();
            if now >= end || self.tally.failure.is_some() {
                let seen = (now, contender.tree.used(), cpu::busy(core), self.tally.moved);
                let Some((since, used, busy, moved)) = begun else {
                    begun = Some(seen);
                    end = now + nanos(window);
                    (self.tally.done, self.tally.waits) = (0, Vec::with_capacity(1 << 18));
                    continue;
                };
                let wall = Duration::from_nanos(now - since);
                let cpu = seen.1.since(used);
                let foreign = (seen.2 - busy).saturating_sub(cpu).as_secs_f64() / wall.as_secs_f64();
                let waits = &mut self.tally.waits;
                return Sample {
                    requests: self.tally.done,
                    bytes: seen.3 - moved,
                    wall,
                    cpu,
                    ticks: seen.1.ticks - used.ticks,
                    foreign,
                    p50: percentile(waits, 0.5),
                    p99: percentile(waits, 0.99),
                    longest: percentile(waits, 1.0),
                };
            }
            match interval {
                None => self.turn(load, Some(Duration::from_nanos(end - now))),
                Some(interval) => {
                    while due <= now {
                        self.pace(due, load);
                        due += interval;
                    }
                    // It does not sleep: a timer would be late by more than an answer takes.
                    self.turn(load, Some(Duration::ZERO));
                }
            }
        }
    }

    fn pace(&mut self, due: u64, load: &Load) {
        match self.tally.free.pop_front() {
            Some(key) => self.send(key, due, load),
            None => self.tally.late.push_back(due),
        }
    }

    /// Lets what is out come in.
    fn settle(&mut self, load: &Load) {
        self.tally.stops = true;
        let end = self.start.elapsed() + PATIENCE;
        while self.tally.failure.is_none() && self.clients.iter().any(|(_, client)| client.waits) {
            if self.start.elapsed() > end {
                self.tally.failure = Some(format!("no answer within {PATIENCE:?}"));
            }
            self.turn(load, Some(Duration::from_millis(100)));
        }
    }

    /// Opens so many connections one after another, makes a request on each, and leaves them open.
    ///
    /// # Errors
    /// The first request that failed, and how.
    pub fn hold(&mut self, to: SocketAddr, load: &Load, count: usize) -> Result<(), String> {
        self.tally = Tally { stops: true, ..Tally::default() };
        self.to = to;
        for _ in 0..count {
            let before = self.tally.done;
            self.connect(load)?;
            let end = self.start.elapsed() + PATIENCE;
            while self.tally.done == before {
                if let Some(failure) = self.tally.failure.take() {
                    return Err(failure);
                }
                if self.start.elapsed() > end {
                    return Err(format!("no answer within {PATIENCE:?}"));
                }
                self.turn(load, Some(Duration::from_millis(100)));
            }
        }
        Ok(())
    }

    /// Serves for a while.
    pub fn idle(&mut self, load: &Load, time: Duration) {
        let end = self.start.elapsed() + time;
        while let Some(left) = end.checked_sub(self.start.elapsed()) {
            self.turn(load, Some(left));
        }
    }

    /// Lets all clients go.
    pub fn hang_up(&mut self) {
        self.clients.clear();
    }

    fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    fn connect(&mut self, load: &Load) -> Result<(), String> {
        let mut stream = TcpStream::connect(self.to).map_err(|error| format!("cannot connect: {error}"))?;
        let _ = stream.set_nodelay(true);
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        self.poll
            .registry()
            .register(&mut stream, Token(2 + 2 * key), Interest::READABLE | Interest::WRITABLE)
            .expect("epoll");
        entry.insert(Client::new(stream));
        if matches!(load.style, Style::Paced(_)) {
            self.tally.free.push_back(key);
        } else {
            self.send(key, self.now(), load);
        }
        Ok(())
    }

    fn send(&mut self, key: usize, since: u64, load: &Load) {
        if let Err(failure) = self.clients[key].send(since, load) {
            self.tally.failure.get_or_insert(failure);
        }
    }

    fn turn(&mut self, load: &Load, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Err(error) => panic!("epoll: {error}"),
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token() {
                LISTENER => self.accept(),
                Token(odd) if odd % 2 == 1 => self.service_ready((odd - 1) / 2),
                Token(even) => self.client_ready((even - 2) / 2, load),
            }
        }
        self.events = events;
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let entry = self.services.vacant_entry();
            self.poll
                .registry()
                .register(&mut stream, Token(1 + 2 * entry.key()), Interest::READABLE | Interest::WRITABLE)
                .expect("epoll");
            entry.insert(Service::new(stream));
        }
    }

    fn service_ready(&mut self, key: usize) {
        let Some(service) = self.services.get_mut(key) else { return };
        match service.ready(&mut self.scratch, &self.answers) {
            Ok(Next::Goes) => {}
            Ok(Next::Ends) => drop(self.services.remove(key)),
            Err(failure) => {
                self.tally.failure.get_or_insert(failure);
                self.services.remove(key);
            }
        }
    }

    fn client_ready(&mut self, key: usize, load: &Load) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let news = client.ready(&mut self.scratch, load, &self.pattern);
        let since = client.since;
        self.tally.moved += std::mem::take(&mut client.moved);
        match news {
            Ok(News::Nothing) => {}
            Ok(News::Opened) => {
                if !self.tally.stops {
                    self.send(key, self.now(), load);
                }
            }
            Ok(News::Done) => {
                self.done(since);
                self.again(key, load);
            }
            Ok(News::DoneAndClosed) => {
                self.done(since);
                self.clients.remove(key);
                if !self.tally.stops
                    && let Err(failure) = self.connect(load)
                {
                    self.tally.failure.get_or_insert(failure);
                }
            }
            Err(failure) => {
                self.tally.failure.get_or_insert(failure);
                self.clients.remove(key);
            }
        }
    }

    fn done(&mut self, since: u64) {
        let now = self.now();
        self.tally.done += 1;
        self.tally.waits.push(now.saturating_sub(since));
    }

    fn again(&mut self, key: usize, load: &Load) {
        if self.tally.stops {
            return;
        }
        match load.style {
            Style::Paced(_) => match self.tally.late.pop_front() {
                Some(due) => self.send(key, due, load),
                None => self.tally.free.push_back(key),
            },
            _ => self.send(key, self.now(), load),
        }
    }
}

impl Default for Rig {
    fn default() -> Rig {
        Rig::new()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
