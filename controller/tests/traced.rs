//! A wake is one trace, from the request to the first byte of its answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../src/testing.rs"]
mod testing;

use axum::body::Body;
use dormouse::activator::{Activator, Options};
use dormouse::plane::{Plane, PlaneError};
use dormouse::trace::{Traces, export};
use dormouse::waker::Waker;
use dormouse_state::{ConditionType, Desired, Phase};
use http::{Request, Response};
use opentelemetry::trace::{SpanId, Status, TraceId, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testing::{FakePlane, asleep, condition};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Keeps what is exported.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Spans {
    fn named(&self, name: &str) -> Vec<SpanData> {
        self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }

    /// Waits until so many of a name have ended.
    async fn ended(&self, name: &str, count: usize) -> Vec<SpanData> {
        until(&format!("{count} spans `{name}`"), || self.named(name).len() >= count).await;
        let found = self.named(name);
        assert_eq!(found.len(), count, "{name}: {found:?}");
        found
    }
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let waits = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

struct Rig {
    plane: Arc<FakePlane>,
    activator: Arc<Activator>,
    spans: Spans,
}

fn rig() -> Rig {
    let spans = Spans::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let plane = FakePlane::new([asleep("hello")]);
    let shared: Arc<dyn Plane> = plane.clone();
    let options = Options { traces: Traces::to(&provider), ..Options::default() };
    let activator = Activator::new(shared.clone(), Waker::new(shared), options);
    Rig { plane, activator, spans }
}

impl Rig {
    fn request(&self, traceparent: Option<&str>) -> JoinHandle<Response<Body>> {
        let mut request = Request::get("/report?secret=1").header("host", "hello.example.com:9060");
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let peer = SocketAddr::from(([10, 0, 0, 7], 1));
        tokio::spawn(self.activator.clone().answer(peer, request.body(Body::empty()).unwrap()))
    }

    /// Waits until so many requests are held.
    async fn held(&self, count: usize) {
        let in_use = || self.plane.in_use.load(std::sync::atomic::Ordering::SeqCst);
        until(&format!("{count} requests are held"), || in_use() == count).await;
    }

    /// The service is there, as those see it who look at the control plane.
    fn becomes_ready(&self) {
        self.plane.make_ready("hello");
        self.plane.update("hello", |view| {
            let kinds = [
                ConditionType::CapacityAvailable,
                ConditionType::ServiceRunning,
                ConditionType::ProxyRunning,
            ];
            view.status.conditions.extend(kinds.map(|kind| condition(kind, true, "Running", "")));
        });
    }
}

/// A service that answers once, and tells the head of the request that it got.
async fn service() -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(read).unwrap().to_lowercase()
    });
    (address, head)
}

#[tokio::test]
async fn a_cold_wake_is_one_trace() {
    let rig = rig();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let first = rig.request(Some(parent));
    rig.held(1).await;
    until("it is woken", || rig.plane.service("hello").unwrap().status.desired == Desired::Awake).await;
    let (address, head) = service().await;
    rig.becomes_ready();
    rig.plane.set_backend("hello", Some(address));
    assert_eq!(first.await.unwrap().status(), 200);

    let [request] = &rig.spans.ended("GET", 1).await[..] else { panic!() };
    let [wake] = &rig.spans.ended("wake", 1).await[..] else { panic!() };
    let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
    assert_eq!(request.span_context.trace_id(), trace, "the caller's trace goes on");
    assert_eq!(request.parent_span_id, SpanId::from_hex("b7ad6b7169203331").unwrap());
    let mut shape = Vec::new();
    for span in rig.spans.0.lock().unwrap().iter() {
        assert_eq!(span.span_context.trace_id(), trace, "{}", span.name);
        assert!(span.start_time <= span.end_time, "{span:?}");
        if span.parent_span_id == request.span_context.span_id() {
            shape.push(format!("request > {}", span.name));
        } else if span.parent_span_id == wake.span_context.span_id() {
            shape.push(format!("wake > {}", span.name));
        } else {
            shape.push(span.name.to_string());
        }
    }
    shape.sort();
    let expected = [
        "GET",
        "request > forward",
        "request > hold",
        "request > wake",
        "wake > instance",
        "wake > path",
        "wake > proxy",
        "wake > service",
    ];
    assert_eq!(shape, expected);
    let forward = rig.spans.named("forward").remove(0).span_context.span_id();
    let head = head.await.unwrap();
    assert!(head.contains(&format!("traceparent: 00-{trace}-{forward}-01\r\n")), "{head}");
    let attributes = format!("{:?}", request.attributes);
    assert!(attributes.contains("\"/report\"") && !attributes.contains("secret"), "{attributes}");
}

#[tokio::test]
async fn who_waits_for_the_same_wake_is_linked_to_it() {
    let rig = rig();
    let first = rig.request(None);
    rig.held(1).await;
    let second = rig.request(None);
    rig.held(2).await;
    until("both wait", || rig.plane.wakes() >= 1).await;
    // Who began it leaves; the wake goes on.
    first.abort();
    rig.spans.ended("GET", 1).await;
    for failures in 1..5 {
        rig.plane.update("hello", |view| view.status.failures = failures);
        tokio::task::yield_now().await;
    }
    rig.becomes_ready();
    let wake = rig.spans.ended("wake", 1).await.remove(0);
    assert_eq!(wake.status, Status::Unset);
    assert_eq!(rig.spans.named("path").len(), 1, "it was followed to its end");
    let wake = wake.span_context;
    second.abort();
    let requests = rig.spans.ended("GET", 2).await;
    let (own, other): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.span_context.trace_id() == wake.trace_id());
    assert_eq!((own.len(), other.len()), (1, 1), "one of them began it");
    assert!(own[0].links.links.is_empty());
    assert_eq!(other[0].links.links[0].span_context, wake);
    assert!(
        requests.iter().all(|request| request.status == Status::error("the caller left")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_wake_that_comes_to_nothing_says_so() {
    let rig = rig();
    *rig.plane.refuses.lock().unwrap() = Some(PlaneError::Conflict("it is being deleted".into()));
    assert_eq!(rig.request(None).await.unwrap().status(), 503);
    let refused = rig.spans.ended("wake", 1).await;
    assert!(format!("{:?}", refused[0].status).contains("it is being deleted"), "{refused:?}");
    *rig.plane.refuses.lock().unwrap() = None;
    let request = rig.request(None);
    until("it is woken", || rig.plane.service("hello").unwrap().status.desired == Desired::Awake).await;
    rig.plane.update("hello", |view| {
        (view.status.desired, view.status.phase) = (Desired::Asleep, Phase::Draining);
        view.status.epoch += 1;
    });
    let slept = rig.spans.ended("wake", 2).await;
    assert_eq!(slept[1].status, Status::error("it was put to sleep"));
    request.abort();
}

#[tokio::test]
async fn who_is_not_held_is_not_traced() {
    let rig = rig();
    let (address, head) = service().await;
    rig.becomes_ready();
    rig.plane.set_backend("hello", Some(address));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(rig.request(Some(parent)).await.unwrap().status(), 200);
    assert!(
        head.await.unwrap().contains(&format!("traceparent: {parent}\r\n")),
        "it is the service's to continue"
    );
    assert!(rig.spans.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn spans_go_to_a_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let told = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        (head, body)
    });
    let sdk = dormouse_aws::sdk_config().await;
    let provider = export::provider(&sdk, Some(&endpoint), "dormouse-of-a-test").unwrap();
    drop(provider.tracer("dormouse").start("a span of a test"));
    // Its thread waits for this runtime.
    let flushed = provider.clone();
    tokio::task::spawn_blocking(move || flushed.force_flush()).await.unwrap().unwrap();
    let (head, body) = told.await.unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{head}");
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("dormouse-of-a-test") && body.contains("a span of a test"), "{body}");
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
}
