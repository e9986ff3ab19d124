//! What is true: tasks, sidecars, instances; time passes here.

use super::names::Names;
use crate::observed::{Fleet, Group, Instance, Member, Resources, Task, TaskStatus};
use crate::testing::{at, secs};
use crate::{intent::since, naming};
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Activity, PeerHealth, Role, SidecarState};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An instance takes this long to join.
const BOOT: i64 = 20;
const SIZE: Resources = Resources { cpu: 2048, memory: 4096 };

/// A task in truth, with the sidecar in it.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub task: Task,
    /// Since when it has its status.
    pub since: Timestamp,
    /// The controller told it to drain.
    pub drain: bool,
    pub requests: u64,
    /// When each open request will end.
    pub open: Vec<Timestamp>,
    pub last_use: Timestamp,
}

impl Life {
    pub fn lives(&self) -> bool {
        self.task.status != TaskStatus::Stopped
    }
}

/// An instance in truth.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub joins_at: Timestamp,
    pub draining_since: Option<Timestamp>,
    pub leaves_at: Option<Timestamp>,
    pub protected: bool,
}

/// What is true.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub now: Timestamp,
    pub lives: BTreeMap<String, Life>,
    pub tokens: BTreeMap<String, String>,
    pub machines: BTreeMap<String, Machine>,
    pub desired: u32,
    pub max: u32,
    pub names: Names,
    /// Definitions that can be run, by ARN.
    pub definitions: BTreeMap<String, bool>,
    /// How often the cloud was changed.
    pub mutations: u64,
    pub made: u32,
    /// A row was lost: until its tasks are seen, nobody knows of them.
    pub lost_rows: bool,
}

impl Cloud {
    pub fn new() -> Cloud {
        let mut cloud = Cloud {
            now: at(0),
            lives: BTreeMap::new(),
            tokens: BTreeMap::new(),
            machines: BTreeMap::new(),
            desired: 0,
            max: 3,
            names: Names::new(),
            definitions: BTreeMap::new(),
            mutations: 0,
            made: 0,
            lost_rows: false,
        };
        // Somebody else's task, in the same cluster.
        cloud.insert("task/foreign".into(), None, "services", None);
        cloud
    }

    pub(super) fn insert(
        &mut self,
        arn: String,
        identity: Option<Identity>,
        cluster: &str,
        on: Option<String>,
    ) {
        let role = identity.as_ref().map(|identity| identity.role);
        let n = self.made;
        let task = Task {
            private_address: Some(format!("10.0.{}.{}", n / 250, n % 250)),
            public_address: (role == Some(Role::Proxy)).then(|| format!("198.51.{}.{}", n / 250, n % 250)),
            container_instance: on,
            ..Task::made(&arn, cluster, identity)
        };
        let (now, last_use) = (self.now, self.now);
        let life = Life { task, since: now, drain: false, requests: 0, open: Vec::new(), last_use };
        self.lives.insert(arn, life);
    }

    /// The living tasks of a service's role.
    pub fn living(&self, service: &str, role: Role) -> Vec<&Life> {
        let of = |life: &&Life| {
            life.lives()
                && life.task.identity.as_ref().is_some_and(|own| own.service == service && own.role == role)
        };
        self.lives.values().filter(of).collect()
    }

    fn partner(&self, identity: &Identity) -> Option<&Life> {
        let other = Identity { role: identity.role.peer(), ..identity.clone() };
        self.lives.values().find(|life| life.task.identity.as_ref() == Some(&other))
    }

    /// How far a task's sidecar is; `None` while there is none that could say so.
    pub fn sidecar(&self, life: &Life) -> Option<SidecarState> {
        let identity = life.task.identity.as_ref()?;
        if life.task.status != TaskStatus::Running {
            return None;
        }
        let up = since(self.now, life.since) >= secs(2);
        let serves = match identity.role {
            Role::Service => up,
            Role::Proxy => {
                up && self
                    .partner(identity)
                    .is_some_and(|other| self.sidecar(other) == Some(SidecarState::Serving))
            }
        };
        Some(match (life.drain || life.task.stopping, serves) {
            (true, _) => SidecarState::Draining,
            (false, true) => SidecarState::Serving,
            (false, false) => SidecarState::Starting,
        })
    }

    pub fn activity(&self, life: &Life) -> Activity {
        let idle = if life.open.is_empty() { since(self.now, life.last_use) } else { secs(0) };
        Activity {
            in_flight: life.open.len() as u64,
            requests: life.requests,
            idle_for_ms: idle.as_millis() as u64,
            ..Activity::default()
        }
    }

    pub fn peer(&self, life: &Life) -> Option<PeerHealth> {
        let other = self.partner(life.task.identity.as_ref()?)?;
        let healthy = other.task.status == TaskStatus::Running;
        Some(PeerHealth { healthy, ever_healthy: healthy, failures: 0 })
    }

    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now = self.now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
            self.second();
        }
    }

    fn second(&mut self) {
        let now = self.now;
        let mut orphaned = Vec::new();
        for (arn, life) in &mut self.lives {
            life.open.retain(|end| *end > now);
            let age = since(now, life.since);
            let next = match life.task.status {
                _ if life.task.stopping && life.task.status < TaskStatus::Stopping => {
                    Some(TaskStatus::Stopping)
                }
                TaskStatus::Provisioning if age >= secs(3) => Some(TaskStatus::Pending),
                TaskStatus::Pending if age >= secs(3) => Some(TaskStatus::Running),
                TaskStatus::Stopping if age >= secs(4) => Some(TaskStatus::Stopped),
                _ => None,
            };
            if let Some(next) = next {
                (life.task.status, life.since) = (next, now);
            }
            if life.task.status == TaskStatus::Running && age >= secs(15) {
                orphaned.extend(life.task.identity.clone().map(|identity| (arn.clone(), identity)));
            }
        }
        // A sidecar that has lost its peer ends.
        for (arn, identity) in orphaned {
            let lost = self
                .partner(&identity)
                .is_some_and(|other| !other.lives() && since(now, other.since) >= secs(10));
            if lost {
                self.exit(&arn, 10);
            }
        }
        self.machines(now);
    }

    fn machines(&mut self, now: Timestamp) {
        let gone: Vec<String> = self
            .machines
            .iter()
            .filter(|(_, machine)| machine.leaves_at.is_some_and(|at| at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.machines.remove(&id);
        }
        while self.staying() < self.desired {
            self.made += 1;
            let joins_at = now.checked_add(jiff::SignedDuration::from_secs(BOOT)).unwrap();
            let machine = Machine { joins_at, draining_since: None, leaves_at: None, protected: false };
            self.machines.insert(format!("i-{}", self.made), machine);
        }
    }

    fn staying(&self) -> u32 {
        self.machines.values().filter(|machine| machine.leaves_at.is_none()).count() as u32
    }

    /// A task's essential container ends by itself.
    pub fn exit(&mut self, arn: &str, code: i32) {
        let now = self.now;
        let Some(life) = self.lives.get_mut(arn).filter(|life| life.lives()) else { return };
        life.task.status = TaskStatus::Stopped;
        life.since = now;
        life.task.stop_code = Some("EssentialContainerExited".into());
        life.task.stopped_reason = Some("Essential container in task exited".into());
        life.task.exit_codes = [(naming::SIDECAR_CONTAINER.to_owned(), code)].into();
    }

    pub(super) fn on(&self, id: &str) -> Vec<&Life> {
        let arn = machine_arn(id);
        self.lives
            .values()
            .filter(|life| life.lives() && life.task.container_instance.as_ref() == Some(&arn))
            .collect()
    }

    pub fn fleet(&self) -> Fleet {
        let joined = self.machines.iter().filter(|(_, machine)| machine.joins_at <= self.now);
        let instances = joined.map(|(id, machine)| {
            let on = self.on(id);
            let counted = on
                .iter()
                .filter(|life| matches!(life.task.status, TaskStatus::Pending | TaskStatus::Running));
            let taken = on.len() as u32;
            Instance {
                architecture: None,
                arn: machine_arn(id),
                ec2_id: id.clone(),
                active: machine.draining_since.is_none(),
                status: if machine.draining_since.is_none() { "ACTIVE" } else { "DRAINING" }.into(),
                connected: true,
                registered: SIZE,
                remaining: SIZE.minus(Resources { cpu: 288 * taken, memory: 544 * taken }),
                tasks: counted.count() as u32,
            }
        });
        let members = self.machines.iter().map(|(id, machine)| Member {
            ec2_id: id.clone(),
            lifecycle: if machine.leaves_at.is_some() { "Terminating" } else { "InService" }.into(),
            protected: machine.protected,
        });
        Fleet {
            instances: instances.collect(),
            group: Group { min: 0, max: self.max, desired: self.desired, members: members.collect() },
            launch_failure: None,
            launches: None,
        }
    }
}

pub(super) fn machine_arn(id: &str) -> String {
    format!("instance/{id}")
}
