//! Services that nobody declares.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::world::host;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

fn template(change: impl FnOnce(&mut Value)) -> Value {
    let mut service = Manifest::app("any").env("VALUE", "{name} of {match}").document()["spec"].clone();
    service["idleAfter"] = json!("15m");
    let mut document = json!({
        "apiVersion": "dormouse.dev/v1",
        "kind": "ServiceTemplate",
        "metadata": {"name": "preview"},
        "spec": {"match": "preview-*", "max": 2, "expireAfter": "1d", "template": service},
    });
    change(&mut document["spec"]);
    document
}

#[test]
fn a_standby_makes_them_too() {
    run(Options::default(), |world| {
        let first = world.controller();
        let second = world.controller();
        eventually("it follows the one that leads", SOON, || {
            holds(second.log().contains("following"), second.log())
        });
        let file = world.directory().join("template.json");
        fs::write(&file, template(|_| {}).to_string()).unwrap();
        cli::with(&first, &["apply", "-f", file.to_str().unwrap()]).fine();
        let get = |target: &str| {
            let request = Request::new("GET", &host("preview-1"), target).patience(Duration::from_secs(60));
            request.send(second.activator()).unwrap()
        };
        eventually("the standby hears of the template", SOON, || {
            // Answered in the service's place, without making it.
            let answer = get("/robots.txt");
            holds(answer.status == 200, answer.to_string())
        });
        assert!(first.api.find("preview-1").is_err(), "nothing was made");
        assert_eq!(get("/env?name=VALUE").text(), "preview-1 of 1");
        first.ready("preview-1");
        world.one_pair("preview-1");
    });
}

#[test]
fn a_request_makes_a_service_which_follows_its_template_and_expires() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let file = world.directory().join("template.json");
        let apply = |template: &Value| {
            fs::write(&file, template.to_string()).unwrap();
            cli::with(&controller, &["apply", "-f", file.to_str().unwrap()]).fine()
        };
        assert_eq!(apply(&template(|_| {})), "template/preview created\n");
        assert_eq!(world.get("preview-1", "/env?name=VALUE").text(), "preview-1 of 1");
        controller.ready("preview-1");

        // A change of the template comes into use like one of a manifest.
        let anew = |spec: &mut Value| spec["template"]["env"]["VALUE"] = json!("{match} anew");
        apply(&template(anew));
        eventually("it is rolled out", SOON, || {
            let value = world.get("preview-1", "/env?name=VALUE").text();
            holds(value == "1 anew", value)
        });

        // No more than there may be.
        let woken = cli::with(&controller, &["wake", "preview-2", "--wait"]).fine();
        assert!(woken.starts_with("service/preview-2 is ready"), "{woken}");
        let refused = world.get("preview-3", "/");
        assert_eq!(refused.status, 503, "{refused}");
        let words = "the template `preview` has made 2 services, and makes no more (spec.max)";
        assert!(refused.text().contains(words), "{refused}");
        let asked = controller.api.call("GET", "/api/preview-3");
        assert!(asked.status == 503 && asked.text().contains(words), "{asked}");

        // Without the template they are there until their time is over.
        apply(&template(|spec| {
            anew(spec);
            spec["expireAfter"] = json!("2s");
        }));
        cli::with(&controller, &["delete", "template/preview"]).fine();
        controller.api.sleep("preview-1");
        eventually("it is gone", SOON, || match controller.api.find("preview-1") {
            Err(error) if error.starts_with("404") => Ok(()),
            Err(error) => Err(error),
            Ok(service) => Err(service.0["status"].to_string()),
        });
        world.nothing_of("preview-1");
        assert_eq!(world.get("preview-1", "/").status, 404, "nothing makes it anew");
        let events = controller.api.events("preview-2").to_string();
        assert!(events.contains("the template `preview` was deleted"), "{events}");
        assert_eq!(world.get("preview-2", "/env?name=VALUE").status, 200);
    });
}
