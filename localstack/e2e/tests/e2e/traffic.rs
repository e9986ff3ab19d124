//! More than short requests: WebSockets, raw bytes, bodies.

use dormouse_e2e::eventually::{holds, steadily};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::websocket::WebSocket;
use dormouse_e2e::world::host;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn talks(socket: &mut WebSocket, text: &str) {
    socket.send(text).unwrap();
    assert_eq!(socket.receive(PATIENCE).unwrap(), text);
}

#[test]
fn a_websocket_through_the_proxy_is_use() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("2s"));
        controller.wake("hello");
        let to = world.resolve("hello");
        assert_ne!(to, controller.activator());
        let mut socket = WebSocket::open(to, &host("hello"), "/ws").unwrap();
        talks(&mut socket, "squeak");
        // Silent, and still open.
        steadily("it stays awake", Duration::from_secs(5), || {
            let service = controller.api.find("hello")?;
            holds(service.phase() == "Awake", service.0["status"].to_string())
        });
        talks(&mut socket, "still here");
        drop(socket);
        controller.phase("hello", "Asleep");
    });
}

#[test]
fn a_websocket_that_is_silent_for_long_is_no_use() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let app = Manifest::app("hello").idle_after("1s").spec("websocketIdle", "3s").drain("1s");
        controller.declare(&app);
        controller.wake("hello");
        let mut socket = WebSocket::open(world.resolve("hello"), &host("hello"), "/ws").unwrap();
        for _ in 0..5 {
            talks(&mut socket, "squeak");
            steadily("it stays awake while they talk", Duration::from_secs(1), || {
                let service = controller.api.find("hello")?;
                holds(service.phase() == "Awake", service.0["status"].to_string())
            });
        }
        controller.phase("hello", "Asleep");
        assert!(socket.receive(PATIENCE).is_err(), "it was cut off");
        assert_eq!(controller.api.service("hello").0["status"]["lastSleep"]["origin"], "idle");
    });
}

#[test]
fn a_websocket_wakes_through_the_activator_and_is_use() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("2s"));
        let mut socket = WebSocket::open(controller.activator(), &host("hello"), "/ws").unwrap();
        talks(&mut socket, "good morning");
        controller.ready("hello");
        steadily("it stays awake", Duration::from_secs(5), || {
            let service = controller.api.find("hello")?;
            holds(service.phase() == "Awake", service.0["status"].to_string())
        });
        talks(&mut socket, "still here");
        drop(socket);
        controller.phase("hello", "Asleep");
    });
}

#[test]
fn a_body_travels_whole_through_activator_and_proxy() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let body: String = (0..20_000).map(|number| format!("{number:06}\n")).collect();
        let send = |to| {
            let request = Request::new("POST", &host("hello"), "/echo?a=1&b=%20").header("X-Mark", "kept");
            let answer = request.body(body.clone()).send(to).unwrap();
            let text = answer.text();
            assert_eq!(answer.status, 200, "{}", answer.status);
            assert!(text.starts_with("POST /echo?a=1&b=%20 HTTP/1.1"), "{}", &text[..200]);
            assert!(text.ends_with(&body), "a body of {} bytes", text.len());
            let head = text[..text.len() - body.len()].to_lowercase();
            assert!(head.contains("x-mark: kept"), "{head}");
            assert!(head.contains(&format!("host: {}", host("hello"))), "{head}");
            assert!(head.contains("x-forwarded-for: 127."), "{head}");
        };
        send(controller.activator());
        controller.ready("hello");
        send(world.resolve("hello"));
        assert_eq!(world.get("hello", "/count").text(), "3", "each request came once");
    });
}

#[test]
fn raw_bytes_pass_a_tcp_service() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("protocol", "tcp"));
        controller.wake("hello");
        // Any bytes will do; those of HTTP are at hand.
        let answer = world.get("hello", "/echo");
        assert_eq!(answer.status, 200);
        assert!(!answer.text().to_lowercase().contains("x-forwarded-for"), "nothing was added: {answer}");
        controller.api.sleep("hello");
        world.nothing_of("hello");
    });
}
