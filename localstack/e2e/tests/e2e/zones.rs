//! Records for private callers.

use dormouse_e2e::dns;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::PRIVATE_DOMAIN;
use serde_json::json;

#[test]
fn private_callers_find_both_halves() {
    let taken = format!("other.service.{PRIVATE_DOMAIN}");
    run(Options::default().seed("privateDomain", json!(PRIVATE_DOMAIN)), |world| {
        let zone = world.id("privateHostedZone").to_owned();
        world.aws.change_record(&zone, "CREATE", &taken, "A", 60, &["10.0.0.1"]);
        let before = dns::records(&world.control, &zone);
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        for (role, label) in [(Role::Service, "service"), (Role::Proxy, "proxy")] {
            let address = world.task("hello", role).address().to_owned();
            let name = format!("hello.{label}.{PRIVATE_DOMAIN}");
            eventually("its private record stands", SOON, || {
                let records = dns::records(&world.control, &zone);
                let found = records.iter().find(|one| one.name == name && one.kind == "A");
                holds(found.is_some_and(|one| one.values == [address.clone()]), format!("{records:?}"))
            });
        }
        controller.api.sleep("hello");
        eventually("the private records are gone", SOON, || {
            let soa = |record: &&dns::Record| record.kind != "SOA";
            let now = dns::records(&world.control, &zone);
            let same = now.iter().filter(soa).eq(before.iter().filter(soa));
            holds(same, format!("{now:?}"))
        });
    });
}
