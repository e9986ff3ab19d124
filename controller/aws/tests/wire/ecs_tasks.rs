//! Tasks.

use crate::recorded::{Answer, Recorded, json, json_error};
use dormouse_aws::ports::{CloudError, RunAnswer, RunCall};
use dormouse_core::observed::TaskStatus;
use dormouse_peer::token::{self, Identity};
use dormouse_peer::wire::Role;
use dormouse_state::{Launch, RunParameters};
use serde_json::{Value, json as value};

const OURS: &str = "dormouse/i";

fn identity() -> Identity {
    Identity { service: "hello".into(), role: Role::Service, epoch: 7, attempt: 2 }
}

fn call(launch: Launch) -> RunCall {
    RunCall {
        identity: identity(),
        started_by: OURS.into(),
        client_token: "token".into(),
        parameters: RunParameters {
            cluster: "services".into(),
            task_definition: "arn:def:3".into(),
            container: "dormouse-service".into(),
            subnets: vec!["subnet-1".into()],
            security_groups: vec!["sg-1".into()],
            launch,
            public_ip: true,
            controller_url: "http://10.0.0.9:9070".into(),
            incarnation: String::new(),
        },
        env: [("B", "2"), ("A", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        tags: [("dormouse:service".to_owned(), "hello".to_owned())].into(),
    }
}

fn task(arn: &str) -> Value {
    value!({
        "taskArn": arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "startedBy": OURS,
        "containerInstanceArn": "arn:instance",
        "attachments": [{"type": "ElasticNetworkInterface", "details": [
            {"name": "subnetId", "value": "subnet-1"},
            {"name": "networkInterfaceId", "value": "eni-1"},
            {"name": "privateIPv4Address", "value": "10.0.1.5"},
        ]}],
        "overrides": {"containerOverrides": [
            {"name": "app"},
            {"name": "dormouse-service", "environment": [
                {"name": "OTHER", "value": "x"},
                {"name": "DORMOUSE_TASK_TOKEN", "value": token::sign(b"secret", &identity())},
            ]},
        ]},
        "containers": [{"name": "app"}],
    })
}

#[tokio::test]
async fn all_pages_are_listed_by_started_by_alone() {
    let aws = Recorded::new([
        json(value!({"taskArns": ["a", "b"], "nextToken": "n1"})),
        json(value!({"taskArns": [], "nextToken": "n2"})),
        json(value!({"taskArns": ["c"]})),
    ]);
    assert_eq!(aws.cloud().tasks.list("services", OURS).await.unwrap(), ["a", "b", "c"]);
    let asked: Vec<_> = aws.asked().iter().map(|asked| asked.json()).collect();
    let first =
        value!({"cluster": "services", "startedBy": OURS, "desiredStatus": "RUNNING", "maxResults": 100});
    assert_eq!(asked[0], first);
    assert_eq!(asked[1]["nextToken"], "n1");
    assert_eq!(asked[2]["nextToken"], "n2");
}

#[tokio::test]
async fn half_a_list_is_an_error() {
    let page = json(value!({"taskArns": ["a"], "nextToken": "n1"}));
    let aws = Recorded::new([page, Answer::Broken]);
    let error = aws.cloud().tasks.list("services", OURS).await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn tasks_are_described_100_at_a_time() {
    let arns: Vec<_> = (0..201).map(|n| format!("t{n}")).collect();
    let answers = arns
        .chunks(100)
        .map(|chunk| json(value!({"tasks": chunk.iter().map(|arn| task(arn)).collect::<Vec<_>>()})));
    let aws = Recorded::new(answers);
    let described = aws.cloud().tasks.describe("services", OURS, &arns).await.unwrap();
    assert_eq!(described.tasks.iter().map(|t| t.arn.clone()).collect::<Vec<_>>(), arns);
    let sizes: Vec<_> = aws.asked().iter().map(|a| a.json()["tasks"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 1]);
}

#[tokio::test]
async fn a_running_task_is_read() {
    let aws = Recorded::new([json(value!({"tasks": [task("t1")]}))]);
    let described = aws.cloud().tasks.describe("services", OURS, &["t1".into()]).await.unwrap();
    let task = &described.tasks[0];
    assert_eq!(task.identity, Some(identity()));
    assert_eq!((task.status, task.stopping), (TaskStatus::Running, false));
    assert_eq!(task.cluster, "services");
    assert_eq!(task.private_address.as_deref(), Some("10.0.1.5"));
    assert_eq!(task.interface.as_deref(), Some("eni-1"));
    assert_eq!(task.public_address, None);
    assert_eq!(task.container_instance.as_deref(), Some("arn:instance"));
    assert_eq!((task.stop_code.as_deref(), task.stopped_reason.as_deref()), (None, None));
    assert!(task.exit_codes.is_empty());
}

#[tokio::test]
async fn a_stopped_task_tells_why() {
    let mut stopped = task("t1");
    stopped["lastStatus"] = value!("STOPPED");
    stopped["desiredStatus"] = value!("STOPPED");
    stopped["stopCode"] = value!("EssentialContainerExited");
    stopped["stoppedReason"] = value!("Essential container in task exited");
    stopped["containers"] = value!([
        {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
        {"name": "dormouse-service", "exitCode": 0},
        {"name": "never-started"},
    ]);
    let aws = Recorded::new([json(value!({"tasks": [stopped]}))]);
    let described = aws.cloud().tasks.describe("services", OURS, &["t1".into()]).await.unwrap();
    let task = &described.tasks[0];
    assert_eq!((task.status, task.stopping), (TaskStatus::Stopped, true));
    assert_eq!(task.stop_code.as_deref(), Some("EssentialContainerExited"));
    let reason =
        "Essential container in task exited (app: OutOfMemoryError: Container killed due to memory usage)";
    assert_eq!(task.stopped_reason.as_deref(), Some(reason));
    assert_eq!(task.exit_codes, [("app".to_owned(), 137), ("dormouse-service".to_owned(), 0)].into());
}

#[tokio::test]
async fn a_reason_that_a_container_repeats_is_told_once() {
    const REASON: &str = "ResourceInitializationError: unable to pull secrets or registry auth";
    let mut stopped = task("t1");
    stopped["lastStatus"] = value!("STOPPED");
    stopped["stoppedReason"] = value!(REASON);
    stopped["containers"] = value!([{"name": "app", "reason": REASON}, {"name": "other", "reason": ""}]);
    let aws = Recorded::new([json(value!({"tasks": [stopped]}))]);
    let described = aws.cloud().tasks.describe("services", OURS, &["t1".into()]).await.unwrap();
    assert_eq!(described.tasks[0].stopped_reason.as_deref(), Some(REASON));
}

#[tokio::test]
async fn only_what_carries_both_marks_is_ours() {
    let mut other_owner = task("t1");
    other_owner["startedBy"] = value!("dormouse/other");
    let mut no_owner = task("t2");
    no_owner.as_object_mut().unwrap().remove("startedBy");
    let mut no_token = task("t3");
    no_token["overrides"] = value!({});
    let mut bad_token = task("t4");
    bad_token["overrides"]["containerOverrides"][1]["environment"][1]["value"] = value!("v2:x");
    let aws = Recorded::new([json(value!({"tasks": [other_owner, no_owner, no_token, bad_token]}))]);
    let arns: Vec<_> = (1..=4).map(|n| format!("t{n}")).collect();
    let described = aws.cloud().tasks.describe("services", OURS, &arns).await.unwrap();
    assert!(described.tasks.iter().all(|task| task.identity.is_none()), "{described:?}");
}

#[tokio::test]
async fn missing_is_told_apart_from_not_told() {
    let arns = ["t1".to_owned(), "t2".to_owned()];
    let missing = value!([{"arn": "t2", "reason": "MISSING"}]);
    let aws = Recorded::new([json(value!({"tasks": [task("t1")], "failures": missing}))]);
    let described = aws.cloud().tasks.describe("services", OURS, &arns).await.unwrap();
    assert_eq!(described.missing, ["t2".to_owned()].into());

    // An answer that leaves one out, or fails it for another reason, says nothing of it.
    for failures in [value!([]), value!([{"arn": "t2", "reason": "INTERNAL", "detail": "oops"}])] {
        let aws = Recorded::new([json(value!({"tasks": [task("t1")], "failures": failures}))]);
        let error = aws.cloud().tasks.describe("services", OURS, &arns).await.unwrap_err();
        assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_task_runs_on_an_instance() {
    let aws = Recorded::new([json(value!({"tasks": [task("t1")], "failures": []}))]);
    let RunAnswer::Started(task) = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap() else { panic!() };
    assert_eq!((task.arn.as_str(), task.identity), ("t1", Some(identity())));
    let expected = value!({
        "cluster": "services", "taskDefinition": "arn:def:3", "count": 1, "clientToken": "token",
        "startedBy": OURS, "launchType": "EC2", "enableECSManagedTags": true,
        "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-1"], "securityGroups": ["sg-1"],
        }},
        "overrides": {"containerOverrides": [{
            "name": "dormouse-service",
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        }]},
        "tags": [{"key": "dormouse:service", "value": "hello"}],
    });
    assert_eq!(aws.asked()[0].json(), expected);
}

#[tokio::test]
async fn a_task_runs_on_fargate_and_on_spot() {
    for (launch, public_ip, assign) in
        [(Launch::Fargate, true, "ENABLED"), (Launch::FargateSpot, false, "DISABLED")]
    {
        let aws = Recorded::new([json(value!({"tasks": [task("t1")]}))]);
        let mut call = call(launch);
        call.parameters.public_ip = public_ip;
        aws.cloud().tasks.run(&call).await.unwrap();
        let asked = aws.asked()[0].json();
        assert_eq!(asked["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"], assign);
        let (kind, strategy) = match launch {
            Launch::Fargate => (value!("FARGATE"), Value::Null),
            _ => (Value::Null, value!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}])),
        };
        assert_eq!((&asked["launchType"], &asked["capacityProviderStrategy"]), (&kind, &strategy));
    }
}

#[tokio::test]
async fn the_same_call_makes_the_same_request() {
    let aws = Recorded::new((0..2).map(|_| json(value!({"tasks": [task("t1")]}))));
    for _ in 0..2 {
        aws.cloud().tasks.run(&call(Launch::Fargate)).await.unwrap();
    }
    let asked = aws.asked();
    assert_eq!(asked[0].body, asked[1].body);
}

#[tokio::test]
async fn what_was_not_started_is_sorted() {
    let no_room = |reason: &str| RunAnswer::NoRoom(reason.to_owned());
    let failed = |reason: &str| RunAnswer::Failed(reason.to_owned());
    let no_capacity = |reason: &str| RunAnswer::NoCapacity(reason.to_owned());
    let failure = |reason: &str| value!({"arn": "arn:instance", "reason": reason});
    let table = [
        (value!([failure("RESOURCE:MEMORY")]), no_room("RESOURCE:MEMORY")),
        (value!([failure("AGENT"), failure("RESOURCE:ENI")]), no_room("RESOURCE:ENI")),
        (value!([failure("AGENT")]), no_room("AGENT")),
        (value!([failure("ATTRIBUTE")]), failed("ATTRIBUTE")),
        (value!([failure("ATTRIBUTE"), failure("RESOURCE:CPU")]), no_room("RESOURCE:CPU")),
        (
            value!([{"reason": "Capacity is unavailable at this time.", "detail": "eu-west-1a"}]),
            no_capacity("Capacity is unavailable at this time.: eu-west-1a"),
        ),
        (value!([]), failed("ECS answered neither a task nor a failure")),
    ];
    for (failures, expected) in table {
        let aws = Recorded::new([json(value!({"tasks": [], "failures": failures}))]);
        assert_eq!(aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_cluster_without_instances_has_no_room() {
    let message = "No Container Instances were found in your cluster.";
    let aws = Recorded::new([json_error(400, "InvalidParameterException", message)]);
    let answer = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap();
    assert_eq!(answer, RunAnswer::NoRoom("NO_INSTANCES".into()));

    let aws = Recorded::new([json_error(400, "InvalidParameterException", "Unknown subnet.")]);
    let error = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap_err();
    assert!(matches!(&error, CloudError::Refused { code, .. } if code == "InvalidParameterException"));
    let aws = Recorded::new([json_error(400, "ClientException", message)]);
    let error = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn fargate_may_refuse_the_call_for_want_of_capacity() {
    let words =
        "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    let aws =
        Recorded::new([json_error(400, "ClientException", words), json_error(400, "ClientException", "no")]);
    let cloud = aws.cloud();
    let answer = cloud.tasks.run(&call(Launch::FargateSpot)).await.unwrap();
    assert_eq!(answer, RunAnswer::NoCapacity(words.into()));
    assert!(cloud.tasks.run(&call(Launch::FargateSpot)).await.is_err());
}

#[tokio::test]
async fn a_burnt_token_tells_who_holds_it() {
    let conflict = value!({
        "__type": "ConflictException", "message": "already used", "resourceIds": ["arn:task/1"],
    });
    let aws = Recorded::new([Answer::Http(400, conflict.to_string())]);
    let answer = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap();
    assert_eq!(answer, RunAnswer::TokenConflict(vec!["arn:task/1".into()]));
}

#[tokio::test]
async fn run_task_is_sent_once() {
    let aws = Recorded::new([Answer::TimedOut]);
    let error = aws.cloud().tasks.run(&call(Launch::Ec2)).await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    assert_eq!(aws.operations(), ["RunTask"]);
}

#[tokio::test]
async fn stopping_what_is_over_is_success() {
    let refusal = || json_error(400, "InvalidParameterException", "The referenced task was not found.");
    let missing = value!({"tasks": [], "failures": [{"arn": "t1", "reason": "MISSING"}]});
    let mut stopped = task("t1");
    stopped["lastStatus"] = value!("STOPPED");
    let aws = Recorded::new([refusal(), json(value!({"tasks": [stopped]}))]);
    aws.cloud().tasks.stop("services", "t1", "idle").await.unwrap();
    assert_eq!(aws.operations(), ["StopTask", "DescribeTasks"]);
    // The task is there, and it was something else that ECS did not like; or ECS knows nothing of it yet.
    for described in [missing, value!({"tasks": [task("t1")]})] {
        let aws = Recorded::new([refusal(), json(described)]);
        let error = aws.cloud().tasks.stop("services", "t1", "idle").await.unwrap_err();
        assert!(matches!(error, CloudError::Refused { operation: "ecs:StopTask", .. }), "{error}");
    }

    let aws = Recorded::new([json(value!({"task": task("t1")}))]);
    aws.cloud().tasks.stop("services", "t1", "idle").await.unwrap();
    assert_eq!(aws.asked()[0].json(), value!({"cluster": "services", "task": "t1", "reason": "idle"}));
}
