//! Which services are sound asleep: most are, for most of the time, and nobody needs to look at them.

use crate::dns;
use crate::webhook;
use dormouse_state::{Desired, Phase, ServiceRecord};

/// Whether nothing of a service is under way and nothing of it is to be told: it has no task, no record, no condition
/// that holds, and no window that would wake it. Whoever looks for what moves, runs, is wrong or is to be told passes
/// it over, and misses nothing.
pub fn is_sound(record: &ServiceRecord) -> bool {
    is_put_away(record)
        && !record.deleting
        && record.rest.is_none()
        && record.rollout.is_none()
        && record.spec.awake.is_empty()
        && dns::is_settled_without(&record.dns)
        && record.conditions.iter().all(|condition| !condition.status)
        && webhook::waiting(record).is_none()
}

/// Whether a service is to sleep and does, and no task is left of it.
pub fn is_put_away(record: &ServiceRecord) -> bool {
    record.desired == Desired::Asleep
        && record.phase == Phase::Asleep
        && record.pairs().next().is_none()
        && record.strays.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent;
    use crate::lifecycle::plan;
    use crate::testing::scene::Scene;
    use crate::testing::{at, window};
    use dormouse_state::{Condition, ConditionType};

    /// Asleep, planned until nothing is left to do.
    fn settled() -> Scene {
        let mut scene = Scene::asleep();
        assert_eq!(scene.step(), []);
        scene
    }

    #[test]
    fn who_has_anything_about_it_is_not_sound_asleep() {
        assert!(is_sound(&settled().record));
        let cases: [fn(&mut ServiceRecord); 9] = [
            |record| record.desired = Desired::Awake,
            |record| record.phase = Phase::Draining,
            |record| record.deleting = true,
            |record| drop(record.strays.insert("task/1".into(), "services".into())),
            |record| record.retiring = vec![*Scene::ready().record.pair.unwrap()],
            |record| record.spec.awake = vec![window("daily", "00:00", "01:00", "UTC")],
            |record| record.dns.withdrawn_at = None,
            |record| {
                record.conditions.push(Condition {
                    kind: ConditionType::Degraded,
                    status: true,
                    reason: "CallRefused".into(),
                    message: String::new(),
                    last_transition_time: at(0),
                });
            },
            |record| {
                record.told = Some(record.noted);
                record.note(at(0), "Degraded", "");
                record.note(at(0), "Ready", "");
            },
        ];
        for (number, change) in cases.into_iter().enumerate() {
            let mut record = settled().record;
            change(&mut record);
            assert!(!is_sound(&record), "{number}");
        }
        let awake = intent::wake(&settled().record, "api", "", None, at(1)).unwrap().unwrap();
        assert!(!is_sound(&awake));
        assert!(!is_sound(&Scene::ready().record));
    }

    /// It need not be planned again before that: the shell relies on it.
    #[test]
    fn of_one_that_a_plan_left_as_it_is_time_alone_changes_nothing_until_it_is_due() {
        let mut scene = settled();
        let first = plan(&scene.settings, &scene.record, &scene.view(), scene.now);
        assert_eq!((&first.record, &first.steps[..]), (&scene.record, &[][..]));
        assert_eq!(first.requeue, None);
        let then = scene.now;
        for seconds in [1, 19, 60, 301, 601, 86_400, 40_000_000] {
            scene.now = then + jiff::SignedDuration::from_secs(seconds);
            let later = plan(&scene.settings, &scene.record, &scene.view(), scene.now);
            assert_eq!((later.record, &later.steps[..]), (scene.record.clone(), &[][..]), "{seconds}");
            assert_eq!(later.requeue, None, "{seconds}");
        }
    }
}
