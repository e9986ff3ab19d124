//! S16 and S17: what users are told.

use super::Moment;
use crate::profile::{Ms, SECOND};
use crate::sim::Sim;
use crate::truth::requests::Request;
use dormouse_core::observed::TaskStatus;
use dormouse_peer::wire::Role;
use dormouse_state::{ConditionType, ServiceRecord};

/// Whether a row says that its service is ready.
pub fn is_ready(row: &ServiceRecord) -> bool {
    row.conditions.iter().any(|known| known.kind == ConditionType::Ready && known.status)
}

/// When a row says for the first time that its service is ready, or that a pair takes another's place.
pub fn s16_truth_of_ready(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Row { before, row, .. } = moment else { return None };
    let begins = is_ready(row) && !before.is_some_and(is_ready);
    if !begins && !before.is_some_and(|before| takes_over(before, row)) {
        return None;
    }
    let arn = row.pair.as_ref().and_then(|pair| pair.proxy.task_arn.as_ref());
    let address = arn.and_then(|arn| sim.truth.tasks.get(arn)?.public.clone()).unwrap_or_default();
    let probed = sim.audit.probes.get(&(row.name.clone(), address)).copied();
    // The write itself takes up to five seconds.
    if probed.is_none_or(|at| sim.now - at > 16 * SECOND + sim.slack_since(at)) {
        return Some(format!("{} is said to be ready, last probed {probed:?}", row.name));
    }
    answers_nobody(sim, row)
}

/// A service that did not answer when it was said to be ready, nor as lately as a report of its may be old: it is said by
/// its sidecar, whose reports may come late.
fn answers_nobody(sim: &Sim, row: &ServiceRecord) -> Option<String> {
    let pair = row.pair.as_ref()?;
    let task = super::tasks::task_of(sim, row, pair.id, Role::Service)?;
    let late = if sim.is_faultless() { 0 } else { 20 * SECOND + sim.profile.task_lag };
    let lately = |at: Ms| sim.now <= at + 16 * SECOND + late + sim.slack_since(at);
    let began = task.sidecar.answers_at.max(task.sidecar.started_at);
    let answers = task.runs() && began <= sim.now && task.seen.status == TaskStatus::Running;
    let did = sim.audit.answered_until.get(&task.seen.arn).is_some_and(|at| lately(*at));
    let ended = task.ended_at.is_some_and(lately) && began <= sim.now;
    (!answers && !did && !ended)
        .then(|| format!("{} is said to be ready, and {} does not answer", row.name, task.seen.arn))
}

/// Whether a pair that got ready beside the one that served is what serves from now on.
fn takes_over(before: &ServiceRecord, row: &ServiceRecord) -> bool {
    let serves = row.pair.as_ref().filter(|pair| pair.ready_at.is_some()).map(|pair| pair.id);
    let waited = before.successor.as_ref().filter(|pair| pair.ready_at.is_none()).map(|pair| pair.id);
    serves.is_some() && serves == waited
}

/// When a request is cut off: not by a planned end, before the drain's time is over. At the end of all: each one has
/// had its answer.
pub fn s17_no_lost_request(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Cut(arn, request) => cut(sim, arn, request),
        Moment::Unanswered(arn, request) => unanswered(sim, arn, request),
        Moment::End => {
            let (id, request) = sim.truth.requests.iter().next()?;
            Some(format!("request {id} for {} was never answered", request.service))
        }
        _ => None,
    }
}

fn cut(sim: &Sim, arn: &str, request: &Request) -> Option<String> {
    let (asked, true) = sim.truth.tasks.get(arn)?.stop_asked? else { return None };
    let service = request.answers.as_ref().and_then(|arn| sim.truth.tasks.get(arn));
    let early = sim.now + SECOND < asked + sim.audit.drain_of(&request.service);
    (early && service.is_some_and(|task| task.runs()))
        .then(|| format!("a request of {} was cut off at {arn}", request.service))
}

/// What the activator forwards is not cut off by the planned end of its service; nor is what its proxy still carries,
/// however that came to its end.
fn unanswered(sim: &Sim, arn: &str, request: &Request) -> Option<String> {
    let task = sim.truth.tasks.get(arn)?;
    let (asked, true) = task.stop_asked? else { return None };
    if let Some(proxy) = request.proxy.as_ref().and_then(|arn| sim.truth.tasks.get(arn)) {
        return super::tasks::carries(sim, proxy).map(|_| {
            format!("a request of {} at its proxy was cut off by the stop of {arn}", request.service)
        });
    }
    let slack = SECOND + sim.slack_since(request.since);
    let late = request.since + sim.audit.drain_of(&request.service) < asked + slack;
    let leads = sim.audit.leader();
    let own = request.activator.is_some() && request.activator == leads;
    // Without its proxy a service is of no use to others: that end was not planned.
    let proxy = super::tasks::half(sim, task, Role::Proxy);
    let alone =
        proxy.is_some_and(|proxy| proxy.seen.stopping && !proxy.stop_asked.is_some_and(|(_, ours)| ours));
    (own && !alone && !late).then(|| {
        format!("a request of {} at the activator was cut off by the stop of {arn}", request.service)
    })
}
