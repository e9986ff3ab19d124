//! What is true of tasks and names.

use crate::part::{Part, Print, Printer};
use crate::world::NAME;
use dormouse_core::dns::{Change, Zone};
use dormouse_core::intent::{later, since};
use dormouse_core::lifecycle::Step;
use dormouse_core::naming;
use dormouse_core::observed::{Beat, RecordSet, Task, TaskStatus};
use dormouse_core::settings::Settings;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Activity, PeerHealth, Role, SidecarState};
use dormouse_state::RunParameters;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A change is on every name server by then.
const INSYNC_WITHIN: Duration = Duration::from_secs(60);

/// A task, and the sidecar in it.
#[derive(Debug, Clone)]
pub struct Life {
    pub task: Task,
    /// Its proxy was told to drain.
    pub drains: bool,
    pub requests: u64,
    pub open: u64,
    pub used_at: Timestamp,
}

impl Life {
    pub fn lives(&self) -> bool {
        self.task.status != TaskStatus::Stopped
    }

    pub fn runs(&self) -> bool {
        self.task.status == TaskStatus::Running
    }
}

/// What is true.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Tasks that have just been made are listed, and described.
    pub shows_at_once: bool,
    pub lives: BTreeMap<String, Life>,
    /// Client token → task.
    pub tokens: BTreeMap<String, String>,
    pub zone: Part<Zone>,
    /// Sets that we made.
    pub ours: BTreeSet<RecordSet>,
    /// When each accepted change was made, and when it had reached every name server.
    pub changes: Vec<(Timestamp, Option<Timestamp>)>,
    /// Address → the change that took its record out.
    pub gone: BTreeMap<String, usize>,
}

impl Print for Cloud {
    fn print(&self, to: &mut Printer) {
        for (arn, life) in &self.lives {
            to.hash((arn, life.task.status, life.task.stopping, life.drains));
            to.hash((life.requests, life.open, life.used_at));
        }
        to.part(&self.zone);
        to.hash((self.shows_at_once, &self.tokens, &self.changes, &self.gone));
    }
}

impl Cloud {
    /// RunTask: the task of its client token.
    pub fn run(
        &mut self,
        settings: &Settings,
        identity: &Identity,
        parameters: &RunParameters,
        now: Timestamp,
    ) -> Task {
        let token = naming::client_token(&settings.install, identity, &parameters.incarnation);
        let arn = self.tokens.entry(token).or_insert_with(|| format!("task/{identity}")).clone();
        let life = self.lives.entry(arn.clone()).or_insert_with(|| Life {
            task: task(&arn, Some(identity.clone()), &parameters.cluster),
            drains: false,
            requests: 0,
            open: 0,
            used_at: now,
        });
        life.task.clone()
    }

    /// StopTask.
    pub fn stop(&mut self, arn: &str) {
        if let Some(life) = self.lives.get_mut(arn).filter(|life| life.lives()) {
            life.task.stopping = true;
            life.task.status = TaskStatus::Stopping;
        }
    }

    /// A task is over.
    pub fn end(&mut self, arn: &str) {
        if let Some(life) = self.lives.get_mut(arn) {
            life.task.status = TaskStatus::Stopped;
            life.open = 0;
        }
    }

    /// What a listing and a describe of everything in it show.
    pub fn listed(&self) -> BTreeMap<String, Task> {
        let shown = |life: &&Life| self.shows_at_once || life.task.status > TaskStatus::Provisioning;
        self.lives.values().filter(shown).map(|life| (life.task.arn.clone(), life.task.clone())).collect()
    }

    pub fn of(&self, identity: &Identity) -> Option<&Life> {
        self.lives.values().find(|life| life.task.identity.as_ref() == Some(identity))
    }

    /// How far a running task's sidecar is.
    pub fn sidecar(&self, life: &Life) -> Option<SidecarState> {
        let identity = life.task.identity.as_ref().filter(|own| own.service == NAME && life.runs())?;
        let other = self.of(&Identity { role: identity.role.peer(), ..identity.clone() });
        Some(match identity.role {
            _ if life.drains => SidecarState::Draining,
            Role::Proxy if other.is_none_or(|other| !other.runs()) => SidecarState::Starting,
            _ => SidecarState::Serving,
        })
    }

    /// What a running task's sidecar reports.
    pub fn beat(&self, life: &Life, now: Timestamp) -> Option<Beat> {
        let state = self.sidecar(life)?;
        let idle = if life.open > 0 { Duration::ZERO } else { since(now, life.used_at) };
        let proxy = life.task.identity.as_ref()?.role == Role::Proxy;
        Some(Beat {
            peer: Some(PeerHealth { healthy: true, ever_healthy: true, failures: 0 }),
            activity: proxy.then(|| Activity {
                in_flight: life.open,
                requests: life.requests,
                idle_for_ms: u64::try_from(idle.as_millis()).unwrap(),
                ..Activity::default()
            }),
            ..Beat::new(now, state)
        })
    }

    /// Applies a batch whole, or not at all.
    pub fn change(&mut self, changes: &[Change], now: Timestamp) -> Option<String> {
        let mut zone = (*self.zone).clone();
        for change in changes {
            let standing = zone.get(&change.set().name, &change.set().kind);
            let fits = match change {
                Change::Create(_) => standing.is_empty(),
                Change::Delete(set) => standing == std::slice::from_ref(set),
            };
            if !fits {
                return None;
            }
            zone.apply(change);
        }
        self.zone = Part::new(zone);
        for change in changes {
            match change {
                Change::Create(set) => {
                    self.ours.insert(set.clone());
                    self.gone.retain(|address, _| !set.values.contains(address));
                }
                Change::Delete(set) => {
                    self.ours.remove(set);
                    let number = self.changes.len();
                    self.gone.extend(set.values.iter().map(|value| (value.clone(), number)));
                }
            }
        }
        self.changes.push((now, None));
        Some(format!("C{}", self.changes.len() - 1))
    }

    pub fn is_insync(&self, id: &str) -> bool {
        let number = id.strip_prefix('C').and_then(|number| number.parse::<usize>().ok());
        number.and_then(|number| self.changes.get(number)).is_some_and(|(_, insync)| insync.is_some())
    }

    /// The oldest change that has not reached every name server has.
    pub fn propagate(&mut self, now: Timestamp) -> bool {
        let next = self.changes.iter_mut().find(|(_, insync)| insync.is_none());
        next.is_some_and(|(_, insync)| insync.replace(now).is_none())
    }

    pub fn pass(&mut self, now: Timestamp) {
        for (made, insync) in &mut self.changes {
            if insync.is_none() && since(now, *made) >= INSYNC_WITHIN {
                *insync = Some(later(*made, INSYNC_WITHIN));
            }
        }
    }

    /// The address in the service's own record.
    pub fn record(&self, settings: &Settings) -> Option<&String> {
        self.zone.get(&naming::record_name(NAME, &settings.domain), "A").first()?.values.first()
    }

    /// Whether somebody may be led to an address, by a name server or out of a resolver's memory.
    pub fn leads_to(&self, settings: &Settings, address: &str, now: Timestamp) -> bool {
        let stands = self.record(settings).is_some_and(|value| value == address);
        let forgotten = |change: &usize| {
            let insync = self.changes.get(*change).and_then(|(_, insync)| *insync);
            insync.is_some_and(|at| now >= later(at, settings.dns_ttl))
        };
        stands || self.gone.get(address).is_some_and(|change| !forgotten(change))
    }

    /// A probe of a proxy through its public address.
    pub fn answers(&self, step: &Step) -> Option<String> {
        let Step::Probe { address } = step else { return None };
        let proxy = self.lives.values().find(|life| life.task.public_address.as_ref() == Some(address))?;
        (self.sidecar(proxy) == Some(SidecarState::Serving)).then(|| address.clone())
    }
}

/// A task that has just been made. Its names follow from whose it is: ways that lead to the same tasks meet.
pub fn task(arn: &str, identity: Option<Identity>, cluster: &str) -> Task {
    let part = identity.as_ref().map_or("0.0".to_owned(), |own| format!("{}.{}", own.epoch, own.attempt));
    let role = identity.as_ref().map(|own| own.role);
    Task {
        private_address: Some(format!("10.{}.{part}", u8::from(role == Some(Role::Service)))),
        public_address: (role == Some(Role::Proxy)).then(|| format!("198.51.{part}")),
        container_instance: (role == Some(Role::Service)).then(|| "instance/a".to_owned()),
        ..Task::made(arn, cluster, identity)
    }
}
