//! L1 to L9: what comes true once there are no faults.

use super::answers::is_ready;
use super::{Moment, RESTS_FOR, SETTLES_IN};
use crate::profile::{MINUTE, Ms, SECOND};
use crate::script::Aws;
use crate::sim::Sim;
use crate::truth::sidecar::millis;
use crate::truth::tasks::SimTask;
use crate::truth::zone::{SimZone, lookup};
use dormouse_core::definition::service_resources;
use dormouse_core::naming;
use dormouse_core::observed::TaskStatus;
use dormouse_manifests::{Fallback, IdleAfter};
use dormouse_peer::wire::Role;
use dormouse_state::{ConditionType, Desired, Pair, PairId, Phase, ServiceRecord};

/// Whether nothing was changed and nothing wished for long enough, without faults: nothing more will come.
pub fn is_at_rest(sim: &Sim) -> bool {
    let Some(calm) = sim.audit.calm_since else { return false };
    let desired = sim.audit.desired_since.values().copied().max().unwrap_or(0);
    sim.now > calm.max(desired).max(sim.audit.last_mutation.0) + RESTS_FOR
}

fn holds(row: &ServiceRecord, kind: ConditionType) -> bool {
    row.conditions.iter().any(|known| known.kind == kind && known.status)
}

fn is_explained(row: &ServiceRecord) -> bool {
    holds(row, ConditionType::Degraded) || holds(row, ConditionType::Conflict)
}

/// When a first pair becomes ready in a world without faults: how much of the wait was ours. As time passes: not
/// ready for ten minutes, and no word why. At the end: ready, by one pair that its name leads to; and so is what it needs.
pub fn l1_wake(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Row { before: Some(before), row, .. } if is_ready(row) && !is_ready(before) => {
            let own = own_share(sim, row)?;
            (own > 2 * SECOND)
                .then(|| format!("{} was ready {own} ms after all that it waited for", row.name))
        }
        Moment::Tick => {
            let lasts = |word: &str, most: Ms| {
                let late = |(key, since): &(&String, &Ms)| key.starts_with(word) && sim.now > **since + most;
                sim.audit.since.iter().find(late).map(|(key, _)| key)
            };
            let silent = lasts("unready ", 11 * MINUTE);
            silent
                .map(|silent| format!("{silent} for ten minutes, and nothing says why"))
                .or_else(|| lasts("in vain ", 2 * MINUTE).map(|key| format!("{key} for two minutes")))
        }
        Moment::End => sim
            .audit
            .rows
            .values()
            .filter(|row| row.desired == Desired::Awake)
            .find_map(|row| is_up(sim, row)),
        _ => None,
    }
}

/// Of a wake, the time that neither the cloud nor the container took; `None`: it cannot be told.
pub(super) fn own_share(sim: &Sim, row: &ServiceRecord) -> Option<Ms> {
    let first = PairId { epoch: row.epoch, attempt: dormouse_core::lifecycle::first_attempt(row.created_at) };
    let pair = row.pair.as_ref().filter(|pair| pair.id == first)?;
    let woken = *sim.audit.woken.get(&row.name)?;
    // A standby tells the leader at once, as soon as it follows it.
    let is_told = sim.audit.leader() == sim.audit.woken_by.get(&row.name).copied()
        || sim.audit.leads_since + 10 * SECOND < woken;
    let undisturbed = sim.faultless_since().is_some_and(|since| since <= woken)
        && sim.audit.disturbed_at + MINUTE < woken
        && sim.audit.leads_since < woken
        && is_told
        && sim.audit.desired_since.get(&row.name) == Some(&woken);
    if !undisturbed || !row.retiring.is_empty() {
        return None;
    }
    let task = |role| super::tasks::task_of(sim, row, pair.id, role);
    let (proxy, service) = (task(Role::Proxy)?, task(Role::Service)?);
    let on = service.seen.container_instance.as_ref()?;
    let connected = sim.truth.fleet.members.values().find(|member| member.arn == *on)?.connected_at;
    // Another's task may have had to make room first.
    let before = sim.truth.tasks.values().filter(|task| task.seen.container_instance.as_ref() == Some(on));
    let freed = before.filter_map(|task| task.stopped_at).filter(|at| *at <= service.created).max();
    let placed = service.created.saturating_sub(woken.max(connected).max(freed.unwrap_or(0)));
    let up = service.sidecar.answers_at.max(proxy.sidecar.started_at);
    Some(placed + sim.now.saturating_sub(up))
}

/// Whether a service says that its name is somebody else's, and it is: the zone is looked at.
fn is_in_conflict(sim: &Sim, row: &ServiceRecord) -> bool {
    holds(row, ConditionType::Conflict) && is_taken(sim, &row.name)
}

fn is_up(sim: &Sim, row: &ServiceRecord) -> Option<String> {
    if !is_ready(row) {
        if !is_explained(row) {
            return Some(format!("{} is awake, not ready, and does not say why", row.name));
        }
        let why = row.conditions.iter().find(|known| known.kind == ConditionType::Degraded);
        let why = why.map(|known| format!("{}: {}", known.reason, known.message)).unwrap_or_default();
        let expected = is_in_conflict(sim, row) || is_crowded(sim);
        return (!expected).then(|| format!("{} is not ready in a world without faults: {why}", row.name));
    }
    let running = |role| -> Vec<&SimTask> {
        let of_role = tasks_of(sim, &row.name).filter(|task| task.role() == Some(role));
        of_role.filter(|task| task.seen.status == TaskStatus::Running).collect()
    };
    if let Some((role, count)) =
        Role::ALL.map(|role| (role, running(role).len())).into_iter().find(|(_, count)| *count != 1)
    {
        return Some(format!("{} is ready with {count} {role} tasks", row.name));
    }
    let public = running(Role::Proxy).first().and_then(|task| task.public.clone());
    let name = naming::record_name(&row.name, &sim.settings.domain);
    let found = lookup(&sim.truth.zone.served, &name, &sim.settings.domain).0;
    (found != public).then(|| format!("{} is ready and leads to {found:?} instead of {public:?}", row.name))
}

/// What it needs and sleeps, though nobody has put that to sleep since it was woken.
fn needed_in_vain<'a>(sim: &Sim, row: &'a ServiceRecord) -> Option<&'a String> {
    let woken = *sim.audit.woken.get(&row.name)?;
    row.spec.depends_on.iter().find(|name| {
        let needed = sim.audit.rows.get(*name).filter(|needed| !needed.deleting);
        needed.is_some_and(|needed| needed.desired == Desired::Asleep)
            && sim.audit.desired_since.get(*name).is_some_and(|since| *since < woken)
    })
}

fn tasks_of<'a>(sim: &'a Sim, name: &str) -> impl Iterator<Item = &'a SimTask> {
    sim.truth.tasks.values().filter(move |task| task.is_there() && task.service() == Some(name))
}

/// Whether the group has no room for all that is awake, beside the tasks of strangers.
fn is_crowded(sim: &Sim) -> bool {
    let max = usize::try_from(sim.truth.fleet.max).unwrap_or(usize::MAX);
    let awake = || sim.audit.rows.values().filter(|row| row.desired == Desired::Awake);
    let large = awake().filter(|row| row.spec.cpu > 1024).count();
    let strangers = sim.truth.tasks.values().filter(|task| is_in_the_way(sim, task)).count();
    awake().count() + strangers > max * 3 || large > max || large == max && awake().count() > 1
}

/// Whether a task of somebody else takes a place of our group.
fn is_in_the_way(sim: &Sim, task: &SimTask) -> bool {
    let on_ours = |on: &String| sim.truth.fleet.is_ours(on);
    task.is_there()
        && task.seen.identity.is_none()
        && task.seen.container_instance.as_ref().is_some_and(on_ours)
}

/// As time passes: what sleeps is gone when its time is over, and what nobody has used for long sleeps. At the end:
/// nothing leads to it either.
pub fn l2_sleep(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Tick => sim.audit.rows.values().find_map(|row| {
            // Whoever comes to lead lets every wait that is under way begin again by its own clock.
            let asleep = sim.audit.lasts(&format!("asleep {}", row.name), sim.now);
            if asleep.min(sim.audit.led_for(sim.now)) > time_to_sleep(sim, row)
                && let Some(task) = tasks_of(sim, &row.name).next()
            {
                return Some(format!("{} is to sleep for long, and {} is there", row.name, task.seen.arn));
            }
            let IdleAfter::After(after) = row.spec.idle_after else { return None };
            let unused = sim.audit.lasts(&unused(sim, row), sim.now);
            // Until nobody can be led to the pair before any more, it is not known who comes there.
            let moves = row.retiring.iter().any(|pair| pair.replaced);
            (!moves && unused > millis(after) + 2 * MINUTE)
                .then(|| format!("{} is awake, and nobody has used it for {} s", row.name, unused / SECOND))
        }),
        Moment::End => sim.audit.rows.values().filter(|row| row.desired == Desired::Asleep).find_map(|row| {
            let key = (naming::record_name(&row.name, &sim.settings.domain), "A".to_owned());
            if sim.truth.zone.ours.contains(&key) {
                return Some(format!("{} sleeps and has a record", row.name));
            }
            (row.phase != Phase::Asleep)
                .then(|| format!("{} is to sleep and said to be {:?}", row.name, row.phase))
        }),
        _ => None,
    }
}

/// Propagation, TTL, drain, stop time-outs, and a minute.
fn time_to_sleep(sim: &Sim, row: &ServiceRecord) -> Ms {
    let (drain, ttl) = (millis(row.spec.drain), millis(sim.settings.dns_ttl));
    sim.profile.insync.1 + ttl + drain + 30 * SECOND + 60 * SECOND
}

/// As time passes: eight minutes without a task, and instances are there. At the end: no more than are of use.
pub fn l3_zero(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        // Whoever comes to lead lets them be empty for the whole time.
        Moment::Tick if sim.audit.lasts("empty", sim.now).min(sim.audit.led_for(sim.now)) > 8 * MINUTE => {
            let left = members(sim).find(|member| member.joined)?;
            Some(format!("{} runs, and for eight minutes there was no task", left.id))
        }
        Moment::End => {
            let strangers = sim.truth.tasks.values().any(|task| is_in_the_way(sim, task));
            let awake = sim.audit.rows.values().filter(|row| row.desired == Desired::Awake).count();
            let (living, min, desired) = (members(sim).count(), sim.truth.fleet.min, sim.truth.fleet.desired);
            let most = awake.max(usize::try_from(min).unwrap_or(0));
            (!strangers && (living > most || awake == 0 && desired > min))
                .then(|| format!("{awake} services are awake on {living} instances, {desired} desired"))
        }
        _ => None,
    }
}

fn members(sim: &Sim) -> impl Iterator<Item = &crate::truth::fleet::SimMember> {
    sim.truth.fleet.members.values().filter(|member| member.lifecycle != "Terminating")
}

/// At the end: nothing was changed any more once all was as desired, and nothing is half-way: no pair of a manifest
/// before.
pub fn l4_convergence(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    if !matches!(moment, Moment::End) {
        return None;
    }
    let desired = sim.audit.desired_since.values().copied().max().unwrap_or(0);
    let rest = desired.max(sim.audit.calm_since.unwrap_or(0)) + SETTLES_IN;
    let (at, what) = &sim.audit.last_mutation;
    if *at > rest {
        return Some(format!("{what} long after the last fault and wish"));
    }
    sim.audit.rows.values().find_map(|row| half_way(sim, row))
}

fn half_way(sim: &Sim, row: &ServiceRecord) -> Option<String> {
    if row.deleting {
        return Some(format!("{} is still being deleted", row.name));
    }
    let there = row.phase == if row.desired == Desired::Awake { Phase::Awake } else { Phase::Asleep };
    let expected = there || is_explained(row) && (is_in_conflict(sim, row) || is_crowded(sim));
    if !expected || !row.retiring.is_empty() || row.successor.is_some() {
        return Some(format!("{} is {:?}, to be {:?}", row.name, row.phase, row.desired));
    }
    let failed = row.rollout.as_ref().is_some_and(|rollout| rollout.failure.is_some());
    let other = row.pair.as_ref().filter(|pair| pair.generation != row.generation && !failed)?;
    Some(format!("{} runs generation {}, and {} is declared", row.name, other.generation, row.generation))
}

/// At the end of a run in which a controller crashed at an effect: as without it.
pub fn l5_crash_anywhere(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let crashed = sim.strokes.as_ref().is_some_and(|strokes| !strokes.at.is_empty());
    if !matches!(moment, Moment::End) || !crashed {
        return None;
    }
    let astray = sim.audit.rows.values().find_map(|row| half_way(sim, row))?;
    Some(format!("after the crash {astray}"))
}

/// When the lease changes hands, and as time passes without a leader.
pub fn l6_takeover(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    // A look that fails costs the time between two looks, and a write takes up to five seconds.
    let margin = if sim.is_faultless() { SECOND / 2 } else { 10 * SECOND };
    let waits = || {
        let vacant = sim.audit.vacant_since?;
        let up = sim.audit.running.iter().filter(|(controller, _)| !sim.audit.down.contains(controller));
        let candidate = up.map(|(_, running)| running.since).min()?;
        // Without the table there is no lease; and while each sees one of its own, none is waited for.
        let split = sim.truth.split.as_ref().map_or(0, |split| split.until);
        // One that disappears is waited for anew, since its holder may be there.
        let calm = sim.audit.calm_since.unwrap_or(0).max(split).max(sim.audit.lease_lost_at);
        let began = vacant.max(candidate).max(sim.last_outage()).max(calm);
        Some(sim.now - began.min(sim.now))
    };
    match *moment {
        Moment::Tick | Moment::Lease { .. } if waits().is_some_and(|waits| waits > 17_400 + margin) => {
            Some(format!("no leader for {} ms, and one waits", waits()?))
        }
        Moment::Tick if sim.is_faultless() && sim.audit.vacant_since.is_none() => {
            let controller = sim.audit.leader()?;
            let running = sim.audit.running.get(&controller)?;
            let since = sim.audit.leads_since.max(running.since).max(sim.faultless_since()?);
            let blind = ["proxies", "services", "group", "instances", "zone"]
                .iter()
                .find(|part| !running.read.contains(*part))?;
            (sim.now > since + 10 * SECOND)
                .then(|| format!("the new leader has not read the {blind} after 10 s"))
        }
        _ => None,
    }
}

/// As time passes: a service was woken, a leader leads, nothing of its past is in the way, and no call was made for it.
/// By how much one of which nothing works delays others is compared by a test, between a run with it and one without.
pub fn l7_no_starvation(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    if !matches!(moment, Moment::Tick) {
        return None;
    }
    let starved = sim
        .audit
        .since
        .iter()
        .find(|(key, since)| key.starts_with("untried ") && sim.now > **since + MINUTE)?;
    Some(format!("{} for a minute", starved.0))
}

/// At each record that we put back: not more often than once in five minutes. As time passes without faults: a
/// service that is ready is found, or there is said to be a conflict.
pub fn l8_drift(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Zone(Some(changes)) => changes.iter().find_map(|change| {
            let dormouse_core::dns::Change::Create(set) = change else { return None };
            let record = (set.name.clone(), set.values.clone());
            let last = sim.audit.put_back.get(&record).filter(|_| set.kind == "A")?;
            let again = sim.audit.removed_by_others.contains(&record)
                && super::memory::is_put_back(Some(changes), &set.name);
            // It counts from its call, which may have been on its way for long, in a time of faults that is over.
            let on_its_way = 35 * SECOND;
            let ago = sim.now - last + sim.slack_across(*last) + on_its_way + SECOND;
            (again && ago < 5 * MINUTE).then(|| format!("{} is put back again after {ago} ms", set.name))
        }),
        Moment::Tick => {
            let lasts = |word: &str, most: Ms| {
                let late = |(key, since): &(&String, &Ms)| key.starts_with(word) && sim.now > **since + most;
                sim.audit
                    .since
                    .iter()
                    .find(late)
                    .map(|(key, _)| format!("{key} for {} minutes", most / MINUTE))
            };
            lasts("clash ", 3 * MINUTE)
                .or_else(|| lasts("unfounded ", 7 * MINUTE))
                .or_else(|| lasts("astray ", 6 * MINUTE))
                .or_else(|| lasts("broken ", 2 * MINUTE))
        }
        _ => None,
    }
}

/// As time passes without faults: five minutes of a task that no pair names, of a half without its other half, of
/// an instance that drains and does not go. At the end: TXTs of services that are gone.
pub fn l9_no_leak(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Tick => {
            let leak = sim
                .audit
                .since
                .iter()
                .find(|(key, since)| key.starts_with("leaked ") && sim.now > **since + 5 * MINUTE)?;
            Some(format!("{} for five minutes", leak.0))
        }
        Moment::End => {
            let domain = &sim.settings.domain;
            let wildcard = naming::owner_name(dormouse_core::dns::WILDCARD, domain);
            let known = |name: &String| {
                *name == wildcard || sim.audit.rows.keys().any(|row| naming::owner_name(row, domain) == *name)
            };
            let left = sim.truth.zone.ours.iter().find(|(name, kind)| kind == "TXT" && !known(name));
            left.map(|(name, _)| format!("{name} is left in the zone")).or_else(|| super::made::overdue(sim))
        }
        _ => None,
    }
}

/// Since when what is to pass has not.
pub fn keep_time(sim: &mut Sim) {
    let calm = sim.calm_for() > 0 || sim.is_faultless();
    let leads = sim.audit.vacant_since.is_none() && sim.audit.leader().is_some();
    let mut held: Vec<String> = Vec::new();
    for row in sim.audit.rows.values() {
        let (name, awake) = (&row.name, row.desired == Desired::Awake);
        let ready = is_ready(row);
        if leads && awake && is_untried(sim, row) {
            held.push(format!("untried {name} is woken and no call is made for it"));
        }
        if !calm {
            continue;
        }
        if let Some(needed) = needed_in_vain(sim, row).filter(|_| awake) {
            held.push(format!("in vain {name} was woken, and {needed} sleeps, which it needs"));
        }
        if awake && !ready && !is_explained(row) {
            held.push(format!("unready {name} is awake and not ready"));
        }
        if sim.truth.poisoned.contains(name) {
            continue;
        }
        if !awake {
            held.push(format!("asleep {name}"));
        }
        if awake && ready && is_unused(sim, row) {
            held.push(unused(sim, row));
        }
        // A call that was not answered is made again first, when its next try is due: that says whether a task is there.
        let put_off = row.conditions.iter().any(|known| known.status && known.reason == "CallRefused");
        if awake && !put_off && row.pair.as_ref().is_some_and(|pair| is_over(sim, row, pair.id)) {
            held.push(format!("broken {name} is to be awake, and its pair is over"));
        }
        if holds(row, ConditionType::Conflict) && !is_taken(sim, name) {
            held.push(format!(
                "unfounded {name} says that there is a conflict, and its name is nobody else's"
            ));
        }
        if awake && !holds(row, ConditionType::Conflict) && clashes(sim, row) {
            held.push(format!("clash {name} serves, its name is another's, and no conflict is said"));
        }
        if awake && ready && !holds(row, ConditionType::Conflict) && is_astray(sim, row) {
            held.push(format!("astray {name} is ready, and its name leads elsewhere"));
        }
    }
    if calm {
        held.extend(leaks(sim));
        let counts = |task: &SimTask| task.seen.identity.is_some() || is_in_the_way(sim, task);
        if sim.truth.tasks.values().all(|task| !task.is_there() || !counts(task))
            && sim.audit.rows.values().all(|row| row.desired == Desired::Asleep)
            && sim.truth.fleet.min == 0
        {
            held.push("empty".to_owned());
        }
    }
    let now = sim.now;
    let before = std::mem::take(&mut sim.audit.since);
    let since = |key: String| (before.get(&key).copied().unwrap_or(now), key);
    sim.audit.since = held.into_iter().map(since).map(|(at, key)| (key, at)).collect();
}

fn is_untried(sim: &Sim, row: &ServiceRecord) -> bool {
    let woken = sim.audit.woken.get(&row.name).copied().unwrap_or(0);
    let tried = sim.audit.tried.get(&row.name).is_some_and(|at| *at >= woken);
    // Two generations at the most: a third waits until one of them is gone. A failed one is tried again when it is due.
    let generations =
        row.retiring.iter().filter(|pair| !pair.is_over()).count() + row.strays.len().div_ceil(2);
    let free = generations < 2 && row.failures == 0 && !row.deleting;
    // Whoever comes to lead reads everything first. A standby that cannot tell the leader writes the wake down, and the
    // leader reads the table every two minutes while all sleep.
    let by_the_leader = sim.audit.leader() == sim.audit.woken_by.get(&row.name).copied();
    let is_known = match sim.audit.leads_since {
        since if since >= woken => since + MINUTE < sim.now,
        _ => by_the_leader || woken + 2 * MINUTE < sim.now,
    };
    // With less than a tenth of the calls left, nothing is promised. A call needs the table, and ECS; the zone and
    // EC2 it does not.
    let undisturbed =
        sim.last_outage_of(&[Aws::Ecs, Aws::Table]) + MINUTE < sim.now && sim.profile.neighbours <= 900;
    // Where there is truly no place, nor will be, there is no call to be made: what may run on Fargate runs there.
    let says = |reason: &str| row.conditions.iter().any(|known| known.reason == reason);
    // Why the group's last launch failed is known as long as the group can be asked.
    let unheard = sim.last_outage_of(&[Aws::Scaling]) + MINUTE >= sim.now;
    let no_launch = says("LaunchFailed") && (sim.truth.fleet.launch_failed || unheard);
    let no_room =
        (says("AtMaximum") || no_launch) && row.spec.fallback != Fallback::Fargate && !has_place(sim, row);
    // RunTask was refused before, also for the wake before: its tries stay spaced, which S14 asks for.
    let spaced = row.conditions.iter().any(|known| known.status && known.reason == "CallRefused");
    undisturbed
        && !spaced
        && !no_room
        && !tried
        && free
        && is_known
        && row.pair.as_ref().is_none_or(|pair| pair.id.epoch == row.epoch)
}

/// Whether an instance truly has a place for a service's task. Whether a stranger's task takes an interface, nobody can
/// tell: it counts as one that does.
fn has_place(sim: &Sim, row: &ServiceRecord) -> bool {
    let on = |arn: &String| {
        let there = sim.truth.tasks.values().filter(|task| task.is_there());
        there.filter(|task| task.seen.container_instance.as_ref() == Some(arn)).count()
    };
    let most = usize::try_from(sim.settings.max_tasks_per_instance).unwrap_or(usize::MAX);
    let places = sim.with_room(service_resources(&row.spec)).unwrap_or_default();
    places.iter().any(|arn| on(arn) < most)
}

/// The property of a service that nobody uses: to take over is no use, but a pair in place of a lost one begins anew.
fn unused(sim: &Sim, row: &ServiceRecord) -> String {
    let first = sim.audit.first_pairs.get(&row.name).copied().unwrap_or_default();
    format!("unused {} {first}", row.name)
}

fn is_unused(sim: &Sim, row: &ServiceRecord) -> bool {
    let proxy = |pair: &Pair| sim.truth.tasks.get(pair.proxy.task_arn.as_ref()?);
    if row.pair.as_deref().and_then(proxy).is_none() {
        return false;
    }
    let needed = sim.audit.rows.values().any(|other| {
        let busy = other.desired == Desired::Awake || other.phase != Phase::Asleep;
        busy && other.spec.depends_on.contains(&row.name)
    });
    let asked = sim.truth.requests.values().any(|request| request.service == row.name);
    let lately = |used_at: Ms| used_at + 16 * SECOND > sim.now;
    let at_proxy = row.pairs().filter_map(proxy).map(|proxy| &proxy.sidecar);
    let at_activator = sim.truth.used_at_activator.get(&row.name);
    let lately = at_activator.is_some_and(|used_at| lately(*used_at))
        || at_proxy.filter(|sidecar| sidecar.requests > 0).any(|sidecar| lately(sidecar.used_at));
    !needed && !asked && !lately && row.awake_until.is_none() && row.spec.awake.is_empty()
}

/// Whether a half of a pair that is to serve is over.
fn is_over(sim: &Sim, row: &ServiceRecord, id: PairId) -> bool {
    let half = |role| super::tasks::task_of(sim, row, id, role);
    Role::ALL.into_iter().any(|role| half(role).is_some_and(|task| !task.is_there()))
}

fn is_astray(sim: &Sim, row: &ServiceRecord) -> bool {
    let proxy = row.pair.as_ref().and_then(|pair| sim.truth.tasks.get(pair.proxy.task_arn.as_ref()?));
    let name = naming::record_name(&row.name, &sim.settings.domain);
    proxy.is_some_and(|proxy| lookup(&sim.truth.zone.sets, &name, &sim.settings.domain).0 != proxy.public)
}

/// Whether somebody else has the name, or the claim, that a pair which serves is to have.
fn clashes(sim: &Sim, row: &ServiceRecord) -> bool {
    let serves = row.pair.as_ref().is_some_and(|pair| {
        let runs = |role| super::tasks::task_of(sim, row, pair.id, role).filter(|task| task.runs());
        let answers = |task: &SimTask| task.sidecar.answers_at <= sim.now;
        let proxy = runs(Role::Proxy).is_some_and(|proxy| proxy.sidecar.knows_peer());
        pair.condemned.is_none() && proxy && runs(Role::Service).is_some_and(answers)
    });
    serves && is_taken(sim, &row.name)
}

/// Whether somebody else has a name, or its claim, in one of the zones.
fn is_taken(sim: &Sim, service: &str) -> bool {
    let domain = &sim.settings.domain;
    let public = [(naming::record_name(service, domain), "A"), (naming::owner_name(service, domain), "TXT")];
    let taken = |zone: &SimZone, (name, kind): &(String, &str)| {
        let key = (name.clone(), (*kind).to_owned());
        zone.sets.contains_key(&key) && !zone.ours.contains(&key)
    };
    let private = sim.settings.private_zone.iter().flat_map(|zone| {
        let roles = Role::ALL.map(|role| (format!("{service}.{role}.{}", zone.name), "A"));
        roles.into_iter().chain([(naming::owner_name(service, &zone.name), "TXT")])
    });
    public.iter().any(|key| taken(&sim.truth.zone, key))
        || private.into_iter().any(|key| taken(&sim.truth.private_zone, &key))
}

fn leaks(sim: &Sim) -> Vec<String> {
    let intended = |task: &SimTask| {
        let rows = sim.audit.rows.values().flat_map(|row| row.pairs());
        rows.into_iter().any(|pair| {
            Role::ALL.iter().any(|role| pair.task(*role).task_arn.as_ref() == Some(&task.seen.arn))
        })
    };
    let mut leaks = Vec::new();
    for task in sim.truth.tasks.values().filter(|task| task.is_there() && !task.seen.stopping) {
        let Some(own) = &task.seen.identity else { continue };
        if !intended(task) {
            leaks.push(format!("leaked {} ({own}) runs, and nobody intends it", task.seen.arn));
        }
        if super::tasks::half(sim, task, own.role.peer()).is_some_and(|other| !other.is_there()) {
            leaks.push(format!("leaked {} ({own}) runs without its other half", task.seen.arn));
        }
    }
    let used = |arn: &String| {
        sim.truth
            .tasks
            .values()
            .any(|task| task.is_there() && task.seen.container_instance.as_ref() == Some(arn))
    };
    for member in
        members(sim).filter(|member| member.draining_since.is_some() && !member.active && !used(&member.arn))
    {
        leaks.push(format!("leaked {} drains, and stays", member.id));
    }
    leaks
}
