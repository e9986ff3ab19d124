//! A world to begin with, and A alone at work in it.

use crate::cloud::{Cloud, Life, task};
use crate::controller::Broken;
use crate::moves::Move;
use crate::part::Part;
use crate::search::Space;
use crate::world::{Controller, Ledger, Left, NAME, Row, World};
use dormouse_core::dns::{self, Zone, wanted::Wanted};
use dormouse_core::intent;
use dormouse_core::observed::{RecordSet, TaskStatus};
use dormouse_core::settings::Settings;
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Definition, Definitions, Phase};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::example);

/// The service is declared and asleep; A leads and has read everything, B has just read everything and does not lead.
pub fn asleep() -> World {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let manifest = Service::new(NAME, ServiceSpec::defaults_for("demo"));
    let mut record = intent::declare(None, &manifest, now).unwrap();
    let known = |role: Role| Some(Definition { hash: "h".into(), arn: Some(format!("definition/{role}")) });
    record.definitions =
        Definitions { proxy: known(Role::Proxy), service: known(Role::Service), retired: Vec::new() }.into();
    record.observed_generation = record.generation;
    let mut world = World {
        settings: &SETTINGS,
        now,
        lease: 0,
        row: Part::new(Row { record, version: 1, fence: 0 }),
        ledger: Part::new(Ledger::default()),
        cloud: Part::new(cloud()),
        controllers: [Part::new(Controller::started()), Part::new(Controller::started())],
        left: Left { leads: 1, ..Left::NOTHING },
        broken: Broken::Nothing,
    };
    world.go(Move::Lead(0));
    for who in [0, 1] {
        world.reads(who);
    }
    world
}

/// Strangers' tasks and records, and the wildcard.
fn cloud() -> Cloud {
    let now = Timestamp::UNIX_EPOCH;
    let others = [
        ("task/stranger", None),
        ("task/hello2", Some(Identity { service: "hello2".into(), role: Role::Proxy, epoch: 9, attempt: 1 })),
    ];
    let life = |arn: &str, identity| {
        let mut task = task(arn, identity, "services");
        task.status = TaskStatus::Running;
        Life { task, drains: false, requests: 0, open: 0, used_at: now }
    };
    let foreign = RecordSet {
        name: "www.example.com".into(),
        kind: "A".into(),
        ttl: Some(60),
        values: vec!["192.0.2.1".into()],
        special: false,
    };
    let addresses = SETTINGS.wildcard.clone().unwrap();
    let wildcard = Wanted::wildcard(&SETTINGS, &addresses);
    let mut cloud = Cloud {
        shows_at_once: true,
        lives: others.into_iter().map(|(arn, identity)| (arn.to_owned(), life(arn, identity))).collect(),
        tokens: BTreeMap::new(),
        zone: Part::new(Zone::new([foreign])),
        ours: Default::default(),
        changes: vec![],
        gone: BTreeMap::new(),
    };
    let dns::Standing::Differs(changes) =
        dns::compare(&SETTINGS, &SETTINGS.domain, &cloud.zone, dns::WILDCARD, Some(&wildcard))
    else {
        panic!("the wildcard is there already")
    };
    cloud.change(&changes, now);
    cloud.propagate(now);
    cloud
}

impl World {
    /// A move that is part of how a search begins.
    pub fn go(&mut self, one: Move) -> &mut World {
        let (next, wrong) = self.tried(&one);
        if let Some((id, what)) = wrong {
            panic!("{id}: {what}");
        }
        *self = next;
        self
    }

    /// One controller reads everything, and hears everybody.
    pub fn reads(&mut self, who: usize) {
        for one in [Move::ReadTable(who), Move::ReadTasks(who), Move::ReadZone(who), Move::Beats(who)] {
            self.go(one);
        }
    }

    /// A alone works, and all goes well, until the service is in this phase.
    pub fn until(&mut self, phase: Phase) -> &mut World {
        for _ in 0..100 {
            self.cloud_gets_on();
            self.reads(0);
            if self.row.record.phase == phase {
                self.reads(1);
                return self;
            }
            if !self.works() {
                self.left.passes += 1;
                self.go(Move::Pass);
            }
        }
        panic!("not {phase:?}: {:#?}", self.row.record)
    }

    /// Every task and every change gets to where it goes by itself.
    fn cloud_gets_on(&mut self) {
        while let Some(one) =
            self.moves().into_iter().find(|one| matches!(one, Move::GetsOn(_) | Move::Propagates))
        {
            self.go(one);
        }
    }

    /// A plans, and does all that it planned; answers whether there was anything to do.
    pub fn works(&mut self) -> bool {
        let mut worked = false;
        for plan in [Move::Plan(0), Move::PlanZone(0)] {
            let before = (self.row.version, self.cloud.changes.len());
            self.go(plan);
            while let Some(one) = self.moves().into_iter().find(is_work) {
                self.go(one);
                self.cloud_gets_on();
                worked = true;
            }
            worked |= before != (self.row.version, self.cloud.changes.len());
        }
        worked
    }
}

/// Something that A has begun.
fn is_work(one: &Move) -> bool {
    matches!(
        one,
        Move::Call(0, false)
            | Move::Remember(0)
            | Move::Change(0, false)
            | Move::RememberChange(0)
            | Move::Poll(0)
    )
}
