//! What containers wrote.

use crate::recorded::{Recorded, json, json_error};
use dormouse_aws::ports::{CloudError, LogPage, Logs as _};
use dormouse_aws::{Calls, CloudWatchLogs};
use dormouse_core::logs::{Event, Window};
use serde_json::json as value;
use std::sync::Arc;

fn logs(aws: &Recorded) -> CloudWatchLogs {
    CloudWatchLogs::new(&aws.config(), Arc::new(Calls::default()))
}

#[tokio::test]
async fn pages_are_asked_for_by_prefix_and_read() {
    let first = value!({
        "events": [{
            "eventId": "e1", "timestamp": 1_700_000_000_123_i64, "ingestionTime": 1, "logStreamName": "shop/app/t1",
            "message": "hi",
        }],
        "nextToken": "more",
        "searchedLogStreams": [],
    });
    let aws = Recorded::new([json(first), json(value!({"searchedLogStreams": []}))]);
    let page = logs(&aws).page("/g", "shop/", Window { from: 5, to: Some(9) }, None).await.unwrap();
    let event =
        Event { id: "e1".into(), at: 1_700_000_000_123, stream: "shop/app/t1".into(), message: "hi".into() };
    assert_eq!(page, LogPage { events: vec![event], next: Some("more".into()) });
    let page = logs(&aws).page("/g", "shop/", Window { from: 5, to: None }, Some("more")).await.unwrap();
    assert_eq!(page, LogPage::default());

    let asked = aws.asked();
    assert_eq!(asked[0].uri, "https://logs.eu-west-1.amazonaws.com/");
    assert_eq!(asked[0].headers["x-amz-target"], "Logs_20140328.FilterLogEvents");
    assert!(asked[0].headers["authorization"].contains("/eu-west-1/logs/aws4_request, "));
    // The end is one of the times that are told, there.
    let expected =
        value!({"logGroupName": "/g", "logStreamNamePrefix": "shop/", "startTime": 5, "endTime": 8});
    assert_eq!(asked[0].json(), expected);
    let expected =
        value!({"logGroupName": "/g", "logStreamNamePrefix": "shop/", "startTime": 5, "nextToken": "more"});
    assert_eq!(asked[1].json(), expected);
}

#[tokio::test]
async fn a_group_that_is_not_there_is_told_from_what_may_be_tried_again() {
    let aws = Recorded::new([
        json_error(400, "ResourceNotFoundException", "The specified log group does not exist."),
        json_error(400, "ThrottlingException", "Rate exceeded"),
        json(value!({"events": "none"})),
    ]);
    let window = Window { from: 0, to: None };
    let next = async || logs(&aws).page("/g", "shop/", window, None).await.unwrap_err();
    assert!(matches!(next().await, CloudError::NotFound { operation: "logs:FilterLogEvents", .. }));
    assert!(matches!(next().await, CloudError::Throttled { .. }));
    assert!(matches!(next().await, CloudError::Unknown { .. }), "an answer that is none");
}
