//! The wire, as the other side sees it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use dormouse_peer::wire::{Activity, Answer, Heartbeat, PeerAddress, PeerHealth, SidecarState};
use proptest::prelude::*;

fn states() -> impl Strategy<Value = SidecarState> {
    prop_oneof![
        Just(SidecarState::Starting),
        Just(SidecarState::Serving),
        Just(SidecarState::Draining),
        Just(SidecarState::Stopping),
    ]
}

fn heartbeats() -> impl Strategy<Value = Heartbeat> {
    let peer = (any::<bool>(), any::<bool>(), any::<u32>())
        .prop_map(|(healthy, ever_healthy, failures)| PeerHealth { healthy, ever_healthy, failures });
    let activity = any::<[u64; 5]>().prop_map(|[in_flight, open_sockets, requests, bytes, idle_for_ms]| {
        Activity { in_flight, open_sockets, requests, bytes, idle_for_ms }
    });
    let words = prop::option::of(any::<String>());
    (
        any::<String>(),
        any::<u64>(),
        states(),
        prop::option::of(peer),
        prop::option::of(activity),
        words.clone(),
        prop::option::of(any::<bool>()),
        words,
    )
        .prop_map(|(boot, seq, state, peer, activity, sleep_requested, busy, detail)| Heartbeat {
            boot,
            seq,
            state,
            peer,
            activity,
            sleep_requested,
            busy,
            detail,
        })
}

proptest! {
    #[test]
    fn heartbeats_arrive_as_sent(heartbeat in heartbeats()) {
        let text = serde_json::to_vec(&heartbeat).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Heartbeat>(&text).unwrap(), heartbeat);
    }

    #[test]
    fn answers_arrive_as_sent(
        peer: Option<(String, u16)>,
        drain: bool,
        interval_ms: u64,
        controllers: Vec<String>,
    ) {
        let peer = peer.map(|(host, port)| PeerAddress { host, port });
        let answer = Answer { peer, drain, interval_ms, controllers };
        let text = serde_json::to_vec(&answer).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Answer>(&text).unwrap(), answer);
    }
}

#[test]
fn names_are_camel_case_and_absence_is_fine() {
    let text = r#"{"boot":"b","seq":3,"state":"serving","activity":{"inFlight":1,"idleForMs":20},"fromTheFuture":1}"#;
    let heartbeat: Heartbeat = serde_json::from_str(text).unwrap();
    assert_eq!(heartbeat.activity, Some(Activity { in_flight: 1, idle_for_ms: 20, ..Activity::default() }));
    assert_eq!((heartbeat.peer, heartbeat.state), (None, SidecarState::Serving));
    let answer: Answer = serde_json::from_str(r#"{"intervalMs":500}"#).unwrap();
    assert_eq!(answer, Answer { peer: None, drain: false, interval_ms: 500, controllers: Vec::new() });
    assert!(serde_json::from_str::<Answer>("{}").is_err(), "an answer says when to come back");
}
