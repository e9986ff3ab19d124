//! Every way in which a call can fail, sorted, and counted.

use crate::recorded::{Answer, Recorded, json_error, xml_error};
use aws_config::retry::RetryConfig;
use dormouse_aws::ports::CloudError;
use dormouse_aws::{CallCount, Cloud};
use dormouse_core::dns::Change;
use dormouse_core::observed::RecordSet;
use std::time::Duration;

fn kind(error: &CloudError) -> &'static str {
    match error {
        CloudError::Throttled { .. } => "throttled",
        CloudError::Denied { .. } => "denied",
        CloudError::Unknown { .. } => "unknown",
        CloudError::Refused { .. } => "refused",
        CloudError::NotFound { .. } => "not found",
    }
}

#[tokio::test]
async fn errors_of_json_services() {
    let table = [
        (json_error(400, "ThrottlingException", "Rate exceeded"), "throttled"),
        (json_error(400, "com.amazonaws.ecs#ThrottlingException", "Rate exceeded"), "throttled"),
        (json_error(400, "AccessDeniedException", "not authorized to perform"), "denied"),
        (json_error(400, "ClusterNotFoundException", "Cluster not found."), "not found"),
        (json_error(400, "InvalidParameterException", "bad"), "refused"),
        (json_error(500, "ServerException", "Service Unavailable."), "unknown"),
        (Answer::Http(503, "<html>".into()), "unknown"),
        (Answer::Http(200, "<html>".into()), "unknown"),
        (Answer::Broken, "unknown"),
        (Answer::TimedOut, "unknown"),
    ];
    for (answer, expected) in table {
        let shown = format!("{answer:?}");
        let aws = Recorded::new([answer]);
        let error = aws.cloud().tasks.list("services", "dormouse/i").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{shown} {error}");
        assert!(error.to_string().starts_with("ecs:ListTasks"), "{error}");
    }
}

#[tokio::test]
async fn errors_of_xml_services() {
    let table = [
        (xml_error(400, "Throttling", "Rate exceeded"), "throttled"),
        (xml_error(403, "AccessDenied", "not authorized"), "denied"),
        (xml_error(404, "NoSuchHostedZone", "No hosted zone found"), "not found"),
        (xml_error(400, "InvalidInput", "bad"), "refused"),
        (xml_error(500, "InternalError", "oops"), "unknown"),
        (Answer::Broken, "unknown"),
    ];
    for (answer, expected) in table {
        let shown = format!("{answer:?}");
        let aws = Recorded::new([answer]);
        let error = aws.cloud().zones.records("Z1").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{shown} {error}");
    }
}

#[tokio::test]
async fn words_of_aws_reach_the_reader() {
    let aws = Recorded::new([json_error(400, "AccessDeniedException", "no identity-based policy allows it")]);
    let error = aws.cloud().tasks.list("services", "dormouse/i").await.unwrap_err();
    let words = "ecs:ListTasks is not allowed: no identity-based policy allows it \
                 (ecs:ListTasks is allowed by ListTasks of policies/controller.json)";
    assert_eq!(error.to_string(), words);

    let aws = Recorded::new([Answer::Broken]);
    let error = aws.cloud().tasks.list("services", "dormouse/i").await.unwrap_err();
    assert!(error.to_string().contains("connection reset"), "{error}");
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_outcome() {
    let aws = Recorded::new([
        json_error(400, "ThrottlingException", "Rate exceeded"),
        json_error(400, "InvalidParameterException", "bad"),
        Answer::Http(200, r#"{"taskArns": []}"#.into()),
        xml_error(400, "Throttling", "Rate exceeded"),
    ]);
    let cloud = aws.cloud();
    for _ in 0..3 {
        let _ = cloud.tasks.list("services", "dormouse/i").await;
    }
    let _ = cloud.zones.records("Z1").await;
    let counts = cloud.calls.snapshot();
    assert_eq!(counts["ecs:ListTasks"], CallCount { calls: 3, throttled: 1, failed: 1 });
    let records = counts["route53:ListResourceRecordSets"];
    assert_eq!(records, CallCount { calls: 1, throttled: 1, failed: 0 });
}

#[tokio::test]
async fn reads_are_tried_twice_and_changes_sent_once() {
    let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(1));
    let aws = Recorded::new([Answer::Broken, Answer::Http(200, r#"{"taskArns": []}"#.into())]);
    let config = aws.config().to_builder().retry_config(retry.clone()).build();
    Cloud::connect(&config).tasks.list("services", "dormouse/i").await.unwrap();
    assert_eq!(aws.operations(), ["ListTasks", "ListTasks"]);

    let aws = Recorded::new((0..5).map(|_| Answer::Broken));
    let config = aws.config().to_builder().retry_config(retry).build();
    let cloud = Cloud::connect(&config);
    let set = RecordSet { name: "a".into(), kind: "A".into(), ttl: Some(1), values: vec![], special: false };
    assert!(cloud.tasks.stop("services", "t1", "idle").await.is_err());
    assert!(cloud.instances.set_draining("services", &["a".into()], true).await.is_err());
    assert!(cloud.groups.set_desired("asg", 1).await.is_err());
    assert!(cloud.groups.terminate("i-1").await.is_err());
    assert!(cloud.zones.change("Z1", &[Change::Create(set)], "").await.is_err());
    assert_eq!(aws.asked().len(), 5);
}
