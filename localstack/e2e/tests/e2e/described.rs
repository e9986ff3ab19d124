//! The API is as `/openapi.json` says: statuses, media types, bodies, methods, tokens.

use dormouse_e2e::controller::API_PORT;
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::paths::{localstack, python};
use dormouse_e2e::run::run;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command;

const TOKEN: &str = "a-token-of-the-tests";

#[test]
fn every_answer_is_one_that_is_described() {
    // It only observes: whatever is declared and woken here starts nothing.
    let options =
        Options::default().controller("DORMOUSE_API_TOKEN", TOKEN).controller("DORMOUSE_POLICY", "observe");
    run(options, |world| {
        let controller = world.controller_with(&[]);
        controller.is_up();
        let service = |name| (format!("/v1/services/{name}"), Manifest::app(name).document().clone());
        let template = json!({
            "apiVersion": "dormouse.dev/v1", "kind": "ServiceTemplate", "metadata": {"name": "gone"},
            "spec": {"match": "gone-*", "template": {"image": "e2e-app:1"}},
        });
        for (path, manifest) in
            [service("hello"), service("gone"), ("/v1/templates/gone".to_owned(), template)]
        {
            let request = Request::new("PUT", "controller", &path)
                .header("Authorization", &format!("Bearer {TOKEN}"))
                .body(manifest.to_string());
            let to = SocketAddr::new(controller.address().parse().unwrap(), API_PORT);
            assert_eq!(request.send(to).unwrap().status, 201);
        }
        let asked = Command::new(python().with_file_name("schemathesis"))
            .arg("--config-file")
            .arg(localstack().join("e2e/schemathesis.toml"))
            .args(["run", &format!("{}/openapi.json", controller.url())])
            .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
            .current_dir(world.directory())
            .output()
            .expect("schemathesis starts: `make setup` installs it");
        let said = String::from_utf8_lossy(&asked.stdout);
        assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
        assert!(said.contains("Tested: 31"), "every call that ends was asked: {said}");
    });
}
