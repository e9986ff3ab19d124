//! What can be shown without the control endpoint: on LocalStack, or wherever `AWS_ENDPOINT_URL` leads.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::localstack;
use dormouse_e2e::manifest::Manifest;
use std::env;
use std::time::Duration;

/// Images are pulled, and instances are containers that boot.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn a_service_wakes_serves_and_sleeps() {
    let Some(variables) = localstack::variables() else {
        eprintln!("skipped: LOCALSTACK, LOCALSTACK_AUTH_TOKEN and AWS_ENDPOINT_URL are not all set");
        return;
    };
    let domain = variables.iter().rev().find(|(name, _)| name == "DOMAIN").map(|(_, value)| value.clone());
    let host = format!("e2e.{}", domain.unwrap_or_default());
    let directory = tempfile::tempdir().unwrap();
    let controller = localstack::controller(variables, directory.path());
    let image = env::var("E2E_IMAGE").unwrap_or_else(|_| "public.ecr.aws/nginx/nginx:1.27".to_owned());
    let port: u16 = env::var("E2E_IMAGE_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(80);
    let manifest = Manifest::app("e2e").spec("image", image).spec("port", port).spec("health.path", "/");
    controller.declare(&manifest.spec("wake.hold", "4m"));
    let request = Request::new("GET", &host, "/").patience(PATIENCE);
    let answer = request.send(controller.activator()).unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    eventually("it is ready", PATIENCE, || {
        let service = controller.api.find("e2e")?;
        holds(service.is("Ready"), service.0["status"].to_string())
    });
    let slept = cli::with(&controller, &["sleep", "e2e", "--wait"]);
    assert_eq!(slept.code, 0, "{slept}");
    controller.api.delete("e2e");
    eventually("it is gone", PATIENCE, || holds(controller.api.find("e2e").is_err(), "it is still there"));
}
