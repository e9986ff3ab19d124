//! `dormouse why`: why a service is awake or asleep.

use super::args::NameArgs;
use super::declaration::List;
use super::describe::cause;
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use super::time::{between, brief};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::views::condition;
use dormouse_core::keepers::Keeper;
use dormouse_core::view::{MadeFromView, ServiceView};
use dormouse_manifests::IdleAfter;
use dormouse_state::{ConditionType, Desired, Phase};
use http::Method;
use jiff::Timestamp;

pub(super) async fn run(args: &NameArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let name = checked(&args.name)?;
    let view: ServiceView = client.json(Method::GET, &format!("/v1/services/{name}")).await?;
    let depends = view.status.kept_awake_by.iter().any(|keeper| keeper.reason == "Dependents");
    let dependents = if depends { dependents(name, client).await? } else { Vec::new() };
    out.data(&why(&view, &dependents, SystemClock.now()));
    Ok(Exit::Done)
}

/// Names of those that need it and do not sleep.
async fn dependents(name: &str, client: &Client) -> Result<Vec<String>, Failure> {
    let list: List<ServiceView> = client.json(Method::GET, "/v1/services").await?;
    let needs = |other: &ServiceView| {
        other.status.phase != Phase::Asleep && other.spec.depends_on.iter().any(|needed| needed == name)
    };
    Ok(list.items.into_iter().filter(needs).map(|other| other.metadata.name).collect())
}

fn why(view: &ServiceView, dependents: &[String], now: Timestamp) -> String {
    let name = &view.metadata.name;
    let status = &view.status;
    let mut lines = Vec::new();
    if view.metadata.deleting {
        lines.push(format!("{name} is being deleted."));
    }
    match status.phase {
        Phase::Asleep => match (&status.last_sleep, &status.last_wake) {
            (Some(sleep), _) => lines.push(format!("{name} is asleep: put to sleep {}.", cause(sleep, now))),
            (None, _) => lines.push(format!("{name} is asleep: nobody has woken it since it was declared.")),
        },
        Phase::Draining => {
            let sleep = status
                .last_sleep
                .as_ref()
                .map_or_else(String::new, |sleep| format!(": {}", cause(sleep, now)));
            lines.push(format!("{name} is on its way to sleep{sleep}."));
        }
        Phase::Waking | Phase::Awake => {
            let state = if status.phase == Phase::Awake { "awake" } else { "waking" };
            let wake = status
                .last_wake
                .as_ref()
                .map_or_else(String::new, |wake| format!(": woken {}", cause(wake, now)));
            lines.push(format!("{name} is {state}{wake}."));
        }
    }
    match status.desired {
        Desired::Awake => lines.extend(keeps_awake(view, dependents, now)),
        Desired::Asleep => {
            lines.push(format!("A request to {} wakes it, and so does `dormouse wake {name}`.", status.url));
        }
    }
    lines.extend(status.made_from.as_ref().map(|from| made(from, now)));
    lines.extend(in_the_way(view));
    lines.join("\n") + "\n"
}

fn made(from: &MadeFromView, now: Timestamp) -> String {
    let gone = if from.orphaned { ", which is gone" } else { "" };
    let expires = from.expires_at.map_or_else(String::new, |at| {
        format!(": deleted in {} unless somebody wakes it", brief(between(now, at)))
    });
    format!("It was made from the template `{}`{gone}{expires}.", from.template)
}

fn keeps_awake(view: &ServiceView, dependents: &[String], now: Timestamp) -> Vec<String> {
    let status = &view.status;
    let keepers = &status.kept_awake_by;
    let mut lines: Vec<String> = keepers.iter().map(|keeper| kept(keeper, dependents)).collect();
    if let Some(until) = status.awake_until.filter(|until| *until > now) {
        lines.push(format!("It was asked to stay for another {}.", brief(between(now, until))));
    }
    match (view.spec.idle_after, status.activity.idle_at) {
        (IdleAfter::After(_), Some(at)) if status.phase == Phase::Waking => {
            let left = brief(between(now, at));
            lines.push(format!("It is given up in {left} if it does not come up and nobody asks for it."));
        }
        (IdleAfter::After(_), Some(at)) => {
            let left = brief(between(now, at));
            lines.push(format!(
                "It falls asleep in {left} if nobody uses it (idleAfter: {}).",
                view.spec.idle_after
            ));
        }
        (IdleAfter::After(_), None) if keepers.is_empty() => {
            lines.push("It does not fall asleep before it was ready and heard of.".to_owned());
        }
        _ => {}
    }
    if let (Some(at), Some(limit)) = (status.sleeps_by, view.spec.max_awake) {
        let (left, limit) = (brief(between(now, at)), dormouse_manifests::format_duration(limit));
        lines.push(format!("It is put to sleep in {left}, used or not (maxAwake: {limit})."));
    }
    lines
}

fn kept(keeper: &Keeper, dependents: &[String]) -> String {
    let names = if keeper.reason == "Dependents" && !dependents.is_empty() {
        format!(": {}", dependents.join(", "))
    } else {
        String::new()
    };
    format!("Kept awake: {}{names}.", keeper.message)
}

/// What is not as wanted, in the conditions' words.
fn in_the_way(view: &ServiceView) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in [ConditionType::Degraded, ConditionType::Conflict] {
        if let Some(bad) = condition(view, kind).filter(|condition| condition.status) {
            lines.push(format!("{kind:?}: {} ({})", bad.message, bad.reason));
        }
    }
    if view.status.phase == Phase::Waking {
        for condition in view.status.conditions.iter().filter(|condition| !condition.status) {
            if !matches!(condition.kind, ConditionType::Degraded | ConditionType::Conflict) {
                lines.push(format!(
                    "Waits for {:?}: {} ({})",
                    condition.kind, condition.message, condition.reason
                ));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, asleep, awake};

    #[test]
    fn the_cause_is_told() {
        let now = NOW.parse().unwrap();
        assert_eq!(
            why(&asleep("hello"), &[], now),
            "hello is asleep: nobody has woken it since it was declared.\n\
             A request to http://hello.example.com:9060 wakes it, and so does `dormouse wake hello`.\n"
        );
        assert_eq!(
            why(&awake("hello"), &[], now),
            "hello is awake: woken 5m ago by request: GET / from 10.1.2.3 (ready after 41.2 s).\n\
             It falls asleep in 14m if nobody uses it (idleAfter: 15m).\n"
        );
    }

    #[test]
    fn what_comes_up_does_not_fall_asleep_it_is_given_up() {
        let now: Timestamp = NOW.parse().unwrap();
        let mut view = awake("hello");
        view.status.phase = Phase::Waking;
        view.status.activity.idle_at = Some("2026-01-01T12:10:00Z".parse().unwrap());
        let text = why(&view, &[], now);
        let words = "It is given up in 10m if it does not come up and nobody asks for it.\n";
        assert!(text.contains(words) && !text.contains("falls asleep"), "{text}");
    }

    #[test]
    fn what_a_template_made_says_how_long_it_is_there() {
        let now: Timestamp = NOW.parse().unwrap();
        for (orphaned, expires_at, words) in [
            (false, None, "It was made from the template `preview`.\n"),
            (
                true,
                Some("2026-01-01T15:00:00Z".parse().unwrap()),
                "It was made from the template `preview`, which is gone: deleted in 3h unless somebody wakes it.\n",
            ),
        ] {
            let mut view = asleep("preview-42");
            view.status.made_from = Some(MadeFromView { template: "preview".into(), orphaned, expires_at });
            let text = why(&view, &[], now);
            assert!(text.ends_with(words), "{text}");
        }
    }

    #[test]
    fn whoever_keeps_it_awake_is_named() {
        let now: Timestamp = NOW.parse().unwrap();
        let mut view = awake("hello");
        view.status.activity.idle_at = None;
        let keeper = |reason: &str, message: &str| Keeper { reason: reason.into(), message: message.into() };
        view.status.kept_awake_by = vec![
            keeper("Sockets", "2 sockets are open"),
            keeper("Dependents", "a service that depends on it is awake"),
        ];
        view.status.awake_until = Some("2026-01-01T13:30:00Z".parse().unwrap());
        view.spec.max_awake = Some(std::time::Duration::from_secs(8 * 3600));
        view.status.sleeps_by = Some("2026-01-01T19:00:00Z".parse().unwrap());
        let text = why(&view, &["shop".into(), "wiki".into()], now);
        assert!(
            text.ends_with(
                "Kept awake: 2 sockets are open.\n\
                 Kept awake: a service that depends on it is awake: shop, wiki.\n\
                 It was asked to stay for another 90m.\n\
                 It is put to sleep in 7h, used or not (maxAwake: 8h).\n"
            ),
            "{text}"
        );
    }
}
