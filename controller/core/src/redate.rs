//! What becomes of times that another clock wrote: two controllers' clocks may be minutes apart, and one may jump.
//!
//! Nobody can tell how much of a wait has passed by another clock. So whoever comes to lead lets every wait that is
//! under way begin again by its own: nothing is done too early, and what was about to happen happens a little later.
//! What is dated ahead counts from now, so that nothing waits for a time that was never meant.

use crate::intent::later;
use crate::lifecycle::backoff;
use dormouse_state::{CapacityMemory, Pair, ServiceRecord, TaskIntent};
use jiff::Timestamp;

/// A service's record by the clock that shows `now`; `None`: nothing of it changes.
pub fn record(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    let mut next = known.clone();
    let wait = |at: &mut Timestamp, is_under_way: bool| *at = if is_under_way { now } else { now.min(*at) };
    // Whether resolvers have forgotten an address matters to those that have one, or are about to give it up.
    let (lives, leaves) = (known.pairs().next().is_some(), !known.retiring.is_empty());
    let strays = !known.strays.is_empty();
    next.dns.withdrawn_at.iter_mut().for_each(|at| wait(at, lives || strays));
    next.dns.published_at.iter_mut().for_each(|at| wait(at, leaves || strays));
    if let Some(pending) = &mut next.dns.pending {
        wait(&mut pending.intended_at, true);
    }
    if let Some(rest) = &mut next.rest {
        // Which request came before the flip and which after it, their number alone can tell.
        rest.since = Timestamp::UNIX_EPOCH;
        rest.drain_at.iter_mut().for_each(|at| wait(at, true));
    }
    // One that is to take over has its time to become ready anew.
    next.successor.iter_mut().for_each(|pair| wait(&mut pair.intended_at, true));
    for pair in next.pairs_mut() {
        tasks(pair, |at| wait(at, true));
        wait(&mut pair.intended_at, false);
        pair.ready_at.iter_mut().chain(&mut pair.ready_before).for_each(|at| wait(at, false));
        pair.condemned.iter_mut().for_each(|(at, _)| wait(at, true));
        pair.drain_at.iter_mut().for_each(|at| wait(at, true));
    }
    next.retry_at = known.retry_at.map(|at| at.min(later(now, backoff(known.failures))));
    if let Some(rollout) = &mut next.rollout {
        rollout.retry_at = rollout.retry_at.map(|at| at.min(later(now, backoff(rollout.tries))));
    }
    next.last_activity = now.min(known.last_activity);
    next.last_wake.iter_mut().for_each(|wake| wait(&mut wake.at, false));
    next.dns.repaired_at.iter_mut().for_each(|at| wait(at, false));
    next.conditions.iter_mut().for_each(|condition| wait(&mut condition.last_transition_time, false));
    Some(next).filter(|next| next != known)
}

/// The same for whoever comes to lead. What is up is written down in any case: from then on its row refuses the leader
/// before, who may not know yet that it leads no more, and would date by its own clock.
pub fn taken_over(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    record(known, now).or_else(|| known.pairs().next().map(|_| known.clone()))
}

/// When its tasks were asked for, and answered: ECS may know nothing of a task for a while, also of one that is ready.
fn tasks(pair: &mut Pair, mut each: impl FnMut(&mut Timestamp)) {
    for intent in [&mut pair.proxy, &mut pair.service].into_iter().filter(|intent| intent.is_open()) {
        let TaskIntent { attempted_at, started_at, .. } = intent;
        [attempted_at, started_at].into_iter().flatten().for_each(&mut each);
    }
}

/// The same of a group's.
pub fn capacity(known: &CapacityMemory, now: Timestamp) -> CapacityMemory {
    let mut next = known.clone();
    // A reading has to be newer than what was asked for, and an instance to be empty, and to drain, for long enough.
    next.asked_at = known.asked_at.map(|_| now);
    for removal in next.removals.values_mut() {
        removal.intended_at = now.min(removal.intended_at);
        removal.draining_at = removal.draining_at.map(|_| now);
        removal.terminate_at = removal.terminate_at.map(|_| now);
    }
    if let Some(lack) = &mut next.lack {
        lack.at = now.min(lack.at);
    }
    next.empty_since.values_mut().for_each(|at| *at = now);
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scene::Scene;
    use crate::testing::{at, secs};
    use dormouse_peer::wire::Role;
    use dormouse_state::{DnsChange, PairId, Removal};

    /// A time that the clock before wrote, by how it shows to one's own.
    const AHEAD: i64 = 600;

    fn resting() -> Scene {
        let mut scene = Scene::ready();
        scene.pass(60);
        scene.sleep();
        scene.step();
        scene.withdraw();
        scene.pass(10);
        scene.step();
        scene
    }

    #[test]
    fn waits_under_way_begin_again_whichever_way_the_clocks_differ() {
        let scene = resting();
        let written = scene.now;
        assert_eq!(scene.record.rest.as_ref().unwrap().drain_at, Some(written));
        for by in [-AHEAD, AHEAD] {
            let now = at(100 + by);
            let next = record(&scene.record, now).unwrap();
            assert_eq!(next.dns.withdrawn_at, Some(now), "{by}");
            assert_eq!(next.rest.as_ref().unwrap().drain_at, Some(now), "{by}");
            assert_eq!(record(&next, now), None, "once is enough");
        }
    }

    #[test]
    fn who_sleeps_is_not_written() {
        let scene = Scene::asleep();
        assert_eq!(record(&scene.record, later(scene.now, secs(3600))), None);
    }

    /// Its tasks may be missing in a reading for a while since they were made; when that was, another clock says.
    #[test]
    fn of_a_pair_that_is_ready_its_tasks_count_as_just_made() {
        let scene = Scene::ready();
        let now = later(scene.now, secs(3600));
        let mut expected = scene.record.clone();
        for role in Role::ALL {
            let intent = expected.pair.as_mut().unwrap().task_mut(role);
            (intent.attempted_at, intent.started_at) = (Some(now), Some(now));
        }
        assert_eq!(record(&scene.record, now), Some(expected.clone()));
        assert_eq!(record(&expected, now), None);
    }

    #[test]
    fn what_is_up_refuses_the_leader_before() {
        let ready = Scene::ready();
        let written = taken_over(&ready.record, ready.now).unwrap();
        assert_eq!(taken_over(&written, ready.now), Some(written.clone()), "also when nothing changes");
        let asleep = Scene::asleep();
        assert_eq!(taken_over(&asleep.record, asleep.now), None, "ten thousand rows are not written");
    }

    #[test]
    fn what_is_dated_ahead_counts_from_now() {
        let mut scene = Scene::ready();
        scene.record.retry_at = Some(at(AHEAD));
        let now = at(-AHEAD);
        let next = record(&scene.record, now).unwrap();
        assert_eq!(next.last_activity, now);
        assert_eq!(next.last_wake.as_ref().unwrap().at, now);
        assert_eq!(next.pair.as_ref().unwrap().ready_at, Some(now));
        assert_eq!(next.retry_at, Some(later(now, secs(5))), "no longer than a try is waited for");
        assert!(next.conditions.iter().all(|condition| condition.last_transition_time <= now));
        assert_eq!(next.created_at, scene.record.created_at, "it names the incarnation");
    }

    #[test]
    fn a_change_under_way_and_a_pair_on_its_way_wait_again() {
        let mut scene = Scene::waking();
        scene.start(Role::Proxy);
        let pair = PairId { epoch: 1, attempt: 1 };
        scene.record.dns.pending =
            Some(DnsChange { address: None, pair, intended_at: at(0), change_id: None, seen: true });
        let now = at(30);
        let next = record(&scene.record, now).unwrap();
        assert_eq!(next.dns.pending.unwrap().intended_at, now);
        let pair = next.pair.unwrap();
        assert_eq!((pair.proxy.attempted_at, pair.proxy.started_at), (Some(now), Some(now)));
        assert_eq!(pair.intended_at, at(0), "tries are spaced from intent to intent");
    }

    #[test]
    fn an_instance_is_empty_and_drains_for_the_whole_time_again() {
        let removal = Removal { intended_at: at(AHEAD), draining_at: Some(at(-AHEAD)), terminate_at: None };
        let memory = CapacityMemory {
            target: Some(2),
            asked_at: Some(at(-AHEAD)),
            removals: [("i-1".to_owned(), removal)].into(),
            empty_since: [("i-1".to_owned(), at(-AHEAD)), ("i-2".to_owned(), at(AHEAD))].into(),
            ..CapacityMemory::default()
        };
        let next = capacity(&memory, at(0));
        assert_eq!(next.asked_at, Some(at(0)));
        assert_eq!(next.removals["i-1"].draining_at, Some(at(0)));
        assert_eq!(next.removals["i-1"].intended_at, at(0));
        assert_eq!((next.empty_since["i-1"], next.empty_since["i-2"]), (at(0), at(0)));
    }
}
