//! The control plane tells its webhook: in order, until it was taken, and in nobody's way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "monitoring/nowhere.rs"]
mod nowhere;

use async_trait::async_trait;
use dormouse::clock::Clock;
use dormouse::metrics::{self, Metrics};
use dormouse::plane::{Asked, Plane};
use dormouse::reconcile::{Controller, ControllerPlane, Parts};
use dormouse::webhook::{Keys, Post, Webhook};
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_state::{MemoryStore, Store};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a receiver makes of a message.
#[derive(Clone, Copy)]
enum Makes {
    Takes,
    Refuses,
    Hangs,
}

type Judges = Box<dyn Fn(&str, &str) -> Makes + Send>;

/// A receiver. `makes` is asked with each message's service and type.
struct Receiver {
    makes: Mutex<Judges>,
    /// Id, service and type of each message that came, taken or not.
    came: Mutex<Vec<(String, String, String)>>,
}

impl Receiver {
    fn new(makes: impl Fn(&str, &str) -> Makes + Send + 'static) -> Arc<Receiver> {
        Arc::new(Receiver { makes: Mutex::new(Box::new(makes)), came: Mutex::default() })
    }

    fn now(&self, makes: impl Fn(&str, &str) -> Makes + Send + 'static) {
        *self.makes.lock().unwrap() = Box::new(makes);
    }

    /// Types of the messages about a service, in the order in which they came.
    fn about(&self, service: &str) -> Vec<String> {
        let came = self.came.lock().unwrap();
        came.iter().filter(|(_, of, _)| of == service).map(|(_, _, kind)| kind.clone()).collect()
    }
}

#[async_trait]
impl Post for Receiver {
    async fn post(&self, headers: &[(&'static str, String)], body: &str) -> Result<u16, String> {
        let body: Value = serde_json::from_str(body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (service, kind) = (text(&body["data"]["service"]), text(&body["type"]));
        let (_, id) = headers.iter().find(|(name, _)| *name == "webhook-id").unwrap();
        self.came.lock().unwrap().push((id.clone(), service.clone(), kind.clone()));
        let makes = (self.makes.lock().unwrap())(&service, &kind);
        match makes {
            Makes::Takes => Ok(204),
            Makes::Refuses => Ok(500),
            Makes::Hangs => std::future::pending().await,
        }
    }
}

/// A time of day that goes with the paused one.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.0.elapsed()
    }
}

/// A controller that leads, over a table.
struct Leading {
    plane: ControllerPlane,
    controller: Arc<Controller>,
    stop: CancellationToken,
    leads: JoinHandle<()>,
}

impl Leading {
    fn start(store: &Arc<MemoryStore>, receiver: &Arc<Receiver>) -> Leading {
        let keys = Keys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let webhook = Some(Webhook::new(keys, receiver.clone()));
        let clock = Arc::new(PausedClock(Instant::now()));
        let controller = Controller::new(Parts { webhook, clock, store: store.clone(), ..nowhere::parts() });
        let stop = CancellationToken::new();
        let leads = tokio::spawn({
            let (controller, stop) = (controller.clone(), stop.clone());
            async move {
                controller.lead(&stop).await;
            }
        });
        Leading { plane: ControllerPlane(controller.clone()), controller, stop, leads }
    }

    async fn declare(&self, name: &str) {
        self.plane.declare(Service::new(name, ServiceSpec::defaults_for("demo"))).await.unwrap();
    }

    async fn wake(&self, name: &str) {
        self.plane.wake(name, asked(), None).await.unwrap();
    }

    async fn sleep(&self, name: &str) {
        self.plane.sleep(name, asked()).await.unwrap();
    }

    fn counts(&self, name: &str) -> u64 {
        let source: Arc<dyn Metrics> = self.controller.clone();
        let text = metrics::text(&[source]).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
    }

    /// How many events of a service are still to be told.
    fn untold(&self, name: &str) -> usize {
        let view = self.plane.service(name).unwrap();
        view.status.untold.as_ref().map_or(0, |untold| untold.count)
    }

    /// Ends it as `kill -9` does: at whatever it was.
    async fn kill(self) {
        self.leads.abort();
        let _ = self.leads.await;
    }
}

fn asked() -> Asked {
    Asked { origin: "api", reason: "a test".to_owned() }
}

/// Waits, in paused time, until something is so.
async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..36_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within an hour: {what}");
}

#[tokio::test(start_paused = true)]
async fn told_in_order_and_again_until_it_is_taken() {
    let receiver = Receiver::new(|_, _| Makes::Refuses);
    let controller = Leading::start(&Arc::default(), &receiver);
    controller.declare("hello").await;
    controller.wake("hello").await;
    controller.sleep("hello").await;
    until("three tries", || receiver.about("hello").len() == 3).await;
    assert_eq!(controller.untold("hello"), 2);
    receiver.now(|_, _| Makes::Takes);
    until("all is told", || controller.untold("hello") == 0).await;
    let [woken, slept] = ["service.woken", "service.slept"];
    assert_eq!(receiver.about("hello"), [woken, woken, woken, woken, slept]);
    let ids: BTreeSet<_> = receiver.came.lock().unwrap().iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(ids.len(), 2, "a message that comes again has the same id");
    for (name, count) in [("sent_total", 2), ("failed_total", 3), ("given_up_total", 0), ("waiting", 0)] {
        assert_eq!(controller.counts(&format!("dormouse_webhook_{name}")), count, "{name}");
    }
    controller.stop.cancel();
    controller.leads.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_leads_next_tells_what_was_not_told() {
    let store = Arc::<MemoryStore>::default();
    let receiver = Receiver::new(|_, _| Makes::Hangs);
    let first = Leading::start(&store, &receiver);
    first.declare("hello").await;
    first.wake("hello").await;
    until("it is told, and nobody answers", || receiver.about("hello").len() == 1).await;
    first.kill().await;
    receiver.now(|_, _| Makes::Takes);
    let second = Leading::start(&store, &receiver);
    until("it is told again", || receiver.about("hello").len() == 2).await;
    until("and that is remembered", || second.untold("hello") == 0).await;
    let row = store.service("hello").await.unwrap().unwrap().value;
    assert_eq!(row.told, Some(row.noted));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_is_in_nobodys_way() {
    let receiver = Receiver::new(|of, _| if of == "stuck" { Makes::Hangs } else { Makes::Takes });
    let controller = Leading::start(&Arc::default(), &receiver);
    for name in ["stuck", "well"] {
        controller.declare(name).await;
    }
    controller.wake("stuck").await;
    until("it is stuck", || receiver.about("stuck").len() == 1).await;
    for _ in 0..3 {
        controller.wake("well").await;
        controller.sleep("well").await;
    }
    until("others are told of", || controller.untold("well") == 0).await;
    assert_eq!(receiver.about("stuck").len(), 1, "while the first try was under way");
    assert_eq!(receiver.about("well").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_a_day_is_given_up() {
    let receiver = Receiver::new(|_, kind| match kind {
        "service.woken" => Makes::Refuses,
        _ => Makes::Takes,
    });
    let controller = Leading::start(&Arc::default(), &receiver);
    controller.declare("hello").await;
    controller.wake("hello").await;
    tokio::time::sleep(Duration::from_secs(23 * 3600)).await;
    assert_eq!(controller.untold("hello"), 1);
    controller.sleep("hello").await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    until("it is given up", || controller.untold("hello") == 0).await;
    assert_eq!(receiver.about("hello").last().unwrap(), "service.slept");
    let tries = receiver.about("hello").len();
    assert!((288..600).contains(&tries), "{tries} tries, 300 s apart at most");
    assert_eq!(controller.counts("dormouse_webhook_given_up_total"), 1);
    let events = controller.plane.events(Some("hello"));
    assert!(events.iter().any(|event| event.event.reason == "WebhookGivenUp"), "{events:?}");
}
