//! `dormouse why`: why a service is awake or asleep.

use super::args::NameArgs;
use super::describe::cause;
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use super::time::{between, brief};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::views::condition;
use dormouse_core::view::ServiceView;
use dormouse_manifests::IdleAfter;
use dormouse_state::{ConditionType, Desired, Phase};
use http::Method;
use jiff::Timestamp;

pub(super) async fn run(args: &NameArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let name = checked(&args.name)?;
    let view: ServiceView = client.json(Method::GET, &format!("/v1/services/{name}")).await?;
    out.data(&why(&view, SystemClock.now()));
    Ok(Exit::Done)
}

fn why(view: &ServiceView, now: Timestamp) -> String {
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
        Desired::Awake => lines.extend(keeps_awake(view, now)),
        Desired::Asleep => {
            lines.push(format!("A request to {} wakes it, and so does `dormouse wake {name}`.", status.url));
        }
    }
    lines.extend(in_the_way(view));
    lines.join("\n") + "\n"
}

fn keeps_awake(view: &ServiceView, now: Timestamp) -> Vec<String> {
    let activity = &view.status.activity;
    let mut lines = Vec::new();
    if activity.in_flight > 0 {
        lines.push(format!("{} requests or sockets are open right now.", activity.in_flight));
    }
    if let Some(until) = view.status.awake_until.filter(|until| *until > now) {
        lines.push(format!(
            "It was asked to stay awake for another {}, until {until}.",
            brief(between(now, until))
        ));
    }
    match (view.spec.idle_after, activity.idle_at) {
        (IdleAfter::Never, _) => {
            lines.push("It stays awake until it is put to sleep (idleAfter: never).".to_owned())
        }
        (IdleAfter::After(_), Some(at)) => {
            let left = brief(between(now, at));
            lines.push(format!(
                "It falls asleep in {left} if nobody uses it (idleAfter: {}).",
                view.spec.idle_after
            ));
        }
        (IdleAfter::After(_), None) => {
            lines.push("Something keeps it awake: use, a window or a dependent.".to_owned())
        }
    }
    lines
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
            why(&asleep("hello"), now),
            "hello is asleep: nobody has woken it since it was declared.\n\
             A request to http://hello.example.com:9060 wakes it, and so does `dormouse wake hello`.\n"
        );
        assert_eq!(
            why(&awake("hello"), now),
            "hello is awake: woken 5m ago by request: GET / from 10.1.2.3 (ready after 41.2 s).\n\
             It falls asleep in 14m if nobody uses it (idleAfter: 15m).\n"
        );
    }
}
