//! What the invariants remember of a run.

use super::{Moment, Violation};
use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;
use crate::truth::requests::Answers;
use dormouse_core::budget::Kind;
use dormouse_core::dns::Change;
use dormouse_core::lifecycle;
use dormouse_core::observed::RecordSet;
use dormouse_manifests::ServiceSpec;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{
    CapacityMemory, Definition, Desired, Pair, PairId, RunParameters, ServiceRecord, Templates,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A call is made, and takes effect, within this after its intent was written.
const CALLS_WITHIN: Ms = MINUTE;

/// A controller as a process.
#[derive(Debug, Default)]
pub struct Running {
    /// When it was started.
    pub born: Ms,
    /// Since when it runs without a break.
    pub since: Ms,
    /// When a write of it was first refused for a later leader's.
    pub overtaken_at: Option<Ms>,
    /// Parts of the cloud that it has read completely.
    pub read: BTreeSet<&'static str>,
    /// Service → newest epoch that it has read or written.
    pub epochs: BTreeMap<String, u64>,
    /// Its calls of the last minute.
    pub calls: BTreeMap<Kind, VecDeque<Ms>>,
    /// Task → when StopTask was called for it.
    pub stops: BTreeMap<String, Vec<Ms>>,
    /// RunTask, with the incarnation that it is for → when it was last called, and how often before that.
    pub runs: BTreeMap<(Identity, String), (Ms, u32)>,
}

/// What a proxy said, and a controller that leads has heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// When it lately said for how long it had been idle, and that.
    pub idle: Vec<(Ms, Ms)>,
}

/// The flip to sleep, as it truly was.
#[derive(Debug, Clone)]
pub struct Flip {
    /// When.
    pub at: Ms,
    /// The proxy.
    pub proxy: String,
    /// Requests that it had taken, those that came together with it among them.
    pub requests: u64,
    /// Whether whoever wrote the flip knew how many: otherwise the leader counts from what it hears next.
    pub counted: bool,
    /// When a controller that leads heard for the first time of one that came after the flip.
    pub told_at: Option<Ms>,
}

/// The newest pair of an epoch and a generation.
#[derive(Debug, Clone)]
pub(super) struct Try {
    /// Which pair.
    pub id: PairId,
    /// Of which generation.
    pub generation: u64,
    /// When it was intended.
    pub at: Ms,
    /// Since when it is ready.
    pub ready_at: Option<Ms>,
    /// How many were lost before it, since one lasted.
    pub lost: u32,
    /// Its service task does not run on an instance.
    pub on_fargate: bool,
    /// It came in place of one that was to make way for one on Fargate.
    pub comes_back: bool,
}

/// What the checks remember of a run.
#[derive(Debug, Default)]
pub struct Audit {
    /// What became of requests.
    pub answers: Answers,
    /// What was found.
    pub violations: Vec<Violation>,
    /// Calls that changed something.
    pub mutations: u64,
    /// When the last of them was made, and which.
    pub last_mutation: (Ms, String),
    /// By how many per mille controllers' clocks may be too fast or too slow.
    drift: u64,
    /// By how much the clocks of two controllers are apart at most, jumps left aside.
    apart: Ms,
    /// When a controller's clock jumped, and by how much.
    pub jumps: Vec<(Ms, Ms)>,
    /// Rows as they were last written.
    pub rows: BTreeMap<String, ServiceRecord>,
    /// The templates as they were last written.
    pub(super) templates: Templates,
    /// Services that an operator has deleted.
    pub(super) deleted_by_hand: BTreeSet<String>,
    /// Service → since when it is to sleep, or was made, and the controller that wrote it.
    pub(super) asleep_since: BTreeMap<String, (Ms, usize)>,
    /// When each was made, or made anew.
    pub(super) made: BTreeMap<String, Ms>,
    /// The capacity row as it was last written.
    pub capacity: CapacityMemory,
    /// Service → when what is desired of it last changed.
    pub desired_since: BTreeMap<String, Ms>,
    /// Service → when it was last woken.
    pub(super) woken: BTreeMap<String, Ms>,
    /// Wakes of which it can be told how much was ours: service, our share, all of it.
    pub wakes: Vec<(String, Ms, Ms)>,
    /// By which controller.
    pub(super) woken_by: BTreeMap<String, usize>,
    /// Since when there are no faults; `None` before.
    pub calm_since: Option<Ms>,
    /// When something last went wrong that is no fault of a call: a crash, a kill, an operator.
    pub disturbed_at: Ms,
    /// There were faults before it was calm.
    pub had_faults: bool,
    /// Controllers that are gone or frozen.
    pub(super) down: BTreeSet<usize>,
    /// Controllers as processes.
    pub running: BTreeMap<usize, Running>,
    /// Controller → when the write of its lease began that last held.
    pub(super) leases: BTreeMap<usize, Ms>,
    /// The lease as it was last written: when, and by whom.
    pub(super) lease_at: Ms,
    /// When somebody deleted the lease's row.
    pub lease_lost_at: Ms,
    /// Since when the controller that leads is gone, and when it wrote its lease last.
    pub vacant_since: Option<Ms>,
    /// When the lease last changed hands.
    pub(super) leads_since: Ms,
    /// Row → the latest leader that wrote it.
    pub(super) fences: BTreeMap<String, u64>,
    pub(super) specs: BTreeMap<String, ServiceSpec>,
    pub(super) runs: BTreeMap<Identity, RunParameters>,
    /// Identity and incarnation → the one task that it ever had.
    pub(super) tasks: BTreeMap<(Identity, String), String>,
    pub(super) stops: BTreeSet<String>,
    pub(super) terminations: BTreeSet<String>,
    pub(super) terminated: VecDeque<(Ms, String)>,
    pub(super) hashes: BTreeMap<String, String>,
    pub(super) retired: BTreeSet<String>,
    /// Service and address, or none, that its record was intended to have, and until when that counts.
    pub(super) addresses: BTreeMap<(String, Option<String>), Ms>,
    /// Capacities that were intended, and until when that counts.
    pub(super) targets: BTreeMap<u32, Ms>,
    /// Pair → when its row first said that it drains, or is to end.
    pub(super) drains: BTreeMap<(String, PairId), Ms>,
    pub(super) flips: BTreeMap<String, Flip>,
    pub(super) heard: BTreeMap<String, Heard>,
    /// Service and address → when a probe last succeeded.
    pub(super) probes: BTreeMap<(String, String), Ms>,
    /// Service task → when it last began to be deaf, and had answered until then.
    pub answered_until: BTreeMap<String, Ms>,
    /// Service and address → when its proxy was stopped as planned.
    pub(super) planned_ends: BTreeMap<(String, String), Ms>,
    /// Service → its newest pair.
    pub(super) tries: BTreeMap<String, Try>,
    /// Service → the pair that its serving pair took over from, or the one before that, and so on.
    pub(super) first_pairs: BTreeMap<String, PairId>,
    /// Service → when a call was last made for it.
    pub(super) tried: BTreeMap<String, Ms>,
    pub(super) wildcard_served: bool,
    /// What the webhook is to tell.
    pub(super) news: super::news::News,
    /// Name and addresses of records of ours that somebody else removed.
    pub removed_by_others: BTreeSet<(String, Vec<String>)>,
    /// The same → when we last put it back.
    pub(super) put_back: BTreeMap<(String, Vec<String>), Ms>,
    /// Since when something is not as it should be: a property's key → then.
    pub(super) since: BTreeMap<String, Ms>,
    once: BTreeSet<(&'static str, String)>,
}

impl Audit {
    /// An audit of controllers whose clocks are wrong by so many per mille, and apart by so much.
    pub fn new(drift: u64, apart: Ms) -> Audit {
        Audit { drift, apart, ..Audit::default() }
    }

    /// By how much the span from then until now may be off that a controller's clock measures: it drifts, and it may
    /// have jumped meanwhile. A jump from before is in both ends of the span.
    pub(super) fn slack_since(&self, at: Ms, now: Ms) -> Ms {
        let drifts = if self.drift > 0 { SECOND + now.saturating_sub(at) * self.drift / 1000 } else { 0 };
        let lately = self.jumps.iter().filter(|(jumped, _)| *jumped + SECOND >= at);
        drifts + lately.map(|(_, by)| by).sum::<Ms>()
    }

    /// The same of a time that is taken over as it is when another comes to lead. (What was under way waits anew by
    /// that one's clock; few times do not.) The clocks of two may be apart by all that they ever jumped.
    pub(super) fn slack_across(&self, at: Ms, now: Ms, changed_hands: bool) -> Ms {
        let apart = self.apart + self.jumps.iter().map(|(_, by)| by).sum::<Ms>();
        self.slack_since(at, now) + if changed_hands { apart } else { 0 }
    }

    /// A declared service's spec, as it was declared last.
    pub fn spec(&self, service: &str) -> Option<&ServiceSpec> {
        self.specs.get(service)
    }

    /// Whether a row names a task.
    pub(super) fn names(&self, arn: &str) -> bool {
        let pairs = self.rows.values().flat_map(ServiceRecord::pairs);
        let named = pairs.flat_map(|pair| Role::ALL.map(|role| pair.task(role).task_arn.as_deref()));
        let strays = self.rows.values().flat_map(|row| row.strays.keys().map(String::as_str));
        named.flatten().chain(strays).any(|known| known == arn)
    }

    /// Writes a violation down; the same words once.
    pub fn violate(&mut self, at: Ms, id: &'static str, what: String) {
        if self.once.insert((id, what.clone())) {
            self.violations.push(Violation { at, id, what });
        }
    }

    /// A service's drain.
    pub(super) fn drain_of(&self, service: &str) -> Ms {
        self.spec(service).map_or(0, |spec| crate::truth::sidecar::millis(spec.drain))
    }

    /// How long something has been so, by its key; zero when it is not.
    pub(super) fn lasts(&self, key: &str, now: Ms) -> Ms {
        self.since.get(key).map_or(0, |since| now - since)
    }
}

/// What is known after a moment.
pub fn remember(sim: &mut Sim, moment: &Moment<'_>) {
    let now = sim.now;
    match *moment {
        Moment::Call { controller, operation, kind, changes } => {
            if changes {
                sim.audit.mutations += 1;
                sim.audit.last_mutation = (now, operation.to_owned());
            }
            let calls = sim.audit.running.entry(controller).or_default().calls.entry(kind).or_default();
            while calls.front().is_some_and(|at| at + MINUTE < now) {
                calls.pop_front();
            }
            calls.push_back(now);
        }
        Moment::Run(controller, call) => {
            let running = sim.audit.running.entry(controller).or_default();
            let run = (call.identity.clone(), call.parameters.incarnation.clone());
            let tries = running.runs.get(&run).map_or(0, |(_, tries)| tries + 1);
            running.runs.insert(run, (now, tries));
            sim.audit.tried.insert(call.identity.service.clone(), now);
        }
        Moment::StopCalled(controller, arn) => {
            let stops = &mut sim.audit.running.entry(controller).or_default().stops;
            stops.entry(arn.to_owned()).or_default().push(now);
        }
        Moment::Register(hash) => {
            if let Some(service) = sim.audit.hashes.get(hash).cloned() {
                sim.audit.tried.insert(service, now);
            }
        }
        Moment::Terminate(id) => {
            let terminated = &mut sim.audit.terminated;
            if terminated.iter().all(|(_, known)| known != id) {
                terminated.push_back((now, id.to_owned()));
            }
        }
        Moment::Stop(arn) => stopped(sim, arn),
        Moment::Task(arn) => {
            if let Some(task) = sim.truth.tasks.get(arn)
                && let Some(identity) = &task.seen.identity
            {
                let key = (identity.clone(), task.token.clone());
                sim.audit.tasks.entry(key).or_insert_with(|| arn.to_owned());
            }
        }
        Moment::Batch(_)
        | Moment::Desire(_)
        | Moment::Desired { .. }
        | Moment::Drain(_)
        | Moment::Protect(_)
        | Moment::End => {}
        Moment::Zone(ours) => zone(sim, ours),
        Moment::Row { controller, fence, before, row } => written(sim, controller, fence, before, row),
        Moment::Removed(_, name) => {
            sim.audit.rows.remove(name);
            sim.audit.deleted_by_hand.remove(name);
            sim.audit.asleep_since.remove(name);
            sim.audit.fences.remove(name);
            sim.audit.tries.remove(name);
            sim.audit.drains.retain(|(service, _), _| service != name);
            sim.audit.running.values_mut().for_each(|running| {
                running.epochs.remove(name);
            });
            sim.audit.desired_since.insert(name.to_owned(), now);
        }
        Moment::Capacity(memory) => {
            let audit = &mut sim.audit;
            // A call that was made for it may still take effect a while later.
            audit.targets.retain(|_, until| *until > now);
            if let Some(target) = audit.capacity.target {
                audit.targets.insert(target, now + MINUTE);
            }
            if let Some(target) = memory.target {
                audit.targets.insert(target, Ms::MAX);
            }
            let terminated = memory.removals.iter().filter(|(_, removal)| removal.terminate_at.is_some());
            audit.terminations.extend(terminated.map(|(id, _)| id.clone()));
            audit.capacity = memory.clone();
        }
        Moment::Lease { controller, began, before, next } => {
            let audit = &mut sim.audit;
            audit.lease_at = now;
            if next.nonce.is_empty() {
                audit.leases.remove(&controller);
                audit.vacant_since = Some(now);
            } else {
                audit.leases.insert(controller, began);
                // Whoever wrote it is there, and leads; or it was on its way when its writer went.
                let is_gone = controller == super::GONE || audit.down.contains(&controller);
                audit.vacant_since = is_gone.then_some(now);
                if before.is_none_or(|before| before.epoch != next.epoch) {
                    audit.leads_since = now;
                }
            }
        }
        Moment::Unreachable(..) => sim.audit.answers.unreachable += 1,
        Moment::Deregister(_) | Moment::Told(_) | Moment::Cut(..) | Moment::Unanswered(..) | Moment::Tick => {
        }
    }
}

/// How long a wake took that is over.
fn note_wake(sim: &mut Sim, before: Option<&ServiceRecord>, row: &ServiceRecord) {
    let is_ready = super::answers::is_ready;
    if !is_ready(row) || before.is_none_or(is_ready) {
        return;
    }
    if let Some((own, woken)) = super::liveness::own_share(sim, row).zip(sim.audit.woken.get(&row.name)) {
        let wake = (row.name.clone(), own, sim.now - woken);
        sim.audit.wakes.push(wake);
    }
}

fn stopped(sim: &mut Sim, arn: &str) {
    let Some(task) = sim.truth.tasks.get(arn).filter(|task| task.is_there() && !task.seen.stopping) else {
        return;
    };
    let Some((service, address)) = task.service().map(str::to_owned).zip(task.public.clone()) else { return };
    let served = super::tasks::half(sim, task, Role::Service).is_some_and(|other| other.runs());
    if task.runs() && served {
        let now = sim.now;
        sim.audit.planned_ends.insert((service, address), now);
    }
}

fn zone(sim: &mut Sim, ours: Option<&[Change]>) {
    let now = sim.now;
    let wildcard = (format!("*.{}", sim.settings.domain), "A".to_owned());
    sim.audit.wildcard_served |= sim.truth.zone.served.contains_key(&wildcard);
    for change in ours.into_iter().flatten() {
        let Change::Create(set) = change else { continue };
        let record = (set.name.clone(), set.values.clone());
        if set.kind == "A" && sim.audit.removed_by_others.remove(&record) && is_put_back(ours, &set.name) {
            sim.audit.put_back.insert(record, now);
        }
    }
}

/// Whether a batch makes a record of a name for the pair that it was made for before: its TXT stays as it is.
pub fn is_put_back(batch: Option<&[Change]>, name: &str) -> bool {
    let label = name.split('.').next().unwrap_or_default();
    let is_txt = |set: &RecordSet| set.kind == "TXT" && set.name.split('.').next() == Some(label);
    let batch = batch.unwrap_or_default();
    batch.iter().filter(|change| is_txt(change.set())).all(|change| {
        let (gone, made) = (Change::Delete(change.set().clone()), Change::Create(change.set().clone()));
        batch.contains(&gone) && batch.contains(&made)
    })
}

fn written(
    sim: &mut Sim,
    controller: usize,
    fence: Option<u64>,
    before: Option<&ServiceRecord>,
    row: &ServiceRecord,
) {
    note_wake(sim, before, row);
    let now = sim.now;
    let name = &row.name;
    if before.is_none() {
        sim.audit.made.insert(name.clone(), now);
    }
    if before.is_none_or(|before| {
        (before.desired, before.epoch, before.deleting, before.generation)
            != (row.desired, row.epoch, row.deleting, row.generation)
    }) {
        sim.audit.desired_since.insert(name.clone(), now);
        sim.trace.note(
            now,
            format_args!("{name}: desired {:?}, epoch {}, deleting {}", row.desired, row.epoch, row.deleting),
        );
    }
    if before.is_none_or(|before| before.phase != row.phase) {
        sim.trace.note(now, format_args!("{name}: phase {:?}", row.phase));
    }
    if row.desired == Desired::Awake && before.is_none_or(|before| before.epoch != row.epoch) {
        sim.audit.woken.insert(name.clone(), now);
        sim.audit.woken_by.insert(name.clone(), controller);
    }
    if row.desired == Desired::Asleep && before.is_some_and(|before| before.desired == Desired::Awake) {
        let proxy = row.pair.as_ref().and_then(|pair| pair.proxy.task_arn.clone());
        let flip = proxy.and_then(|proxy| {
            let requests = sim.truth.tasks.get(&proxy)?.sidecar.requests;
            let counted = row.rest.as_ref().is_some_and(|rest| rest.requests.is_some());
            Some(Flip { at: now, proxy, requests, counted, told_at: None })
        });
        sim.audit.flips.remove(name);
        sim.audit.flips.extend(flip.map(|flip| (name.clone(), flip)));
    }
    if row.desired == Desired::Awake {
        sim.audit.flips.remove(name);
        sim.audit.asleep_since.remove(name);
    } else {
        sim.audit.asleep_since.entry(name.clone()).or_insert((now, controller));
    }
    let next_try = super::calls::next_try(sim, row);
    let audit = &mut sim.audit;
    audit.specs.insert(name.clone(), (*row.spec).clone());
    if let Some(fence) = fence {
        let held = audit.fences.entry(name.clone()).or_default();
        *held = fence.max(*held);
    }
    for pair in row.pairs() {
        for role in Role::ALL {
            let intent = pair.task(role);
            if intent.attempted_at.is_some() {
                let identity = lifecycle::identity(name, pair.id, role);
                audit.runs.insert(identity, (*intent.parameters).clone());
            }
            if let (Some(_), Some(arn)) = (intent.stop_at, &intent.task_arn) {
                audit.stops.insert(arn.clone());
            }
        }
    }
    audit.stops.extend(row.strays.keys().cloned());
    let known = [&row.definitions.proxy, &row.definitions.service];
    let hashes = known.into_iter().flatten().map(|Definition { hash, .. }| (hash.clone(), name.clone()));
    audit.hashes.extend(hashes);
    audit.retired.extend(row.definitions.retired.iter().cloned());
    note_addresses(audit, row, now);
    audit.tries.extend(next_try.map(|newest| (name.clone(), newest)));
    if row.pair.as_ref().is_some_and(|pair| pair.ready_at.is_some())
        && let Some(newest) = audit.tries.get_mut(name)
    {
        newest.ready_at.get_or_insert(now);
    }
    if let Some(pair) = row.pair.as_ref() {
        let old = before.and_then(|before| before.pair.as_ref()).map(|old| old.id);
        let took_over = row.retiring.iter().any(|known| known.replaced && Some(known.id) == old);
        if old != Some(pair.id) && !took_over {
            audit.first_pairs.insert(name.clone(), pair.id);
        }
    }
    note_drains(audit, row, now);
    if sim.trace.is_kept() {
        for event in row
            .events
            .iter()
            .rev()
            .take_while(|event| before.is_none_or(|before| !before.events.contains(event)))
        {
            sim.trace.remark(now, format_args!("  {name}: {} {}", event.reason, event.message));
        }
    }
    sim.audit.rows.insert(name.clone(), row.clone());
}

/// What is pending, or stands, is intended for as long as it does; a call that was made for it may take effect a while later.
fn note_addresses(audit: &mut Audit, row: &ServiceRecord, now: Ms) {
    let pending = row.dns.pending.as_ref().map(|pending| pending.address.clone());
    let stands = row.dns.published.clone().map(Some).filter(|_| row.dns.pending.is_none());
    let current = pending.or(stands).map(|address| (row.name.clone(), address));
    for ((name, _), until) in audit.addresses.iter_mut().filter(|(known, _)| Some(*known) != current.as_ref())
    {
        if *name == row.name {
            *until = (*until).min(now + CALLS_WITHIN);
        }
    }
    audit.addresses.retain(|_, until| *until > now);
    audit.addresses.extend(current.map(|known| (known, Ms::MAX)));
}

/// A pair drains since its service's way to sleep has come so far, or since it is to end for another reason.
fn note_drains(audit: &mut Audit, row: &ServiceRecord, now: Ms) {
    let rests = row.rest.as_ref().is_some_and(|rest| rest.drain_at.is_some());
    let draining = |pair: &&Pair| pair.condemned.is_some() && !pair.serves_on() || rests;
    let pairs: BTreeSet<PairId> = row.pairs().filter(draining).map(|pair| pair.id).collect();
    audit.drains.retain(|(name, id), _| *name != row.name || pairs.contains(id));
    for id in pairs {
        audit.drains.entry((row.name.clone(), id)).or_insert(now);
    }
}
