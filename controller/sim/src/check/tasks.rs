//! S4 to S6, S10: tasks, and who may end them.

use super::{LEASE, Moment};
use crate::profile::{MINUTE, Ms, SECOND};
use crate::script::Aws;
use crate::sim::Sim;
use crate::truth::sidecar::millis;
use crate::truth::tasks::SimTask;
use crate::truth::zone::Which;
use dormouse_core::dns::Change;
use dormouse_core::lifecycle;
use dormouse_core::naming;
use dormouse_core::observed::TaskStatus;
use dormouse_manifests::IdleAfter;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Pair, PairId, ServiceRecord};
use std::collections::BTreeMap;

/// A role's task of the pair that a task is of. A service that was deleted and declared again gives the same names
/// again: they are other pairs.
pub fn half<'a>(sim: &'a Sim, task: &SimTask, role: Role) -> Option<&'a SimTask> {
    let own = task.seen.identity.as_ref()?;
    of_pair(sim, &Identity { role, ..own.clone() }, &task.incarnation)
}

/// A role's task of a pair of a row.
pub fn task_of<'a>(sim: &'a Sim, row: &ServiceRecord, pair: PairId, role: Role) -> Option<&'a SimTask> {
    let incarnation = row.created_at.as_millisecond().to_string();
    of_pair(sim, &lifecycle::identity(&row.name, pair, role), &incarnation)
}

fn of_pair<'a>(sim: &'a Sim, own: &Identity, incarnation: &str) -> Option<&'a SimTask> {
    let same = |task: &&SimTask| task.incarnation == incarnation && task.seen.identity.as_ref() == Some(own);
    sim.truth.tasks.values().filter(same).max_by_key(|task| task.created)
}

/// After each change of a task: of its service and role there is one, or two of different pairs; and its identity
/// never had another task. As time passes: two that nobody stops are there for ten minutes at most.
pub fn s4_one_pair(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Task(arn) => {
            let task = sim.truth.tasks.get(*arn)?;
            let own = task.seen.identity.as_ref()?;
            let known = sim.audit.tasks.get(&(own.clone(), task.token.clone()));
            if let Some(other) = known.filter(|other| other.as_str() != *arn) {
                return Some(format!("{own} has {arn}, and had {other}"));
            }
            let same = sim.truth.tasks.values().filter_map(|task| {
                let other = task.seen.identity.as_ref()?;
                let is_same = other.role == own.role && other.service == own.service;
                (is_same && task.is_there()).then_some((task, other))
            });
            let (mut twice, mut many) = (0, 0);
            for (task, other) in same {
                many += u32::from(!is_forgotten(sim, task));
                twice += u32::from(other == own);
            }
            if twice > 1 {
                return Some(format!("{own} runs twice"));
            }
            // A row that somebody took away is not counted with: its tasks are strays first.
            let most =
                if sim.audit.rows.get(&own.service).is_some_and(|row| row.strays.is_empty()) { 2 } else { 3 };
            (many > most).then(|| format!("{many} {} tasks of {}", own.role, own.service))
        }
        // Whoever leads has had the time for it, and ECS, the zone and the table answer. One that hangs comes to no end, nor does the
        // other half that waits for it.
        Moment::Tick
            if sim.audit.led_for(sim.now) > 10 * MINUTE
                && sim.last_outage_of(&[Aws::Ecs, Aws::Zone, Aws::Table]) + 10 * MINUTE < sim.now =>
        {
            let mut count: BTreeMap<_, u32> = BTreeMap::new();
            for task in sim.truth.tasks.values() {
                let ends = |task: &SimTask| task.seen.stopping || sim.truth.hung.contains_key(&task.seen.arn);
                let other = task.role().and_then(|role| half(sim, task, role.peer()));
                let ends = ends(task) || other.is_some_and(ends);
                let old = task.created + 10 * MINUTE < sim.now && (!ends || sim.calm_for() > 10 * MINUTE);
                if let Some(own) = task.seen.identity.as_ref().filter(|_| task.is_there() && old) {
                    *count.entry((&own.service, own.role)).or_default() += 1;
                }
            }
            let ((service, role), _) = count.into_iter().find(|(_, count)| *count > 1)?;
            Some(format!("two {role} tasks of {service} for more than ten minutes"))
        }
        _ => None,
    }
}

/// Whether it was being stopped when its row was taken away: no listing shows it, and whoever makes the row anew cannot
/// know of it.
pub fn is_forgotten(sim: &Sim, task: &SimTask) -> bool {
    let Some(own) = task.seen.identity.as_ref().filter(|_| task.seen.stopping) else { return false };
    sim.audit.rows.get(&own.service).is_some_and(|row| {
        task.incarnation != row.created_at.as_millisecond().to_string()
            && !row.strays.contains_key(&task.seen.arn)
    })
}

/// When a drain begins: nobody finds the proxy any more. At each StopTask: a proxy that serves is told to drain, is found
/// by nobody any more, and has nothing in flight or had its drain's time; a service task goes after its proxy.
pub fn s5_no_cut(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Stop(arn) => stopped_too_early(sim, arn),
        Moment::Row { before: Some(before), row, .. } => drains_too_early(sim, before, row),
        _ => None,
    }
}

/// A drain's time is for those who are there: who comes while it runs out would be cut off at its end.
fn drains_too_early(sim: &Sim, before: &ServiceRecord, row: &ServiceRecord) -> Option<String> {
    let rests = |row: &ServiceRecord| row.rest.as_ref().and_then(|rest| rest.drain_at);
    let begins = |pair: &Pair| {
        let known = before.pairs().find(|known| known.id == pair.id);
        known.is_some_and(|known| known.drain_at.is_none()) && pair.drain_at.is_some()
    };
    let resting = row.pair.as_deref().filter(|_| rests(before).is_none() && rests(row).is_some());
    let pair = resting.or_else(|| row.retiring.iter().find(|pair| begins(pair)))?;
    let proxy = task_of(sim, row, pair.id, Role::Proxy).filter(|task| task.runs() && !task.seen.stopping)?;
    let serves = half(sim, proxy, Role::Service).is_some_and(|task| task.runs() && !task.seen.stopping);
    let found = is_found(sim, proxy, &row.name).filter(|_| serves)?;
    Some(format!("the drain of pair {} begins: {found}", pair.id))
}

fn stopped_too_early(sim: &Sim, arn: &str) -> Option<String> {
    let task = sim.truth.tasks.get(arn).filter(|task| task.is_there() && !task.seen.stopping)?;
    let own = task.seen.identity.as_ref()?;
    // Its row was taken away: whoever made it cannot tell it to drain.
    let stray = sim.audit.rows.get(&own.service).is_none_or(|row| row.strays.contains_key(arn));
    // Without its service a proxy serves nobody: that end was not planned.
    let serves = || half(sim, task, Role::Service).is_some_and(|other| other.runs() && !other.seen.stopping);
    match own.role {
        Role::Proxy if stray => {
            (task.runs() && serves()).then(|| is_found(sim, task, &own.service)).flatten()
        }
        Role::Proxy => (task.runs() && serves()).then(|| cuts(sim, task, own)).flatten(),
        Role::Service => {
            let proxy = half(sim, task, Role::Proxy)?;
            if proxy.seen.status == TaskStatus::Running && !proxy.seen.stopping {
                return Some(format!("{arn} ({own}) is stopped before its proxy"));
            }
            let open = carries(sim, proxy).filter(|_| task.runs())?;
            Some(format!("{arn} ({own}) is stopped while its proxy ends with {open} in flight"))
        }
    }
}

/// What a proxy still has in flight that is on its way out, and had not yet its drain's time for it. Whoever stops it, it
/// goes on with that for so long.
pub fn carries(sim: &Sim, proxy: &SimTask) -> Option<u64> {
    let ends_at = proxy.ended_at? + sim.audit.drain_of(proxy.service()?);
    let carries = proxy.runs() && proxy.sidecar.in_flight > 0 && !is_forgotten(sim, proxy);
    (carries && sim.now + SECOND < ends_at).then_some(proxy.sidecar.in_flight)
}

/// Whether somebody may still be led to it.
fn is_found(sim: &Sim, task: &SimTask, service: &str) -> Option<String> {
    let arn = &task.seen.arn;
    let slack = |at: Ms| sim.slack_since(at.saturating_sub(millis(sim.settings.dns_ttl)));
    match forgotten_at(sim, task, service) {
        None if is_believed_gone(sim, task, service, false) => None,
        None => Some(format!("{arn} of {service} is still found at {:?}", task.public)),
        Some(at) if sim.now + slack(at) + SECOND < at && !is_believed_gone(sim, task, service, true) => {
            Some(format!("{arn} of {service} is forgotten by resolvers in {} ms", at - sim.now))
        }
        Some(_) => None,
    }
}

/// A change whose id was lost is believed to be everywhere after a minute by the controller's clock, which may have jumped
/// over the most of it; meanwhile it may have become so. `lost`: only one that nobody has asked about.
fn is_believed_gone(sim: &Sim, task: &SimTask, service: &str, lost: bool) -> bool {
    let name = naming::record_name(service, &sim.settings.domain);
    let taken_out = task.public.as_ref().and_then(|address| sim.taken_out_at(&name, address));
    let taken_out = taken_out.filter(|(_, id)| !lost || !sim.truth.zone.asked.contains_key(id));
    taken_out
        .is_some_and(|(at, _)| sim.now + sim.slack_since(at) >= at + MINUTE + millis(sim.settings.dns_ttl))
}

/// When resolvers have forgotten its record; `None`: they may still be given it.
fn forgotten_at(sim: &Sim, task: &SimTask, service: &str) -> Option<Ms> {
    let Some(address) = &task.public else { return Some(0) };
    let name = naming::record_name(service, &sim.settings.domain);
    let since = sim.withdrawn_since(&name, address)?;
    Some(if since > 0 { since + millis(sim.settings.dns_ttl) } else { 0 })
}

/// A drain counts from when it is written down, and nobody new comes.
fn cuts(sim: &Sim, task: &SimTask, own: &Identity) -> Option<String> {
    let service = &own.service;
    if let found @ Some(_) = is_found(sim, task, service) {
        return found;
    }
    let arn = &task.seen.arn;
    let id = PairId { epoch: own.epoch, attempt: own.attempt };
    let told = sim.audit.drains.get(&(service.clone(), id)).copied();
    let began = told.max(forgotten_at(sim, task, service).filter(|_| told.is_some()));
    let slack = SECOND + told.map_or(0, |told| sim.slack_since(told));
    let over = began.is_some_and(|began| sim.now + slack >= began + sim.audit.drain_of(service));
    if task.sidecar.in_flight > 0 && !over {
        let open = task.sidecar.in_flight;
        return Some(format!("{arn} of {service} is stopped with {open} in flight, drains since {began:?}"));
    }
    // It has heard from the controller since its drain began, and was not told.
    let heard = told.is_some_and(|told| task.sidecar.told_at >= told + 5 * SECOND + slack);
    // One of two that lead may not have read yet what the other has written.
    let heard = heard && !leads_beside(sim);
    // When it began to run it was answered nothing yet.
    let answered = task.sidecar.told_at > task.sidecar.started_at;
    // Of two that believe to lead, one may take back what the other says.
    let drained = told.is_some_and(|told| task.sidecar.drained_at + slack >= told);
    (heard && answered && !drained)
        .then(|| format!("{arn} of {service} is stopped and was never told to drain"))
}

/// At each call that ends something: it is ours. A service's row is begun to be deleted when somebody asked for that, or
/// when it expired.
pub fn s6_only_ours(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Stop(arn) => {
            let task = sim.truth.tasks.get(*arn).filter(|task| task.is_there())?;
            let own =
                task.seen.identity.is_some() && task.started_by == naming::started_by(&sim.settings.install);
            (!own).then(|| format!("{arn} is stopped and not ours"))
        }
        Moment::Deregister(arn) => {
            let known = sim.truth.definitions.get(*arn)?;
            (known.install != sim.settings.install).then(|| format!("{arn} is deregistered and not ours"))
        }
        Moment::Drain(arns) => {
            let ours = |arn: &String| sim.truth.fleet.is_ours(arn);
            let gone = |arn: &String| sim.truth.fleet.gone.contains(arn);
            let foreign = arns.iter().find(|arn| !ours(arn) && !gone(arn))?;
            Some(format!("{foreign} is drained, or set active again, and not of our group"))
        }
        Moment::Terminate(id) if sim.truth.fleet.others.contains_key(*id) => {
            Some(format!("{id} is terminated and not of our group"))
        }
        Moment::Protect(ids) => {
            let foreign = ids.iter().find(|id| sim.truth.fleet.others.contains_key(*id))?;
            Some(format!("{foreign} is protected and not of our group"))
        }
        Moment::Zone(_) | Moment::End => touched(sim),
        Moment::Row { .. } => super::made::deleted(sim, moment),
        _ => None,
    }
}

/// A record or a claim of others that is not byte by byte as they made it.
fn touched(sim: &Sim) -> Option<String> {
    [(Which::Public, &sim.truth.zone), (Which::Private, &sim.truth.private_zone)].into_iter().find_map(
        |(which, zone)| {
            let sets = sim.truth.strangers.sets(which).iter();
            let (key, _) = sets.into_iter().find(|(key, set)| zone.sets.get(*key) != Some(*set))?;
            Some(format!("{} {} was another's, and is not as they made it", key.1, key.0))
        },
    )
}

/// What is to serve is not stopped; its record is not withdrawn while it works. A service is put to sleep for
/// idleness only if truly nobody used it, and ends only if no request came since that its proxy told of. Nothing is
/// done for an epoch that is known to be over, no record made for a pair that is to end, and no wake is forgotten.
pub fn s10_wake_beats_sleep(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Stop(arn) => {
            let task = sim.truth.tasks.get(arn).filter(|task| task.is_there() && !task.seen.stopping)?;
            let own = task.seen.identity.as_ref()?;
            let pair = sim.audit.rows.get(&own.service)?.pair.as_ref()?;
            let serves = pair.condemned.is_none() && pair.task(own.role).task_arn.as_deref() == Some(arn);
            serves.then(|| format!("{arn} ({own}) is stopped and its pair is to serve"))
        }
        Moment::Run(controller, call) => {
            let own = &call.identity;
            let known = *sim.audit.running.get(&controller)?.epochs.get(&own.service)?;
            let row =
                sim.audit.rows.get(&own.service).filter(|row| row.epoch == known && own.epoch < known)?;
            // A wake that found a pair kept it.
            let kept = row.pairs().any(|pair| {
                (pair.id.epoch, pair.id.attempt) == (own.epoch, own.attempt) && pair.condemned.is_none()
            });
            (!kept).then(|| format!("RunTask {own}, and epoch {known} is known"))
        }
        Moment::Batch(changes) => changes
            .iter()
            .find_map(|change| takes_down(sim, change, changes).or_else(|| leads_back(sim, change, changes))),
        Moment::Row { before: Some(before), row, .. } => {
            if row.epoch < before.epoch {
                return Some(format!("{}: what was written of epoch {} is lost", row.name, before.epoch));
            }
            if row.epoch == before.epoch && before.desired == Desired::Asleep && row.desired == Desired::Awake
            {
                return Some(format!("{} wakes without a new epoch", row.name));
            }
            if let Some(id) = revived(before, row) {
                return Some(format!("pair {id} of {} was to end, and is to serve again", row.name));
            }
            slept_while_used(sim, before, row).or_else(|| missed_a_request(sim, before, row))
        }
        _ => None,
    }
}

/// A pair whose end is taken back.
fn revived(before: &ServiceRecord, row: &ServiceRecord) -> Option<PairId> {
    let condemned = before.pairs().filter(|pair| pair.condemned.is_some()).map(|pair| pair.id);
    let serves = |id| row.pairs().any(|pair| pair.id == id && pair.condemned.is_none());
    condemned.into_iter().find(|id| serves(*id))
}

/// A record is made for a pair that has been on its way out for longer than a call is under way.
fn leads_back(sim: &Sim, change: &Change, batch: &[Change]) -> Option<String> {
    let Change::Create(set) = change else { return None };
    let domain = &sim.settings.domain;
    let service = set.name.strip_suffix(&format!(".{domain}")).filter(|_| set.kind == "A")?;
    let owner = naming::owner_name(service, domain);
    let new = batch.iter().find_map(|other| match other {
        Change::Create(txt) if txt.name == owner => Some(txt),
        _ => None,
    });
    let txt = new.or_else(|| sim.truth.zone.sets.get(&(owner, "TXT".to_owned())))?;
    let ends_with = |id: &PairId| txt.values.iter().any(|value| value.ends_with(&format!("pair={id}\"")));
    let leaving = sim.audit.drains.iter().find(|((name, id), _)| name == service && ends_with(id));
    let (id, since) = leaving.map(|((_, id), since)| (id, *since))?;
    let allowed = 40 * SECOND + sim.slack_since(since);
    (sim.now > since + allowed)
        .then(|| format!("{} is made for pair {id}, which is to end for {} ms", set.name, sim.now - since))
}

/// A record of ours is taken out, and nothing put in its place, while its pair is to serve and does.
fn takes_down(sim: &Sim, change: &Change, batch: &[Change]) -> Option<String> {
    let Change::Delete(set) = change else { return None };
    let service = set.name.strip_suffix(&format!(".{}", sim.settings.domain)).filter(|_| set.kind == "A")?;
    let replaced = batch
        .iter()
        .any(|other| matches!(other, Change::Create(new) if new.name == set.name && new.kind == "A"));
    let row = sim.audit.rows.get(service).filter(|row| row.desired == Desired::Awake && !replaced)?;
    let pair = row.pair.as_ref().filter(|pair| pair.condemned.is_none() && pair.ready_at.is_some())?;
    let works = Role::ALL.into_iter().all(|role| {
        task_of(sim, row, pair.id, role)
            .is_some_and(|task| task.seen.status == TaskStatus::Running && !task.seen.stopping)
    });
    let proxy = task_of(sim, row, pair.id, Role::Proxy)?;
    let steady = sim.now > sim.audit.desired_since.get(service).copied().unwrap_or(0) + MINUTE;
    // An address may have been another pair's before, and its record still be there.
    let txt = (naming::owner_name(service, &sim.settings.domain), "TXT".to_owned());
    let of_this_pair = format!("pair={}\"", pair.id);
    let txt = sim.truth.zone.sets.get(&txt);
    let leads_there = txt.is_some_and(|txt| txt.values.iter().any(|value| value.ends_with(&of_this_pair)));
    let serves = works && proxy.sidecar.knows_peer() && !proxy.sidecar.draining;
    (serves && steady && leads_there)
        .then(|| format!("{} is taken out and its pair {} serves", set.name, pair.id))
}

/// Put to sleep for idleness although its proxy was used within the idle time, or has not said since then that it was
/// not.
fn slept_while_used(sim: &Sim, before: &ServiceRecord, row: &ServiceRecord) -> Option<String> {
    let idle = row.last_sleep.as_ref().is_some_and(|cause| cause.origin == "idle");
    if before.desired == Desired::Asleep || row.desired == Desired::Awake || !idle {
        return None;
    }
    let IdleAfter::After(after) = row.spec.idle_after else { return None };
    if let Some(other) = needed_by(sim, row) {
        return Some(format!("{} falls asleep for idleness, and {other} needs it", row.name));
    }
    // What is on its way to the controller, or comes while the row is being written, takes it back later.
    let unheard = if sim.is_faultless() { 8 * SECOND } else { 50 * SECOND };
    if held_for(sim, row, unheard) {
        return Some(format!("{} falls asleep for idleness, and an activator has a request of it", row.name));
    }
    let pair = row.pair.as_ref()?;
    let proxy = sim.truth.tasks.get(pair.proxy.task_arn.as_ref()?)?;
    if !proxy.runs() || proxy.sidecar.requests == 0 {
        return None;
    }
    let used_at = proxy.sidecar.used_at;
    let ago = (sim.now - used_at) / SECOND;
    let slack = sim.slack_since(used_at);
    let open = proxy.sidecar.in_flight > 0 && proxy.sidecar.asked_at + unheard + slack < sim.now;
    let lately = used_at + unheard + slack < sim.now && used_at + millis(after) > sim.now + SECOND + slack;
    if open || lately {
        return Some(format!("{} falls asleep for idleness, used {ago} s ago", row.name));
    }
    // Of two that lead, one is heard of here.
    let heard = sim.audit.heard.get(&proxy.seen.arn);
    let says = |(at, idle_for): &(Ms, Ms)| at + millis(after) > sim.now && *idle_for >= millis(after);
    let proven = heard.is_some_and(|heard| heard.idle.iter().any(says));
    (pair.ready_at.is_some() && !proven && !leads_beside(sim)).then(|| {
        format!("{} falls asleep for idleness, and its proxy did not say that it was idle", row.name)
    })
}

/// Whether an activator holds or forwards a request for so long that the leader knows. Its own it always does; a
/// standby says it, if its words come through.
fn held_for(sim: &Sim, row: &ServiceRecord, unheard: Ms) -> bool {
    sim.truth.requests.values().filter(|request| request.service == row.name).any(|request| {
        let hears = sim.is_faultless() && request.since > sim.audit.leads_since + 10 * SECOND;
        let known = request.activator.is_some() && (request.activator == sim.audit.leader() || hears);
        known && request.since + unheard + sim.slack_since(request.since) < sim.now
    })
}

/// A service that depends on it and has been awake for so long that every controller knows.
fn needed_by<'a>(sim: &'a Sim, row: &ServiceRecord) -> Option<&'a String> {
    let known = 90 * SECOND;
    let since = |other: &ServiceRecord| sim.audit.desired_since.get(&other.name).copied();
    let needs =
        |other: &&ServiceRecord| other.desired == Desired::Awake && other.spec.depends_on.contains(&row.name);
    let mut others = sim.audit.rows.values().filter(needs);
    let by = others.find(|other| since(other).is_some_and(|at| at + known < sim.now))?;
    (sim.last_outage() + known < sim.now).then_some(&by.name)
}

/// Whether two controllers lead, or did a moment ago: what one has heard is not what the other knows.
pub fn leads_beside(sim: &Sim) -> bool {
    sim.truth.split.as_ref().is_some_and(|split| sim.now < split.until + 2 * LEASE)
}

/// Ended although its proxy told of a request that came after the flip.
fn missed_a_request(sim: &Sim, before: &ServiceRecord, row: &ServiceRecord) -> Option<String> {
    let flip = sim.audit.flips.get(&row.name)?;
    let ends = row.retiring.iter().any(|pair| {
        let own = pair.proxy.task_arn.as_ref() == Some(&flip.proxy);
        own && before.pair.as_ref().is_some_and(|was| was.id == pair.id && was.condemned.is_none())
    });
    let forced = before.rest.as_ref().is_some_and(|rest| rest.forced) || before.deleting;
    let proxy = sim.truth.tasks.get(&flip.proxy)?;
    // Whoever heard of it leads still, and there was time to write.
    let told = flip.told_at.is_some_and(|at| at >= sim.audit.leads_since && at + 8 * SECOND < sim.now);
    let dead = half(sim, proxy, Role::Service).is_none_or(|task| !task.runs() || task.seen.stopping);
    (ends && told && flip.counted && !forced && !dead && proxy.runs() && !leads_beside(sim)).then(|| {
        format!("{} ends, and its proxy told of a request that came after it was to sleep", row.name)
    })
}
