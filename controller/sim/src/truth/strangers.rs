//! Others in the same account: somebody who runs tasks, and a second installation of Dormouse, with instances of another
//! group in our cluster, tasks in both clusters, task definitions, and records and claims in our zones. Nothing of it is
//! ours to change.

use super::definitions::SimDefinition;
use super::fleet::{SIZE, SimMember};
use super::tasks::SimTask;
use super::zone::{SetKey, Which};
use crate::check;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::queue::Event;
use crate::script::Other;
use crate::sim::Sim;
use dormouse_core::dns::Change;
use dormouse_core::naming;
use dormouse_core::observed::{RecordSet, Resources, Task, TaskStatus};
use dormouse_peer::wire::Role;
use std::collections::BTreeMap;

/// What a stranger's task takes.
const SMALL: Resources = Resources { cpu: 128, memory: 128 };
/// What a task of the other installation takes of an instance.
const MIDDLING: Resources = Resources { cpu: 300, memory: 600 };
/// The other group has larger instances, too.
const LARGE: Resources = Resources { cpu: 4096, memory: 7800 };
/// Where the names of the other installation lead.
const ELSEWHERE: &str = "203.0.113.77";

/// What others have in our zones, byte by byte.
#[derive(Debug, Default)]
pub struct Strangers {
    /// In the public zone.
    pub public: BTreeMap<SetKey, RecordSet>,
    /// In the private one.
    pub private: BTreeMap<SetKey, RecordSet>,
}

impl Strangers {
    /// What is theirs in a zone.
    pub fn sets(&self, which: Which) -> &BTreeMap<SetKey, RecordSet> {
        match which {
            Which::Public => &self.public,
            Which::Private => &self.private,
        }
    }

    fn sets_mut(&mut self, which: Which) -> &mut BTreeMap<SetKey, RecordSet> {
        match which {
            Which::Public => &mut self.public,
            Which::Private => &mut self.private,
        }
    }
}

impl Sim {
    /// What the other installation is called: ours, and more.
    pub fn other_install(&self) -> String {
        format!("{}-2", self.settings.install)
    }

    /// The other installation does something.
    pub fn other(&mut self, other: &Other) {
        match *other {
            Other::SetsUp => self.set_up(),
            Other::Instance(span) => {
                let id = self.other_instance();
                self.plan(span, Event::Do(Box::new(move |sim| sim.other_instance_goes(&id))));
            }
            Other::Task(role, span) => {
                if let Some(arn) = self.other_task(role) {
                    self.plan(span, Event::Forget(arn));
                }
            }
            Other::Claims(service, span) => {
                let name = crate::script::name_of(service);
                for which in [Which::Public, Which::Private] {
                    self.claim(which, &name, Some(span));
                }
            }
        }
    }

    /// It is there from now on: a service of it that is awake on an instance of its own, and one whose claim is all that
    /// there is of it in the zones. Its service has the name of one of ours, but for the domain.
    fn set_up(&mut self) {
        self.other_instance();
        let install = self.other_install();
        for (role, size) in [(Role::Proxy, Resources::default()), (Role::Service, MIDDLING)] {
            let family = naming::family(&install, "shop", role);
            let definition = SimDefinition {
                family: family.clone(),
                install: install.clone(),
                hash: String::new(),
                size,
                active: true,
            };
            self.truth.definitions.insert(format!("arn:td/{family}:1"), definition);
        }
        self.other_task(Role::Proxy);
        for which in [Which::Public, Which::Private] {
            self.claim(which, "blog", None);
        }
        self.plan(MINUTE, Event::Do(Box::new(|sim| drop(sim.other_task(Role::Service)))));
    }

    /// An instance of another group joins our cluster. Its id is given.
    fn other_instance(&mut self) -> String {
        let number = self.truth.number();
        let size = if self.rng.chance(500) { SIZE } else { LARGE };
        let mut member = SimMember::launched(number, size);
        member.lifecycle = "InService";
        let id = member.id.clone();
        self.trace.note(self.now, format_args!("another group has {id}"));
        self.truth.fleet.others.insert(id.clone(), member);
        let (boot, joins) = (self.span(self.profile.boot), id.clone());
        self.plan(boot, Event::Do(Box::new(move |sim| sim.other_instance_joins(&joins))));
        id
    }

    fn other_instance_joins(&mut self, id: &str) {
        let now = self.now;
        let Some(member) = self.truth.fleet.others.get_mut(id) else { return };
        (member.joined, member.connected, member.active) = (true, true, true);
        (member.joined_at, member.connected_at) = (now, now);
        self.trace
            .note(now, format_args!("{id} of another group joins as arn:ci/{}", id.trim_start_matches("i-")));
        check::disturbed(self);
        self.fleet_changed();
    }

    /// Its group terminates it, with whatever runs there. Once all is calm it stays.
    fn other_instance_goes(&mut self, id: &str) {
        let Some(member) = self.truth.fleet.others.remove(id).filter(|_| !self.calm) else { return };
        self.trace.note(self.now, format_args!("{id} of another group is gone"));
        for task in self.tasks_of(&member.arn) {
            self.exit_task(&task, "app", 137);
            self.over(&task);
        }
        check::disturbed(self);
        self.fleet_changed();
    }

    /// A task of the other installation runs: its proxies on Fargate, its services on any instance with room.
    fn other_task(&mut self, role: Role) -> Option<String> {
        let by = naming::started_by(&self.other_install());
        let (cluster, on) = match role {
            Role::Proxy => (self.settings.proxy_cluster.clone(), None),
            Role::Service => (self.settings.service_cluster.clone(), Some(self.place(MIDDLING).ok()?)),
        };
        Some(self.strange_task("other", cluster, on, MIDDLING, by))
    }

    /// A stranger's task on an instance with room, or nowhere when there is none.
    pub fn stranger_task(&mut self, lives: Ms) {
        let Ok(on) = self.place(SMALL) else { return };
        let cluster = self.settings.service_cluster.clone();
        let arn = self.strange_task("stranger", cluster, Some(on), SMALL, "somebody".to_owned());
        self.plan(lives, Event::Forget(arn));
    }

    fn strange_task(
        &mut self,
        who: &str,
        cluster: String,
        on: Option<String>,
        size: Resources,
        started_by: String,
    ) -> String {
        let arn = format!("arn:task/{who}-{}", self.truth.number());
        self.trace.note(
            self.now,
            format_args!("{started_by} runs {arn} on {}", on.as_deref().unwrap_or("fargate")),
        );
        let made = Task::made(&arn, cluster, None);
        let seen = Task { status: TaskStatus::Running, container_instance: on, ..made };
        let mut task = SimTask::of_another(seen, started_by, size, self.now);
        if task.seen.container_instance.is_none() {
            task.public = Some(self.truth.network.public(&arn));
        }
        self.truth.tasks.insert(arn.clone(), task);
        self.changed(&arn);
        arn
    }

    /// The other installation gives a name of its own, or of ours, a record and a claim, if it finds neither there. After
    /// a while it takes both out again, unless all is calm by then.
    fn claim(&mut self, which: Which, name: &str, span: Option<Ms>) {
        let (domain, record) = match (which, self.settings.private_zone.clone()) {
            (Which::Public, _) => {
                (self.settings.domain.clone(), naming::record_name(name, &self.settings.domain))
            }
            (Which::Private, Some(zone)) => (zone.name.clone(), format!("{name}.proxy.{}", zone.name)),
            (Which::Private, None) => return,
        };
        let install = self.other_install();
        let set = |name: String, kind: &str, mut values: Vec<String>| {
            values.sort();
            RecordSet { name, kind: kind.to_owned(), ttl: Some(10), values, special: false }
        };
        let says = vec![
            format!("\"heritage=dormouse,install={install},service={name},pair=1.0\""),
            format!("\"a={record}:{ELSEWHERE}\""),
        ];
        let sets = [
            set(record, "A", vec![ELSEWHERE.to_owned()]),
            set(naming::owner_name(name, &domain), "TXT", says),
        ];
        let key = |set: &RecordSet| (set.name.clone(), set.kind.clone());
        let zone = if which == Which::Public { &self.truth.zone } else { &self.truth.private_zone };
        if sets.iter().any(|set| zone.sets.contains_key(&key(set))) {
            return;
        }
        let changes: Vec<Change> = sets.iter().cloned().map(Change::Create).collect();
        self.change_zone(which, &changes, false);
        self.truth.strangers.sets_mut(which).extend(sets.iter().map(|set| (key(set), set.clone())));
        if let Some(span) = span {
            let gone = move |sim: &mut Sim| sim.give_up(which, &sets);
            self.plan(span.max(SECOND), Event::Do(Box::new(gone)));
        }
    }

    fn give_up(&mut self, which: Which, sets: &[RecordSet]) {
        if self.calm {
            return;
        }
        check::disturbed(self);
        for set in sets {
            self.truth.strangers.sets_mut(which).remove(&(set.name.clone(), set.kind.clone()));
        }
        let changes: Vec<Change> = sets.iter().cloned().map(Change::Delete).collect();
        self.change_zone(which, &changes, false);
    }
}
