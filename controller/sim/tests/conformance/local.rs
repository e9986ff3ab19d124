//! The scenarios on the local AWS, where tasks are processes and seconds are seconds.

use crate::{Bench, scenarios};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use dormouse_aws::Cloud;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the local AWS was seeded with.
async fn seeded(endpoint: &str) -> serde_json::Value {
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /_local/world HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn on_the_local_aws() {
    #[allow(clippy::disallowed_methods)]
    let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") else {
        // Past the test harness, which swallows what a passing test prints.
        let _ = writeln!(std::io::stderr(), "skipped: AWS_ENDPOINT_URL is not set");
        return;
    };
    let world = seeded(&endpoint).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await;
    let bench = Bench {
        cloud: Cloud::connect(&config),
        proxy_cluster: text(&world["clusters"][0]),
        service_cluster: text(&world["clusters"][1]),
        group: text(&world["asg"]),
        zone: text(&world["hostedZone"]),
        domain: text(&world["domain"]),
        subnet: text(&world["subnets"][0]),
        security_group: text(&world["securityGroup"]),
        install: format!("conformance-{:08x}", RandomState::new().hash_one(0) as u32),
        patience: Duration::from_secs(60),
        number: Default::default(),
    };
    scenarios::all(&bench).await;
}
