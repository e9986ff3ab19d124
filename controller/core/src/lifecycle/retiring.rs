//! What is on its way out: pairs that were given up, and tasks that no pair names. Nobody is to be led there any more, and
//! what is in flight has its time; then the proxy ends, and its service after it.

use super::pairs::drained_by;
use super::settle::end_unattempted;
use super::{Step, View};
use crate::idle;
use crate::intent::{later, since};
use crate::observed::{Task, TaskStatus};
use crate::settings::Settings;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{DnsMemory, Pair, ServiceRecord, planted};
use jiff::Timestamp;
use std::time::Duration;

/// How long a proxy whose service is gone is kept for its record to be withdrawn, and forgotten by resolvers, first. One
/// that serves is kept until that is so.
pub(super) const WITHDRAW_FIRST: Duration = Duration::from_secs(120);

pub(super) fn plan(
    settings: &Settings,
    next: &mut ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
    steps: &mut Vec<Step>,
) {
    if next.strays.is_empty() && next.retiring.is_empty() {
        return;
    }
    let is_put_off = view.stop_refusal.is_some_and(|refusal| now < refusal.stop_again_at());
    let way = Way {
        view,
        now,
        dns: next.dns.clone(),
        ttl: settings.dns_ttl,
        drain: next.spec.drain,
        drained_at: next.rest.as_ref().and_then(|rest| rest.drain_at),
    };
    for (arn, cluster) in next.strays.iter().filter(|(arn, _)| !way.is_ending(arn) && !planted!(StraysStay)) {
        if way.keeps_stray(next, arn) || is_put_off {
            continue;
        }
        let (arn, cluster) = (arn.clone(), cluster.clone());
        steps.push(Step::Stop { cluster, arn, reason: "dormouse: no pair of its service names it".into() });
    }
    for pair in &mut next.retiring {
        end_unattempted(pair, now);
        let Some((condemned_at, why)) = pair.condemned.clone() else { continue };
        let is_kept = if pair.replaced && way.is_whole(pair) {
            way.hands_over(pair)
        } else {
            way.finishes(pair, condemned_at)
        };
        if is_kept {
            continue;
        }
        let role = way.next_to_end(pair);
        let intent = pair.task_mut(role);
        let Some(arn) = intent.task_arn.clone().filter(|_| intent.is_open()) else { continue };
        let cluster = intent.parameters.cluster.clone();
        intent.stop_at.get_or_insert(now);
        if !way.is_ending(&arn) && !is_put_off {
            steps.push(Step::Stop { cluster, arn, reason: format!("dormouse: {why}") });
        }
    }
    let (over, retiring) = std::mem::take(&mut next.retiring).into_iter().partition(Pair::is_over);
    next.retiring = retiring;
    over.iter().for_each(|pair: &Pair| meter(next, pair));
}

/// How long a pair was up, for what it cost.
fn meter(next: &mut ServiceRecord, over: &Pair) {
    let Some((from, to)) = over.ran() else { return };
    next.awake.add(from, to);
    if over.on_fargate.is_some() {
        next.awake_on_fargate.add(from, to);
    }
}

/// What the way out depends on, besides who goes.
struct Way<'a> {
    view: &'a View<'a>,
    now: Timestamp,
    dns: DnsMemory,
    /// How long resolvers remember a record.
    ttl: Duration,
    drain: Duration,
    /// When the drain of the sleep began that is under way.
    drained_at: Option<Timestamp>,
}

impl Way<'_> {
    /// What ECS answers MISSING for cannot be stopped: it may be found in a moment, or is gone.
    fn is_ending(&self, arn: &String) -> bool {
        let missing = || self.view.tasks.missing.contains(arn);
        self.view.tasks.by_arn.get(arn).map_or_else(missing, Task::is_ending)
    }

    /// When resolvers have forgotten that a record led to an address; `None`: not known yet. While a change is under way
    /// the zone may hold what stood before it, or what an earlier one asked for.
    fn forgotten_at(&self, address: Option<&String>) -> Option<Timestamp> {
        let stands = || address.is_none_or(|address| self.dns.published.as_ref() == Some(address));
        match self.dns.withdrawn_at {
            Some(at) => Some(later(at, self.ttl)),
            None if self.dns.pending.is_some() || stands() => None,
            // Resolvers do not forget what stood there before at once.
            None => Some(self.dns.published_at.map_or(Timestamp::MIN, |at| later(at, self.ttl))),
        }
    }

    fn may_be_found(&self, address: Option<&String>) -> bool {
        self.forgotten_at(address).is_none_or(|at| self.now < at)
    }

    fn address(&self, pair: &Pair) -> Option<&String> {
        self.view.task(&pair.proxy).and_then(|task| task.public_address.as_ref())
    }

    /// Whether somebody may be led to its proxy yet.
    fn is_found(&self, pair: &Pair) -> bool {
        let lives = pair.proxy.is_open() && pair.proxy.task_arn.is_some();
        // Once its drain has begun nothing leads to it again, however long a later change of the zone takes.
        lives
            && pair.drain_at.is_none()
            && self.may_be_found(self.address(pair))
            && !(pair.replaced && planted!(ReplacedAtOnce))
    }

    /// Whether neither half is known to end.
    fn is_whole(&self, pair: &Pair) -> bool {
        Role::ALL.into_iter().all(|role| {
            let intent = pair.task(role);
            intent.is_open() && self.view.task(intent).is_none_or(|task| !task.is_ending())
        })
    }

    /// The same, and both are seen.
    fn works(&self, pair: &Pair) -> bool {
        self.is_whole(pair) && Role::ALL.into_iter().all(|role| self.view.task(pair.task(role)).is_some())
    }

    /// Requests and sockets at its proxy.
    fn open_at_proxy(&self, pair: &Pair) -> u64 {
        let activity = self.view.beat(pair, Role::Proxy).and_then(|beat| beat.activity);
        activity.map_or(0, |activity| idle::open(&activity))
    }

    /// A pair whose place another one has taken: it serves until nobody is led to it any more, however long its record
    /// takes to move, and then it drains.
    fn hands_over(&self, pair: &mut Pair) -> bool {
        if self.is_found(pair) {
            return true;
        }
        let drain_at = *pair.drain_at.get_or_insert(self.now);
        let beat = self.view.beat(pair, Role::Proxy);
        let told = beat.is_some_and(|beat| beat.state == SidecarState::Draining && beat.at >= drain_at);
        let quiet = told && self.open_at_proxy(pair) == 0 && self.view.activator.in_flight == 0;
        let is_up = self.view.task(&pair.proxy).is_some_and(|task| task.status == TaskStatus::Running);
        !quiet && self.now < drained_by(drain_at, beat, is_up, self.drain) && !planted!(NoDrain)
    }

    /// Any other pair: one that works finishes what it has, from when nobody is led to it any more; one that slept has had
    /// its drain.
    fn finishes(&self, pair: &Pair, condemned_at: Timestamp) -> bool {
        let works = self.works(pair);
        let had_its_drain = self.drained_at.is_some_and(|at| at < condemned_at);
        // Before its record is made, the activator leads to it as soon as its service answers.
        let answers =
            self.view.beat(pair, Role::Service).is_some_and(|beat| beat.state == SidecarState::Serving);
        let by_activator = answers && self.view.activator.in_flight > 0;
        let in_flight = by_activator || self.open_at_proxy(pair) > 0;
        let alone_from = self.forgotten_at(self.address(pair)).unwrap_or(self.now).max(condemned_at);
        let has_its_drain = |from| !had_its_drain && self.now < later(from, self.drain);
        // Whom the activator led to a service whose proxy was never made; or was stopped, and who came while that was
        // written down: until then it leads there.
        let without_proxy = pair.proxy.task_arn.is_none() || pair.proxy.stop_at.is_some();
        let alone = without_proxy && pair.service.is_open() && by_activator;
        works && in_flight && has_its_drain(alone_from)
            || self.is_found(pair) && (works || self.now < later(condemned_at, WITHDRAW_FIRST))
            || alone && has_its_drain(condemned_at)
    }

    /// Which half is to end now: its service once its proxy has ended.
    fn next_to_end(&self, pair: &Pair) -> Role {
        let first = if planted!(ServiceBeforeProxy) { Role::Service } else { Role::Proxy };
        let is_open = |role| pair.task(role).is_open();
        // Once its containers have ended it serves nobody, however long ECS takes to let go of its interface.
        let has_ended =
            self.view.task(pair.task(first)).is_some_and(|task| task.status > TaskStatus::Stopping);
        let is_over = !is_open(first) || has_ended && is_open(first.peer());
        if is_over { first.peer() } else { first }
    }

    /// A row that somebody deleted left tasks that users may still be led to: what stands in the zone goes first. A proxy
    /// that serves nobody is not kept for that for ever.
    fn keeps_stray(&self, next: &ServiceRecord, arn: &String) -> bool {
        let stray = |arn: &String| {
            let task = self.view.tasks.by_arn.get(arn)?;
            Some((task, task.identity.as_ref()?))
        };
        let Some((task, own)) = stray(arn) else { return false };
        let young = since(self.now, next.created_at) < WITHDRAW_FIRST;
        let is_half = |other: &Identity| {
            other.role == own.role.peer()
                && (&other.service, other.epoch, other.attempt) == (&own.service, own.epoch, own.attempt)
        };
        // Until its containers have ended a proxy goes on with what it has in flight, and its service is there for that.
        let is_there = |task: &Task| match own.role {
            Role::Proxy => !task.is_ending(),
            Role::Service => task.status <= TaskStatus::Stopping,
        };
        let has_its_half =
            next.strays.keys().filter_map(stray).any(|(task, other)| is_there(task) && is_half(other));
        match own.role {
            Role::Proxy => {
                let is_unknown = self.dns.withdrawn_at.is_none() && self.dns.published.is_none();
                // Once its record is out it is found for a TTL at most, whatever another clock says of the row.
                let is_short = self.dns.withdrawn_at.is_some();
                (is_unknown || self.may_be_found(task.public_address.as_ref()))
                    && (young || has_its_half || is_short)
            }
            Role::Service => {
                // The activator may have led somebody straight to it.
                let drains =
                    self.view.activator.in_flight > 0 && self.now < later(next.created_at, self.drain);
                // A listing may show one half and not yet the other.
                let mut known = self.view.tasks.by_arn.values().filter_map(|task| task.identity.as_ref());
                has_its_half || drains || young && !known.any(is_half)
            }
        }
    }
}
