//! The span of a wake: followed by what everybody sees of the service, whichever controller does it.

use super::on::Wakes;
use crate::plane::Plane;
use dormouse_core::transition;
use dormouse_core::view::{ServiceView, TaskView};
use dormouse_state::{ConditionType, Desired};
use jiff::Timestamp;
use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::sync::{broadcast, oneshot};

/// A wake that takes longer is not followed to its end.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Changes may be missed: so often it is looked without one.
const LOOK: Duration = Duration::from_secs(5);

impl Drop for Follow {
    fn drop(&mut self) {
        self.wakes.lock().remove(&self.name);
        self.wake.span().end();
    }
}

/// As spans have it.
pub(super) fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::try_from(at.as_duration()).unwrap_or_default()
}

/// One wake.
pub(super) struct Follow {
    plane: Weak<dyn Plane>,
    changes: broadcast::Receiver<Arc<ServiceView>>,
    name: String,
    /// The service's epoch when it slept.
    slept: Option<u64>,
    wake: Context,
    tracer: SdkTracer,
    wakes: Wakes,
    /// The last known states of its two tasks.
    states: [Option<String>; 2],
}

impl Follow {
    pub(super) fn new(
        plane: &Arc<dyn Plane>,
        view: &ServiceView,
        wake: Context,
        tracer: SdkTracer,
        wakes: Wakes,
    ) -> Follow {
        Follow {
            plane: Arc::downgrade(plane),
            changes: plane.changes(),
            name: view.metadata.name.clone(),
            slept: (view.status.desired == Desired::Asleep).then_some(view.status.epoch),
            wake,
            tracer,
            wakes,
            states: [None, None],
        }
    }

    /// Follows it until the service is ready, or is not to be any more.
    pub(super) async fn until_it_is_over(mut self, mut refused: oneshot::Receiver<String>) {
        let mut may_be_refused = true;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let view = self.plane.upgrade().and_then(|plane| plane.service(&self.name));
            if let Some(view) = view
                && self.sees(&view)
            {
                break;
            }
            tokio::select! {
                biased;
                answer = &mut refused, if may_be_refused => match answer {
                    Ok(why) => {
                        self.fails(why);
                        break;
                    }
                    // Who began it has left, or has its answer: it goes on.
                    Err(_) => may_be_refused = false,
                },
                () = tokio::time::sleep_until(until) => {
                    self.fails("it took too long to be followed".to_owned());
                    break;
                }
                changed = self.changes.recv() => if matches!(changed, Err(broadcast::error::RecvError::Closed)) {
                    break;
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn fails(&self, why: String) {
        self.wake.span().set_status(Status::error(why));
    }

    /// Notes what is new; answers whether the wake is over.
    fn sees(&mut self, view: &ServiceView) -> bool {
        let status = &view.status;
        if status.desired == Desired::Asleep {
            // Not woken yet, or put to sleep on its way.
            let is_over = self.slept != Some(status.epoch);
            if is_over {
                self.fails("it was put to sleep".to_owned());
            }
            return is_over;
        }
        for (at, (role, task)) in
            [("proxy", &status.proxy), ("service", &status.service)].into_iter().enumerate()
        {
            self.sees_task(at, role, task.as_ref());
        }
        let ready = status.conditions.iter().any(|known| known.kind == ConditionType::Ready && known.status);
        let woken = status.last_wake.as_ref();
        let Some((woken, took)) = woken.and_then(|wake| Some((wake, wake.duration_ms?))).filter(|_| ready)
        else {
            return false;
        };
        let span = self.wake.span();
        span.set_attribute(KeyValue::new("dormouse.epoch", i64::try_from(status.epoch).unwrap_or(i64::MAX)));
        span.set_attribute(KeyValue::new("dormouse.origin", woken.origin.clone()));
        let over = woken.at + Duration::from_millis(took);
        for (name, from, to) in transition::parts(&status.conditions, woken.at, over) {
            let part = SpanBuilder::from_name(name).with_start_time(time(from));
            self.tracer.build_with_context(part, &self.wake).end_with_timestamp(time(from.max(to)));
        }
        true
    }

    fn sees_task(&mut self, at: usize, role: &'static str, task: Option<&TaskView>) {
        let Some(task) = task else { return };
        let Some(known) = self.states.get_mut(at) else { return };
        if known.as_ref() == Some(&task.state) {
            return;
        }
        *known = Some(task.state.clone());
        let mut attributes = vec![
            KeyValue::new("dormouse.role", role),
            KeyValue::new("dormouse.task.state", task.state.clone()),
        ];
        attributes.extend(task.task_arn.clone().map(|arn| KeyValue::new("aws.ecs.task.arn", arn)));
        self.wake.span().add_event("task", attributes);
    }
}
