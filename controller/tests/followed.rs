//! What a controller that stands by is asked, the one that leads knows at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "monitoring/nowhere.rs"]
mod nowhere;

use async_trait::async_trait;
use dormouse::plane::{Asked, Plane, StandbyAnswer, StandbyReport};
use dormouse::reconcile::{Controller, ControllerPlane, Parts};
use dormouse::replicas::follow;
use dormouse::replicas::link::{Broken, Feed, Link, News};
use dormouse_core::view::ServiceView;
use dormouse_manifests::{Service, ServiceSpec, ServiceTemplate};
use dormouse_state::{Desired, MemoryStore};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long a word takes from one controller to the other: far more than within a region.
const WAY: Duration = Duration::from_millis(30);
/// What a wake at a standby may take until the leader knows.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The way to a controller.
#[derive(Clone)]
struct Way(ControllerPlane);

#[async_trait]
impl Link for Way {
    async fn report(&self, report: &StandbyReport) -> Result<StandbyAnswer, Broken> {
        sleep(WAY).await;
        let heard = self.0.hear_standby(report.clone()).await;
        sleep(WAY).await;
        heard.ok_or_else(|| Broken("it does not lead".to_owned()))
    }

    async fn news(&self) -> Result<Box<dyn Feed>, Broken> {
        Ok(Box::new(Changes { changes: self.0.changes(), first: self.0.services().into() }))
    }
}

struct Changes {
    changes: Receiver<Arc<ServiceView>>,
    first: VecDeque<Arc<ServiceView>>,
}

#[async_trait]
impl Feed for Changes {
    async fn next(&mut self) -> Result<News, Broken> {
        sleep(WAY).await;
        let view = match self.first.pop_front() {
            Some(view) => view,
            None => self.changes.recv().await.map_err(|error| Broken(error.to_string()))?,
        };
        Ok(News::Service(Box::new((*view).clone())))
    }
}

fn controller(store: &Arc<MemoryStore>, number: u8) -> (Arc<Controller>, ControllerPlane) {
    let replica_url = format!("http://127.0.0.{number}:9070");
    let controller = Controller::new(Parts {
        store: store.clone(),
        replica_url,
        holder: format!("{number}"),
        ..nowhere::parts()
    });
    let lead = controller.clone();
    tokio::spawn(async move { lead.lead(&CancellationToken::new()).await });
    (controller.clone(), ControllerPlane(controller))
}

/// Waits, in paused time, until something is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if is() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("not within a minute: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_wake_at_a_standby_reaches_the_leader_at_once() {
    let store = Arc::<MemoryStore>::default();
    let (_, leads) = controller(&store, 1);
    until("the first one leads", || leads.hears()).await;
    let (standby, stands_by) = controller(&store, 2);
    let way = Way(leads.clone());
    tokio::spawn(follow(standby, move |_| Ok(way.clone()), CancellationToken::new()));
    until("it is followed", || stands_by.leader().borrow().is_some()).await;
    for name in ["first", "second", "third"] {
        leads.declare(Service::new(name, ServiceSpec::defaults_for("demo"))).await.unwrap();
        until("the standby knows it", || stands_by.service(name).is_some()).await;
        let asked = Asked { origin: "request", reason: "a test".to_owned() };
        stands_by.wake(name, asked, None).await.unwrap();
        let woken = Instant::now();
        let knows = || leads.service(name).unwrap().status.desired == Desired::Awake;
        until("the leader knows", knows).await;
        assert!(woken.elapsed() <= AT_ONCE, "{name}: {:?}", woken.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_a_standby_for_what_was_just_declared_is_not_told_that_it_is_not() {
    let store = Arc::<MemoryStore>::default();
    let (_, leads) = controller(&store, 1);
    until("the first one leads", || leads.hears()).await;
    let (_, stands_by) = controller(&store, 2);
    until("the other one has read the table", || stands_by.is_ready()).await;
    leads.declare(Service::new("new", ServiceSpec::defaults_for("demo"))).await.unwrap();
    assert!(stands_by.service("new").is_none(), "nobody has told it");
    assert!(stands_by.seek("new").await && stands_by.service("new").is_some());

    let template = ServiceTemplate::new("preview", "preview-*", ServiceSpec::defaults_for("demo"));
    leads.declare_template(template).await.unwrap();
    assert!(stands_by.wakeable("preview-7").is_none(), "nobody has told it");
    assert!(stands_by.seek("preview-7").await && stands_by.wakeable("preview-7").is_some());

    assert!(stands_by.seek("nobody").await && stands_by.wakeable("nobody").is_none());
    assert!(!leads.seek("nobody").await, "the leader knows all there is");
}
