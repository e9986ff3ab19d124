//! Container instances.

use crate::recorded::{Recorded, json};
use dormouse_aws::ports::CloudError;
use dormouse_core::definition::Architecture;
use dormouse_core::observed::Resources;
use serde_json::{Value, json as value};

fn instance(arn: &str, status: &str) -> Value {
    value!({
        "containerInstanceArn": arn, "ec2InstanceId": "i-1", "status": status, "agentConnected": true,
        "registeredResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": 2048},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 3862},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
        ],
        "remainingResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 2000},
        ],
        "attributes": [{"name": "ecs.ami-id", "value": "ami-1"}, {"name": "ecs.cpu-architecture", "value": "arm64"}],
        "runningTasksCount": 2, "pendingTasksCount": 1,
    })
}

#[tokio::test]
async fn all_instances_are_listed_and_described_100_at_a_time() {
    let arns: Vec<_> = (0..150).map(|n| format!("ci{n}")).collect();
    let described = arns.chunks(100).map(|c| c.iter().map(|arn| instance(arn, "ACTIVE")).collect::<Vec<_>>());
    let mut answers = vec![
        json(value!({"containerInstanceArns": arns[..100], "nextToken": "n"})),
        json(value!({"containerInstanceArns": arns[100..]})),
    ];
    answers.extend(described.map(|instances| json(value!({"containerInstances": instances}))));
    let aws = Recorded::new(answers);
    let instances = aws.cloud().instances.instances("services").await.unwrap();
    assert_eq!(instances.iter().map(|i| i.arn.clone()).collect::<Vec<_>>(), arns);
    let asked = aws.asked();
    assert_eq!(asked[0].json(), value!({"cluster": "services", "maxResults": 100}), "of every state");
    assert_eq!(asked[1].json()["nextToken"], "n");
    assert_eq!(asked[2].json()["containerInstances"].as_array().unwrap().len(), 100);
    assert_eq!(asked[3].json()["containerInstances"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn their_names_alone_are_one_call_a_page() {
    let aws = Recorded::new([
        json(value!({"containerInstanceArns": ["a"], "nextToken": "n"})),
        json(value!({"containerInstanceArns": ["b"]})),
    ]);
    assert_eq!(aws.cloud().instances.listed("services").await.unwrap(), ["a", "b"]);
    assert_eq!(aws.asked().len(), 2);
}

#[tokio::test]
async fn an_instance_is_read() {
    let aws = Recorded::new([
        json(value!({"containerInstanceArns": ["a", "b", "gone"]})),
        json(value!({
            "containerInstances": [instance("a", "ACTIVE"), instance("b", "DRAINING")],
            "failures": [{"arn": "gone", "reason": "MISSING"}],
        })),
    ]);
    let instances = aws.cloud().instances.instances("services").await.unwrap();
    let states: Vec<_> = instances.iter().map(|i| (i.arn.as_str(), i.active, i.status.as_str())).collect();
    assert_eq!(states, [("a", true, "ACTIVE"), ("b", false, "DRAINING")]);
    let a = &instances[0];
    assert_eq!((a.ec2_id.as_str(), a.connected, a.tasks), ("i-1", true, 3));
    assert_eq!(a.architecture, Some(Architecture::Arm64));
    assert_eq!(a.registered, Resources { cpu: 2048, memory: 3862 });
    assert_eq!(a.remaining, Resources { cpu: 1024, memory: 2000 });
}

#[tokio::test]
async fn an_instance_that_is_not_told_of_makes_the_read_fail() {
    for answer in [
        value!({"containerInstances": [instance("a", "ACTIVE")]}),
        value!({"containerInstances": [instance("a", "ACTIVE")], "failures": [{"arn": "b", "reason": "?"}]}),
    ] {
        let aws = Recorded::new([json(value!({"containerInstanceArns": ["a", "b"]})), json(answer)]);
        let error = aws.cloud().instances.instances("services").await.unwrap_err();
        assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    }
}

#[tokio::test]
async fn instances_are_drained_10_at_a_time() {
    let arns: Vec<_> = (0..21).map(|n| format!("ci{n}")).collect();
    let aws = Recorded::new((0..3).map(|_| json(value!({"containerInstances": [], "failures": []}))));
    aws.cloud().instances.set_draining("services", &arns, true).await.unwrap();
    let asked: Vec<_> = aws.asked().iter().map(|asked| asked.json()).collect();
    let sizes: Vec<_> = asked.iter().map(|a| a["containerInstances"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10, 1]);
    assert_eq!((&asked[0]["status"], &asked[0]["cluster"]), (&value!("DRAINING"), &value!("services")));
}

#[tokio::test]
async fn an_instance_that_is_gone_need_not_drain() {
    let aws = Recorded::new([json(value!({"failures": [{"arn": "a", "reason": "MISSING"}]}))]);
    aws.cloud().instances.set_draining("services", &["a".into()], false).await.unwrap();
    assert_eq!(aws.asked()[0].json()["status"], "ACTIVE");
    let aws = Recorded::new([json(value!({"failures": [{"arn": "a", "reason": "INACTIVE"}]}))]);
    let error = aws.cloud().instances.set_draining("services", &["a".into()], false).await.unwrap_err();
    assert!(matches!(&error, CloudError::Refused { code, .. } if code == "INACTIVE"), "{error}");
}
