//! What was refused, throttled or not answered lately, by service and by kind of call: each kind is tried again at its own
//! pace.

use dormouse_core::intent::since;
use dormouse_core::lifecycle::Refusal;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// StopTasks that were refused count as refused in a row while no more than this lies between two of them.
const IN_A_ROW: Duration = Duration::from_secs(60);

/// Refusals, by service.
#[derive(Debug, Default)]
pub struct Refused {
    /// The last refused call.
    calls: BTreeMap<String, Refusal>,
    /// StopTasks that were refused since one was accepted, and whether the last refused call is one of these.
    stops: BTreeMap<String, Refusal>,
    by_stops: BTreeSet<String>,
    /// The halves whose RunTask was refused, and has not succeeded since.
    runs: BTreeMap<String, BTreeSet<Role>>,
    /// The service task for which RunTask was last called and not answered.
    unanswered: BTreeMap<String, Identity>,
    /// Zone and owner → the last refused change of its records.
    records: BTreeMap<(String, String), Refusal>,
}

impl Refused {
    /// The last refused call for a service, if none succeeded since.
    pub fn call(&self, service: &str) -> Option<&Refusal> {
        self.calls.get(service)
    }

    /// The last refused StopTask for it, if none was accepted since.
    pub fn stop(&self, service: &str) -> Option<&Refusal> {
        self.stops.get(service)
    }

    /// Its service task, if RunTask was called for it and not answered.
    pub fn unanswered(&self, service: &str) -> Option<&Identity> {
        self.unanswered.get(service)
    }

    /// The services for which anything was refused.
    pub fn services(&self) -> impl Iterator<Item = &String> {
        self.calls.keys().chain(self.stops.keys()).chain(self.runs.keys())
    }

    /// Whether anything was, for one.
    pub fn any(&self, service: &str) -> bool {
        self.calls.contains_key(service)
            || self.stops.contains_key(service)
            || self.runs.contains_key(service)
    }

    /// A service is deleted: what comes by its name after it begins anew.
    pub fn forget(&mut self, service: &str) {
        self.forgive(service);
        self.stops.remove(service);
        self.unanswered.remove(service);
    }

    /// A service is asleep, and there is nothing to do for it: what was refused before is over, once its time has come.
    /// Answers whether anything was.
    pub fn expire(&mut self, service: &str, now: Timestamp) -> bool {
        let is_due = self.calls.get(service).is_some_and(|refusal| refusal.retry_at() <= now);
        if is_due {
            self.forgive(service);
            self.stops.remove(service);
        }
        is_due
    }

    /// A call for a service was refused.
    pub fn refuse(&mut self, service: &str, why: String, now: Timestamp) {
        self.by_stops.remove(service);
        let refusal = Refusal::again(self.calls.get(service), why, now);
        self.calls.insert(service.to_owned(), refusal);
    }

    /// A call that starts nothing was throttled, or not answered.
    pub fn put_off(&mut self, service: &str, why: String, now: Timestamp) {
        self.by_stops.remove(service);
        let refusal = Refusal::passing(self.calls.get(service), why, now);
        self.calls.insert(service.to_owned(), refusal);
    }

    /// StopTask was refused: its tries are spaced by themselves, and put off no call that is made less often.
    pub fn refuse_stop(&mut self, service: &str, why: String, now: Timestamp) {
        let lately = self.stops.get(service).filter(|known| since(now, known.at) < IN_A_ROW);
        let refusal = Refusal::again(lately, why.clone(), now);
        self.stops.insert(service.to_owned(), refusal);
        if !self.calls.contains_key(service) {
            self.calls.insert(service.to_owned(), Refusal::again(None, why, now));
            self.by_stops.insert(service.to_owned());
        }
    }

    /// StopTask was accepted.
    pub fn accept_stop(&mut self, service: &str) {
        self.stops.remove(service);
        if self.by_stops.remove(service) {
            self.calls.remove(service);
        }
    }

    /// RunTask was refused for a half of a service.
    pub fn refuse_run(&mut self, service: &str, role: Role, why: String, now: Timestamp) {
        self.refuse(service, why, now);
        self.runs.entry(service.to_owned()).or_default().insert(role);
    }

    /// RunTask was called for a task, and answered or not.
    pub fn ran(&mut self, identity: &Identity, is_answered: bool) {
        if identity.role == Role::Proxy {
            return;
        }
        if is_answered {
            self.unanswered.remove(&identity.service);
        } else {
            self.unanswered.insert(identity.service.clone(), identity.clone());
        }
    }

    /// Calls for a service succeeded, RunTask for these halves among them. What was refused is forgotten, but for the
    /// RunTask of a half that did not: its tries stay spaced, whatever else succeeds.
    pub fn succeeded(&mut self, service: &str, started: &[Role]) {
        if let Some(refused) = self.runs.get_mut(service) {
            refused.retain(|role| !started.contains(role));
            if !refused.is_empty() {
                return;
            }
        }
        self.forgive(service);
    }

    /// Route 53 refused the records of an owner.
    pub fn refuse_records(&mut self, zone: &str, owner: &str, why: String, now: Timestamp) {
        let key = (zone.to_owned(), owner.to_owned());
        let refusal = Refusal::again(self.records.get(&key), why, now);
        self.records.insert(key, refusal);
    }

    /// It accepted them.
    pub fn accept_records(&mut self, zone: &str, owner: &str) {
        self.records.remove(&(zone.to_owned(), owner.to_owned()));
    }

    /// The last refused change of an owner's records, if none was accepted since.
    pub fn records_of(&self, zone: &str, owner: &str) -> Option<&Refusal> {
        self.records.get(&(zone.to_owned(), owner.to_owned()))
    }

    /// Whatever was refused for a service, it may be tried at once.
    pub fn forgive(&mut self, service: &str) {
        self.runs.remove(service);
        self.calls.remove(service);
        self.by_stops.remove(service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_deleted_service_nothing_is_known() {
        let now = Timestamp::UNIX_EPOCH;
        let own = Identity { service: "a".into(), role: Role::Service, epoch: 1, attempt: 1 };
        let mut refused = Refused::default();
        refused.refuse_run("a", Role::Service, "no room".into(), now);
        refused.refuse_stop("a", "an outage".into(), now);
        refused.ran(&own, false);
        assert!(refused.any("a") && refused.unanswered("a").is_some());
        refused.forget("a");
        assert!(!refused.any("a") && refused.unanswered("a").is_none());
    }

    #[test]
    fn a_service_task_is_in_doubt_until_its_call_is_answered() {
        let own = |role| Identity { service: "a".into(), role, epoch: 1, attempt: 1 };
        let mut refused = Refused::default();
        for (role, is_answered, in_doubt) in [
            (Role::Service, false, true),
            (Role::Proxy, true, true),
            (Role::Service, true, false),
            (Role::Proxy, false, false),
        ] {
            refused.ran(&own(role), is_answered);
            assert_eq!(refused.unanswered("a"), in_doubt.then(|| own(Role::Service)).as_ref());
        }
    }

    #[test]
    fn stops_are_refused_in_a_row_until_one_is_accepted_or_a_minute_has_passed() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut refused = Refused::default();
        let refuse = |refused: &mut Refused, second| {
            refused.refuse_stop("a", "an outage".into(), at(second));
            refused.stops["a"].tries
        };
        assert_eq!([0, 1, 60, 121].map(|second| refuse(&mut refused, second)), [1, 2, 3, 1]);
        assert_eq!(refuse(&mut refused, 122), 2);
        refused.accept_stop("a");
        assert_eq!(refuse(&mut refused, 123), 1);
    }

    #[test]
    fn a_stop_that_is_accepted_in_the_end_leaves_no_refusal_behind() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut refused = Refused::default();
        refused.refuse_stop("a", "an outage".into(), at(0));
        assert!(refused.any("a"));
        refused.accept_stop("a");
        assert!(!refused.any("a"));
        refused.refuse_stop("a", "an outage".into(), at(10));
        refused.refuse_run("a", Role::Service, "no room".into(), at(11));
        refused.accept_stop("a");
        assert_eq!(refused.call("a").map(|refusal| &*refusal.why), Some("no room"));
    }

    #[test]
    fn of_a_service_that_sleeps_and_needs_nothing_a_refusal_is_over_when_its_time_comes() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut refused = Refused::default();
        refused.refuse_run("a", Role::Service, "no room".into(), at(0));
        let due = refused.calls["a"].retry_at();
        assert!(!refused.expire("a", due - jiff::SignedDuration::from_secs(1)));
        assert!(refused.any("a"));
        assert!(refused.expire("a", due));
        assert!(!refused.any("a") && !refused.expire("a", due));
    }

    #[test]
    fn stops_that_fail_again_and_again_put_off_no_run() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut refused = Refused::default();
        (0..100).for_each(|second| refused.refuse_stop("a", "an outage".into(), at(second)));
        assert!(refused.calls["a"].retry_at() <= at(5));
        refused.refuse_run("a", Role::Service, "an outage".into(), at(100));
        let known = refused.calls["a"].clone();
        refused.refuse_stop("a", "an outage".into(), at(101));
        assert_eq!(refused.calls["a"], known);
    }

    /// (Halves whose RunTask was refused, those that were started then) → whether that is still known.
    #[test]
    fn a_refused_run_is_forgotten_once_that_very_one_succeeds() {
        use Role::{Proxy, Service};
        let now = Timestamp::UNIX_EPOCH;
        for (refused, started, known) in [
            (&[][..], &[][..], false),
            (&[Service], &[], true),
            (&[Service], &[Proxy], true),
            (&[Service], &[Service], false),
            (&[Proxy, Service], &[Service], true),
            (&[Proxy, Service], &[Service, Proxy], false),
        ] {
            let mut all = Refused::default();
            all.refuse("a", "throttled".into(), now);
            refused.iter().for_each(|role| all.refuse_run("a", *role, "no room".into(), now));
            all.succeeded("a", started);
            assert_eq!(all.call("a").is_some(), known, "{refused:?} {started:?}");
        }
    }
}
