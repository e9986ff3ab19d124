//! Which records a service is to have.

use super::WILDCARD;
use crate::lifecycle::View;
use crate::naming;
use crate::observed::TaskStatus;
use crate::settings::Settings;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{Desired, Pair, PairId, ServiceRecord, planted};
use std::collections::BTreeMap;

/// The records of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The pair they lead to.
    pub pair: PairId,
    /// Its proxy is seen right now: nothing is put into the zone for one that is not.
    pub seen: bool,
    /// The address that users end up at.
    pub address: String,
    /// Record name → addresses, sorted.
    pub records: BTreeMap<String, Vec<String>>,
}

impl Wanted {
    /// The wildcard: every name without a record of its own leads to the activator.
    pub fn wildcard(settings: &Settings, addresses: &[String]) -> Wanted {
        let mut addresses = addresses.to_vec();
        addresses.sort();
        Wanted {
            pair: PairId::default(),
            seen: true,
            address: addresses.join("+"),
            records: [(naming::record_name("*", &settings.domain), addresses)].into(),
        }
    }
}

/// What a service is to have in the public zone, while its proxy can carry traffic.
pub fn public(settings: &Settings, record: &ServiceRecord, view: &View<'_>) -> Option<Wanted> {
    let pair = carrying(record, view)?;
    // An address that cannot be looked up right now is not an address that is gone.
    let address = view
        .task(&pair.proxy)
        .and_then(|task| task.public_address.clone())
        .or_else(|| given(record, pair, view).map(str::to_owned))
        // Woken again before its record was taken out: a proxy has one address for life.
        .or_else(|| record.dns.published.clone().filter(|_| record.dns.published_pair == Some(pair.id)))?;
    Some(Wanted {
        seen: view.task(&pair.proxy).is_some(),
        pair: pair.id,
        records: [(naming::record_name(&record.name, &settings.domain), vec![address.clone()])].into(),
        address,
    })
}

/// What it is to have in the private zone: `<name>.service` and `<name>.proxy`.
pub fn private(zone_name: &str, record: &ServiceRecord, view: &View<'_>) -> Option<Wanted> {
    let pair = carrying(record, view)?;
    let mut records = BTreeMap::new();
    for role in Role::ALL {
        let address = view.task(pair.task(role))?.private_address.clone()?;
        records.insert(format!("{}.{role}.{zone_name}", record.name), vec![address]);
    }
    let address = view.task(&pair.service)?.private_address.clone()?;
    Some(Wanted { pair: pair.id, seen: true, address, records })
}

/// The pair that is to be found by name: awake, both halves there, and the proxy forwards (or did, and nobody
/// said otherwise since). What is not known right now takes nothing out of the zone.
fn carrying<'a>(record: &'a ServiceRecord, view: &View<'_>) -> Option<&'a Pair> {
    let pair = record.pair.as_ref().filter(|pair| pair.condemned.is_none())?;
    if planted!(OldStopsNewRecord) && an_older_one_stopped(record, view) {
        return None;
    }
    let is_given = given(record, pair, view).is_some();
    let lives = |role| {
        let intent = pair.task(role);
        let unseen = intent.task_arn.is_some() && is_given;
        intent.is_open()
            && view.task(intent).map_or(unseen, |task| !task.is_ending() || planted!(EndingPublished))
    };
    if record.desired == Desired::Asleep || record.name == WILDCARD || !Role::ALL.into_iter().all(lives) {
        return None;
    }
    // It ran when it was given its record: a reading that shows it starting is from before that.
    let runs = view.task(&pair.proxy).map_or(is_given, |task| {
        let starts = task.status < TaskStatus::Running;
        task.status == TaskStatus::Running || is_given && (starts || planted!(EndingPublished))
    });
    let forwards = match view.beat(pair, Role::Proxy).map(|beat| beat.state) {
        Some(SidecarState::Serving) => true,
        Some(SidecarState::Starting) => pair.ready_at.is_some(),
        // It takes nothing new: until it does again, the wildcard answers.
        Some(SidecarState::Draining | SidecarState::Stopping) => false,
        None => is_given || pair.ready_at.is_some(),
    };
    (runs && forwards).then_some(pair)
}

/// What a record of the name alone would follow.
fn an_older_one_stopped(record: &ServiceRecord, view: &View<'_>) -> bool {
    view.tasks.by_arn.of(&record.name).any(|task| {
        let is_proxy = task.identity.as_ref().is_some_and(|own| own.role == Role::Proxy);
        is_proxy && task.status == TaskStatus::Stopped
    })
}

/// The address that the zone holds, or is to hold, for this very pair.
fn given<'a>(record: &'a ServiceRecord, pair: &Pair, view: &View<'_>) -> Option<&'a str> {
    if let Some(pending) = &record.dns.pending {
        return pending.address.as_deref().filter(|_| pending.pair == pair.id);
    }
    // What is published may still be the address of the pair before.
    if let Some(published_pair) = record.dns.published_pair {
        return record.dns.published.as_deref().filter(|_| published_pair == pair.id);
    }
    let known = view.task(&pair.proxy).and_then(|task| task.public_address.as_deref());
    record.dns.published.as_deref().filter(|address| pair.ready_at.is_some() || known == Some(*address))
}
