//! Who or what keeps a service awake, in words.

use crate::idle::{self, Use};
use dormouse_manifests::{AwakeWindow, IdleAfter};
use dormouse_state::{Desired, Pair, Phase, ServiceRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that keeps a service awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keeper {
    /// One CamelCase word: `Requests`, `Sockets`, `Busy`, `AskedFor`, `Window`, `Dependents`, `Never`, `Rollout`,
    /// `Unheard`.
    pub reason: String,
    /// A sentence without its full stop.
    pub message: String,
}

/// All that keeps a service from falling asleep for idleness right now; empty when it sleeps, or only time is left.
pub fn keepers(record: &ServiceRecord, usage: &Use, dependents_awake: bool, now: Timestamp) -> Vec<Keeper> {
    if record.desired == Desired::Asleep {
        return Vec::new();
    }
    let requests = usage.in_flight.saturating_sub(usage.sockets);
    let until = record.awake_until.filter(|until| *until > now);
    let busy_path = record.spec.busy_path.as_deref().filter(|_| usage.busy);
    let silent = !usage.is_known && record.pair.as_ref().is_some_and(|pair| pair.ready_at.is_some());
    let found = [
        (requests > 0)
            .then(|| ("Requests", plural(requests, "request is in flight", "requests are in flight"))),
        (usage.sockets > 0).then(|| ("Sockets", plural(usage.sockets, "socket is open", "sockets are open"))),
        busy_path.map(|path| ("Busy", format!("its container says that it is busy (GET {path})"))),
        until.map(|until| ("AskedFor", format!("it was asked to stay awake until {until}"))),
        record
            .spec
            .awake
            .iter()
            .find(|window| idle::is_inside(window, now))
            .map(|window| ("Window", format!("an awake window is open ({})", shown(window)))),
        dependents_awake.then(|| ("Dependents", "a service that depends on it is awake".to_owned())),
        (record.spec.idle_after == IdleAfter::Never)
            .then(|| ("Never", "it stays awake until it is put to sleep (idleAfter: never)".to_owned())),
        record
            .retiring
            .iter()
            .any(Pair::serves_on)
            .then(|| ("Rollout", "its requests are moving to a new version".to_owned())),
        silent.then(|| {
            ("Unheard", "its proxy has not reported lately: nothing is known to be idle".to_owned())
        }),
    ];
    let keeper = |(reason, message): (&str, String)| Keeper { reason: reason.to_owned(), message };
    found.into_iter().flatten().map(keeper).collect()
}

/// Whether a service keeps what it depends on awake, or is to have it woken.
pub fn needs(dependent: &ServiceRecord, on: &ServiceRecord) -> bool {
    match on.desired {
        // One that is still on its way to sleep needs what it depends on until it is there.
        Desired::Awake => dependent.desired == Desired::Awake || dependent.phase != Phase::Asleep,
        // What was put to sleep after that wake stays so.
        Desired::Asleep => {
            let asleep_since = on.last_sleep.as_ref().map_or(on.created_at, |sleep| sleep.at);
            let woken_at = dependent.last_wake.as_ref().map(|wake| wake.at);
            dependent.desired == Desired::Awake && woken_at.is_some_and(|at| at > asleep_since)
        }
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn shown(window: &AwakeWindow) -> String {
    let (from, to) = (window.from.strftime("%H:%M"), window.to.strftime("%H:%M"));
    format!("{} {from}-{to} {}", window.days, window.timezone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scene::Scene;
    use crate::testing::{at, window};
    use dormouse_peer::wire::{Activity, Role, SidecarState};
    use dormouse_state::Cause;

    /// What is desired of what is needed, and when it was last put to sleep; what is desired of who needs it, its phase,
    /// and when it was woken; whether it is needed.
    #[test]
    fn what_others_need_stays_and_is_woken_with_them() {
        use Desired::{Asleep, Awake};
        let cause =
            |second| Cause { at: at(second), origin: "api".into(), reason: String::new(), duration_ms: None };
        let service = |desired, phase, woken: Option<i64>, slept: Option<i64>| {
            let mut record = Scene::asleep().record;
            (record.desired, record.phase, record.created_at) = (desired, phase, at(0));
            (record.last_wake, record.last_sleep) = (woken.map(cause), slept.map(cause));
            record
        };
        for (own, slept, other, phase, woken, needed) in [
            (Awake, None, Awake, Phase::Waking, Some(10), true),
            (Awake, None, Asleep, Phase::Draining, Some(10), true),
            (Awake, None, Asleep, Phase::Asleep, Some(10), false),
            (Asleep, None, Awake, Phase::Waking, Some(10), true),
            (Asleep, Some(9), Awake, Phase::Awake, Some(10), true),
            (Asleep, Some(11), Awake, Phase::Awake, Some(10), false),
            (Asleep, Some(9), Asleep, Phase::Draining, Some(10), false),
            (Asleep, Some(9), Awake, Phase::Awake, None, false),
        ] {
            let (on, by) = (service(own, phase, None, slept), service(other, phase, woken, None));
            assert_eq!(needs(&by, &on), needed, "{own:?} {slept:?} {other:?} {phase:?} {woken:?}");
        }
    }

    fn told(change: impl FnOnce(&mut Scene)) -> Vec<(String, String)> {
        let mut scene = Scene::ready();
        change(&mut scene);
        let usage = scene.view().usage(&scene.record, scene.now);
        let keepers = keepers(&scene.record, &usage, scene.dependents_awake, scene.now);
        keepers.into_iter().map(|keeper| (keeper.reason, keeper.message)).collect()
    }

    #[test]
    fn each_is_told() {
        type Case = (fn(&mut Scene), &'static str, &'static str);
        let cases: [Case; 9] = [
            (|scene| scene.count(1, 1, 0), "Requests", "1 request is in flight"),
            (|scene| scene.activator.in_flight = 2, "Requests", "2 requests are in flight"),
            (
                |scene| {
                    let sockets = Activity { open_sockets: 3, ..Activity::default() };
                    scene.beat(Role::Proxy, SidecarState::Serving).activity = Some(sockets);
                },
                "Sockets",
                "3 sockets are open",
            ),
            (
                |scene| {
                    scene.record.spec.busy_path = Some("/busy".into());
                    scene.beat(Role::Service, SidecarState::Serving).busy = Some(true);
                },
                "Busy",
                "its container says that it is busy (GET /busy)",
            ),
            (
                |scene| scene.record.awake_until = Some(at(7200)),
                "AskedFor",
                "it was asked to stay awake until 2023-11-15T00:13:20Z",
            ),
            (
                |scene| scene.record.spec.awake = vec![window("daily", "00:00", "00:00", "UTC")],
                "Window",
                "an awake window is open (daily 00:00-00:00 UTC)",
            ),
            (|scene| scene.dependents_awake = true, "Dependents", "a service that depends on it is awake"),
            (
                |scene| scene.record.spec.idle_after = IdleAfter::Never,
                "Never",
                "it stays awake until it is put to sleep (idleAfter: never)",
            ),
            (
                |scene| scene.beats.clear(),
                "Unheard",
                "its proxy has not reported lately: nothing is known to be idle",
            ),
        ];
        for (change, reason, message) in cases {
            assert_eq!(told(change), [(reason.to_owned(), message.to_owned())], "{reason}");
        }
        assert_eq!(told(|_| {}), [], "only time");
    }

    #[test]
    fn nothing_keeps_what_is_to_sleep() {
        assert_eq!(
            told(|scene| {
                scene.activator.in_flight = 1;
                scene.sleep();
            }),
            []
        );
    }
}
