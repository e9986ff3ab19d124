//! What is done to whom: one thing after the other, some seconds apart.

use super::{SERVICES, manifest};
use crate::api::Api;
use crate::controller::Controller;
use crate::faults::{self, Fault};
use crate::tasks::{self, Role};
use crate::world::World;
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two acts, in milliseconds.
const BETWEEN: (u64, u64) = (700, 5000);
/// How long calls go wrong at a time.
const FAULTY_FOR: (u64, u64) = (2000, 8000);
/// A lease is 3 s: most freezes are shorter, some longer.
const FROZEN_FOR: (u64, u64) = (300, 9000);

/// Between two looks at who is due.
const LOOK: Duration = Duration::from_millis(50);

/// Why some requests may have no answer.
#[derive(Debug, Clone)]
pub struct Harm {
    /// Since when.
    pub from: Instant,
    /// Until when.
    pub until: Instant,
    /// The address of whom it was done to; `None`: to a service's pair.
    pub address: Option<String>,
    /// That service.
    pub service: &'static str,
}

/// Where one of the controllers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// Back at that moment.
    Down(Instant),
    Frozen(Instant),
}

/// The storm's acts.
#[derive(Debug)]
pub struct Acts<'a> {
    world: &'a World,
    controllers: Vec<Controller>,
    states: Vec<State>,
    random: u64,
    begin: Instant,
    /// When calls are to go right again.
    clear_at: Option<Instant>,
    versions: u64,
    harms: Vec<Harm>,
    counts: BTreeMap<String, usize>,
}

impl<'a> Acts<'a> {
    /// Before the first.
    pub fn new(world: &'a World, controllers: Vec<Controller>, seed: u64, begin: Instant) -> Acts<'a> {
        let states = vec![State::Up; controllers.len()];
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Acts {
            world,
            controllers,
            states,
            random,
            begin,
            clear_at: None,
            versions: 0,
            harms: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn span(&mut self, (from, to): (u64, u64)) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    fn tell(&mut self, kind: &str, what: &str) {
        println!("{:7.1} s  {kind}: {what}", self.begin.elapsed().as_secs_f64());
        *self.counts.entry(format!("acts: {kind}")).or_default() += 1;
    }

    /// The next act, and the time until the one after it.
    pub fn next(&mut self) {
        match self.below(10) {
            0 | 1 => self.kill(),
            2 => self.replace(),
            3 | 4 => self.freeze(),
            5 | 6 => self.calls_fail(),
            7 => self.kill_half(),
            8 => self.operate(),
            _ => self.change(),
        }
        let until = Instant::now() + self.span(BETWEEN);
        while Instant::now() < until {
            self.look_after();
            sleep(LOOK);
        }
    }

    /// Everybody is back; answers the controllers, what harm was done, and how many acts of each kind there were.
    pub fn end(mut self) -> (Vec<Controller>, Vec<Harm>, BTreeMap<String, usize>) {
        // One that was frozen may read only after it is up that it leads no more, and end: hence twice.
        for _ in 0..2 {
            self.look_after();
            while self.states.iter().any(|state| *state != State::Up) {
                self.look_after();
                sleep(LOOK);
            }
            self.controllers.iter().for_each(Controller::is_up);
        }
        (self.controllers, self.harms, self.counts)
    }

    /// Brings back who is due, and starts anew who has ended by itself.
    fn look_after(&mut self) {
        let now = Instant::now();
        if self.clear_at.is_some_and(|at| at <= now) {
            self.clear_at = None;
            faults::clear(&self.world.control);
        }
        for number in 0..self.controllers.len() {
            match self.states[number] {
                State::Down(until) if until <= now => {
                    self.controllers[number].launch_again();
                    self.states[number] = State::Up;
                    // Until it listens, whoever comes is refused.
                    self.harm(number, until, now + Duration::from_secs(5));
                }
                State::Frozen(until) if until <= now => {
                    self.controllers[number].signal(Signal::CONT);
                    self.states[number] = State::Up;
                }
                State::Up if self.controllers[number].has_ended() => {
                    self.tell("ended by itself", &format!("controller {number}"));
                    // What it held has ended with it.
                    self.harm(number, now - Duration::from_secs(1), now + Duration::from_secs(1));
                    self.states[number] = State::Down(now + Duration::from_secs(1));
                }
                _ => {}
            }
        }
    }

    fn harm(&mut self, number: usize, from: Instant, until: Instant) {
        let address = Some(self.controllers[number].address().to_owned());
        self.harms.push(Harm { from, until, address, service: "" });
    }

    /// One that is up, as a rule not the only one.
    fn victim(&mut self) -> Option<usize> {
        let up: Vec<usize> =
            (0..self.states.len()).filter(|number| self.states[*number] == State::Up).collect();
        let spared = up.len() < 2 && self.below(4) > 0;
        if up.is_empty() || spared {
            return None;
        }
        let chosen = self.below(up.len() as u64) as usize;
        Some(up[chosen])
    }

    /// Any service.
    fn service(&mut self) -> &'static str {
        SERVICES[self.below(SERVICES.len() as u64) as usize]
    }

    /// Of the first controller that is up.
    fn api(&self) -> Option<Api> {
        let number = self.states.iter().position(|state| *state == State::Up)?;
        Some(self.controllers[number].api)
    }

    fn kill(&mut self) {
        let Some(number) = self.victim() else { return };
        let back = self.span((0, 6000));
        self.tell("kill -9", &format!("controller {number}, back after {back:.1?}"));
        let now = Instant::now();
        self.controllers[number].kill();
        self.states[number] = State::Down(now + back);
        // Resolvers are given its address until it is taken out of the wildcard.
        self.harm(number, now, now + back);
    }

    fn replace(&mut self) {
        let Some(number) = self.victim() else { return };
        self.tell("replaced", &format!("controller {number}"));
        self.controllers[number].terminate();
        // It answers what it holds; then nobody listens, until it is back.
        let now = Instant::now();
        self.states[number] = State::Down(now);
        self.harm(number, now, now);
    }

    fn freeze(&mut self) {
        let Some(number) = self.victim() else { return };
        let span = self.span(FROZEN_FOR);
        self.tell("frozen", &format!("controller {number}, for {span:.1?}"));
        let now = Instant::now();
        self.controllers[number].signal(Signal::STOP);
        self.states[number] = State::Frozen(now + span);
    }

    fn calls_fail(&mut self) {
        let service = ["ecs.*", "dynamodb.*", "route53.*", "autoscaling.*", "*.*"][self.below(5) as usize];
        let (word, fault) = match self.below(6) {
            0 => ("throttled", Fault::throttle(service)),
            1 => ("not answered", Fault::lose_answer(service)),
            2 => ("applied, and answered 500", Fault::error_after(service)),
            3 => ("refused with 500", Fault::http500(service)),
            4 => ("late", Fault::delay(service, 700)),
            _ => ("of some time ago", Fault::read_lag("ecs.*", 1500)),
        };
        let span = self.span(FAULTY_FOR);
        let often = 0.1 + self.below(6) as f64 / 10.0;
        self.tell("calls go wrong", &format!("{service} {word}, {often:.1} of them, for {span:.1?}"));
        let fault = if word == "of some time ago" { fault } else { fault.for_ever().sometimes(often) };
        fault.install(&self.world.control);
        self.clear_at = Some(Instant::now() + span);
    }

    fn kill_half(&mut self) {
        let service = self.service();
        let (role, container) =
            [(Role::Proxy, "dormouse-proxy"), (Role::Service, "dormouse-service"), (Role::Service, "app")]
                [self.below(3) as usize];
        let Some(task) = tasks::live(&self.world.control, service, role).pop() else { return };
        let path = format!("tasks/{}/signal", task.id());
        let body = json!({"signal": "SIGKILL", "container": container});
        let now = Instant::now();
        if self.world.control.call("POST", &path, Some(&body)).is_ok() {
            self.tell("killed", &format!("{container} of {service}"));
            self.harms.push(Harm { from: now, until: now, address: None, service });
        }
    }

    /// Somebody asks for something; whether that is done, nobody promised.
    fn operate(&mut self) {
        let service = self.service();
        let word = ["wake", "sleep"][self.below(2) as usize];
        let Some(api) = self.api() else { return };
        self.tell("asked for", &format!("{word} of {service}"));
        let path = format!("/v1/services/{service}/{word}");
        let _ = api.send("POST", &path, None, Duration::from_secs(5));
    }

    fn change(&mut self) {
        let service = self.service();
        let Some(api) = self.api() else { return };
        self.versions += 1;
        self.tell("changed", &format!("the manifest of {service}"));
        let path = format!("/v1/services/{service}");
        let document = manifest(service, self.versions);
        let _ = api.send("PUT", &path, Some(document.document()), Duration::from_secs(5));
    }
}
