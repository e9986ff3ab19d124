//! Others are told what happens to services.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::receiver::{Receiver, Told};
use dormouse_e2e::run::run;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};

const KEY: [u8; 32] = *b"the key of the webhook, 32 bytes";

/// Whether it was signed as Standard Webhooks has it.
fn is_signed(told: &Told) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{}.{}.{}", told.id, told.timestamp, told.body).as_bytes());
    told.signature == format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Kinds of the messages about a service in the order in which each first came.
fn about(told: &[Told], service: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let own = told.iter().filter(|told| told.text("/data/service") == service);
    own.filter(|told| seen.insert(told.id.clone())).map(|told| told.text("/type")).collect()
}

#[test]
fn told_until_it_is_taken_whoever_leads() {
    let receiver = Receiver::start(503);
    let options = Options::default()
        .controller("DORMOUSE_WEBHOOK_URL", &format!("{}/hook?for=tests", receiver.url()))
        .controller("DORMOUSE_WEBHOOK_SECRET", &format!("whsec_{}", BASE64_STANDARD.encode(KEY)));
    run(options, |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        eventually("it is tried", SOON, || holds(!receiver.told().is_empty(), "nobody came"));
        let waits = controller.api.service("hello").0["status"]["untold"]["count"].clone();
        assert_eq!(waits, 2, "woken and ready: nothing was taken");
        controller.crash();
        receiver.answers(204);
        let is_told = |service: &str, kinds: &[&str]| {
            eventually(&format!("{service}: {kinds:?}"), SOON, || {
                let found = about(&receiver.told(), service);
                holds(
                    found.iter().zip(kinds).all(|(found, kind)| found == kind) && found.len() >= kinds.len(),
                    format!("{found:?}"),
                )
            });
        };
        is_told("hello", &["service.woken", "service.ready"]);
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        is_told("hello", &["service.woken", "service.ready", "service.slept"]);
        controller.declare(&Manifest::app("broken").env("EXIT_AT_START", "3"));
        controller.api.wake("broken");
        is_told("broken", &["service.woken", "service.failed"]);
        controller.api.sleep("broken");
        controller.until("all is told", "hello", |service| service.0["status"]["untold"].is_null());
        let told = receiver.told();
        assert!(told.iter().any(|told| told.status == 503), "what failed came again");
        let mut bodies = BTreeMap::new();
        for told in &told {
            assert!(is_signed(told), "{told:?}");
            assert_eq!(told.target, "/hook?for=tests");
            assert_eq!(bodies.entry(&told.id).or_insert(&told.body), &&told.body, "one id, one message");
        }
        let woken = told.iter().find(|told| told.text("/type") == "service.woken").unwrap();
        assert_eq!(woken.text("/data/url"), "http://hello.dormouse.test:9060");
        assert!(woken.text("/data/message").starts_with("api: POST /v1/services/hello/wake"), "{woken:?}");
        world.nothing_of("broken");
    });
}
