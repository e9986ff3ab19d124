//! What Prometheus reads of a proxy, on a port of the machine's own.

use crate::answer::Own;
use crate::proxy::Proxy;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters beside those that idleness is judged by.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Clients' connections taken.
    pub connections: AtomicU64,
    /// Answers by the first digit of their status.
    answers: [AtomicU64; 6],
    /// Requests sent again over another connection.
    pub retries: AtomicU64,
    /// Answers that the service broke off.
    pub broken: AtomicU64,
}

impl Metrics {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// An answer with this status went out.
    pub fn answered(&self, status: u16) {
        if let Some(counter) = self.answers.get(usize::from(status / 100)) {
            Metrics::count(counter);
        }
    }
}

/// `GET /metrics`.
pub fn page(proxy: &Proxy) -> Own {
    let (activity, metrics) = (proxy.activity.snapshot(), &proxy.metrics);
    let mut text = String::new();
    let mut say = |name: &str, kind: &str, help: &str, values: &[(&str, String)]| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP dormouse_proxy_{name} {help}\n# TYPE dormouse_proxy_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "dormouse_proxy_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [("", value.to_string())];
    let loaded = |counter: &AtomicU64| one(counter.load(Relaxed));
    say("requests_total", "counter", "Requests and raw connections taken.", &one(activity.requests));
    let classes =
        ["", "{class=\"1xx\"}", "{class=\"2xx\"}", "{class=\"3xx\"}", "{class=\"4xx\"}", "{class=\"5xx\"}"];
    let answers: Vec<_> = classes
        .iter()
        .zip(&metrics.answers)
        .skip(1)
        .map(|(c, n)| (*c, n.load(Relaxed).to_string()))
        .collect();
    say(
        "answers_total",
        "counter",
        "Answers by the class of their status, the proxy's own included.",
        &answers,
    );
    say("in_flight", "gauge", "Requests being answered.", &one(activity.in_flight));
    say("open_sockets", "gauge", "Upgraded and raw sockets open.", &one(activity.open_sockets));
    say("bytes_total", "counter", "Bytes of bodies and sockets, both ways.", &one(activity.bytes));
    let idle = format!("{}.{:03}", activity.idle_for_ms / 1000, activity.idle_for_ms % 1000);
    say("idle_seconds", "gauge", "Time since anything happened.", &[("", idle)]);
    say("connections_total", "counter", "Connections of clients taken.", &loaded(&metrics.connections));
    let upstream = &proxy.upstream;
    say("upstream_connects_total", "counter", "Connections made to the service.", &one(upstream.connects()));
    say(
        "upstream_idle",
        "gauge",
        "Kept connections to the service.",
        &one((upstream.pool().len() + upstream.http2_pool().len()) as u64),
    );
    say(
        "retries_total",
        "counter",
        "Requests sent again over another connection.",
        &loaded(&metrics.retries),
    );
    say("broken_answers_total", "counter", "Answers that the service broke off.", &loaded(&metrics.broken));
    let healthy = proxy.peer_health().is_some_and(|peer| peer.healthy);
    say("upstream_healthy", "gauge", "Whether the service's last check succeeded.", &one(healthy.into()));
    say("draining", "gauge", "Whether clients are asked to go elsewhere.", &one(proxy.is_draining().into()));
    Own {
        status: 200,
        content_type: "text/plain; version=0.0.4",
        text,
        state: None,
        upstream: None,
        again: false,
    }
}
