//! `--wait`: how far a service is, while it is waited for.
//!
//! On a terminal one line that changes; elsewhere a line for each change, as logs want it. All of it goes to stderr.

use super::output::Output;
use crate::client::Client;
use crate::views::{condition, holds};
use dormouse_core::view::ServiceView;
use dormouse_state::{ConditionType as Type, Desired, Phase};
use tokio::pin;

/// Awaits `call` and says meanwhile how far the service is. Nothing of that decides how it ends.
pub(super) async fn while_waiting<T>(
    name: &str,
    client: &Client,
    out: Output,
    call: impl Future<Output = T>,
) -> T {
    pin!(call);
    let answer = tokio::select! {
        biased;
        answer = &mut call => Some(answer),
        () = follow(name, client, out) => None,
    };
    let answer = match answer {
        Some(answer) => answer,
        // There is no watching it: it is waited for in silence.
        None => call.await,
    };
    out.change("");
    answer
}

async fn follow(name: &str, client: &Client, out: Output) {
    let Ok(mut events) = client.events(&format!("/v1/watch?name={name}")).await else { return };
    let mut said = None;
    while let Ok(Some(event)) = events.next().await {
        let Ok(view) = serde_json::from_str::<ServiceView>(&event.data) else { continue };
        let now = standing(&view);
        if now.is_some() && said != now {
            out.change(&format!("{name}: {}", now.as_deref().unwrap_or_default()));
            said = now;
        }
    }
}

/// The steps of a wake, by the condition that ends each.
const STEPS: [(Type, &str); 4] = [
    (Type::CapacityAvailable, "machine"),
    (Type::ServiceRunning, "service"),
    (Type::ProxyRunning, "proxy"),
    (Type::DnsPublished, "record"),
];

/// How far a service is on its way up or down; `None`: it is there.
fn standing(view: &ServiceView) -> Option<String> {
    match (view.status.desired, view.status.phase) {
        (Desired::Awake, Phase::Awake) | (Desired::Asleep, Phase::Asleep) => None,
        (Desired::Awake, _) => Some(on_its_way_up(view)),
        (Desired::Asleep, _) => Some(on_its_way_down(view)),
    }
}

fn on_its_way_up(view: &ServiceView) -> String {
    // What is in the way says more than where.
    if let Some(trouble) = condition(view, Type::Degraded).filter(|known| known.status) {
        return format!("in trouble: {}", trouble.message);
    }
    let open = STEPS.into_iter().find(|(kind, _)| !holds(view, *kind));
    let (kind, step) = open.unwrap_or((Type::Ready, "path"));
    match condition(view, kind) {
        Some(known) if !known.status => format!("{step}: {}", known.message),
        _ => "woken".to_owned(),
    }
}

fn on_its_way_down(view: &ServiceView) -> String {
    let status = &view.status;
    match (&status.proxy, &status.service) {
        (Some(_), _) if status.activity.in_flight > 0 => {
            format!("proxy: finishes what is in flight ({})", status.activity.in_flight)
        }
        (Some(_), _) => "proxy: waits until nobody is led to it any more".to_owned(),
        (None, Some(_)) => "service: its task stops".to_owned(),
        (None, None) => "almost asleep".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{asleep, awake, condition};
    use dormouse_core::view::TaskView;

    fn waking(conditions: &[(Type, bool, &str)]) -> ServiceView {
        let mut view = awake("hello");
        view.status.phase = Phase::Waking;
        let condition =
            |(kind, status, message): &(Type, bool, &str)| condition(*kind, *status, "Why", message);
        view.status.conditions = conditions.iter().map(condition).collect();
        view
    }

    #[test]
    fn on_the_way_up_the_first_step_that_is_open_is_told() {
        for (conditions, words) in [
            (&[][..], "woken"),
            (&[(Type::CapacityAvailable, false, "an instance starts")], "machine: an instance starts"),
            (
                &[
                    (Type::CapacityAvailable, true, ""),
                    (Type::ServiceRunning, false, "its task is PENDING"),
                    (Type::ProxyRunning, false, "so is this"),
                ],
                "service: its task is PENDING",
            ),
            (
                &[
                    (Type::CapacityAvailable, true, ""),
                    (Type::ServiceRunning, true, ""),
                    (Type::ProxyRunning, true, ""),
                    (Type::DnsPublished, true, ""),
                    (Type::Ready, false, "it is tried"),
                ],
                "path: it is tried",
            ),
            (
                &[
                    (Type::CapacityAvailable, false, "an instance starts"),
                    (Type::Degraded, true, "the group is full"),
                ],
                "in trouble: the group is full",
            ),
        ] {
            assert_eq!(standing(&waking(conditions)).as_deref(), Some(words));
        }
    }

    #[test]
    fn on_the_way_down_what_is_left_is_told() {
        let mut view = asleep("hello");
        view.status.phase = Phase::Draining;
        let task = TaskView { task_arn: None, address: None, public_address: None, state: "RUNNING".into() };
        assert_eq!(standing(&view).as_deref(), Some("almost asleep"));
        view.status.service = Some(task.clone());
        assert_eq!(standing(&view).as_deref(), Some("service: its task stops"));
        view.status.proxy = Some(task);
        assert!(standing(&view).unwrap().starts_with("proxy: waits"));
        view.status.activity.in_flight = 2;
        assert_eq!(standing(&view).as_deref(), Some("proxy: finishes what is in flight (2)"));
    }

    #[test]
    fn what_is_there_needs_no_words() {
        assert_eq!((standing(&asleep("a")), standing(&awake("a"))), (None, None));
    }
}
