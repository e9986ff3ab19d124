//! Task definitions.

use crate::recorded::{Answer, Recorded, json, json_error};
use dormouse_aws::ports::CloudError;
use dormouse_core::definition::{Architecture, Base, Container, Content, LogTo};
use serde_json::{Value, json as value};

const ARN: &str = "arn:aws:ecs:eu-west-1:1:task-definition/fam:3";

fn container(name: &str) -> Container {
    Container {
        name: name.into(),
        image: "nginx:1".into(),
        command: vec!["run".into()],
        entry_point: Vec::new(),
        cpu: 256,
        memory: 512,
        env: [("B", "2"), ("A", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        secrets: [("DB".to_owned(), "arn:secret".to_owned())].into(),
        port: Some(9050),
        stop_timeout: 30,
        health_command: vec!["CMD".into(), "/x".into(), "healthcheck".into()],
        log: None,
    }
}

fn content() -> Content {
    Content {
        family: "fam".into(),
        base: Base::Own,
        fargate: true,
        falls_back: false,
        architecture: None,
        cpu: 256,
        memory: 512,
        task_role: None,
        execution_role: Some("arn:role".into()),
        containers: vec![container("app")],
        shares_tmp: None,
    }
}

fn existing_content() -> Content {
    let sidecar = Container { cpu: 32, memory: 32, ..container("dormouse-service") };
    Content { base: Base::Existing("theirs".into()), fargate: false, containers: vec![sidecar], ..content() }
}

fn none_yet() -> Answer {
    json(value!({"taskDefinitionArns": []}))
}

fn registered() -> Answer {
    json(value!({"taskDefinition": {"taskDefinitionArn": ARN}}))
}

fn described(tags: &Value) -> Answer {
    json(value!({"taskDefinition": {"taskDefinitionArn": ARN, "status": "ACTIVE"}, "tags": tags}))
}

fn tags(install: &str, hash: &str) -> Value {
    value!([{"key": "dormouse:install", "value": install}, {"key": "dormouse:hash", "value": hash}])
}

#[tokio::test]
async fn a_content_is_registered() {
    let aws = Recorded::new([none_yet(), registered()]);
    assert_eq!(aws.cloud().tasks.register("i", &content()).await.unwrap(), ARN);
    let asked = aws.asked();
    let list = value!({"familyPrefix": "fam", "status": "ACTIVE", "sort": "DESC", "maxResults": 100});
    assert_eq!(asked[0].json(), list);
    let expected = value!({
        "family": "fam", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "executionRoleArn": "arn:role",
        "containerDefinitions": [{
            "name": "app", "image": "nginx:1", "command": ["run"], "cpu": 256, "memory": 512,
            "essential": true, "stopTimeout": 30,
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "secrets": [{"name": "DB", "valueFrom": "arn:secret"}],
            "portMappings": [{"containerPort": 9050, "protocol": "tcp"}],
            "healthCheck": {
                "command": ["CMD", "/x", "healthcheck"],
                "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 60,
            },
        }],
        "tags": tags("i", &content().hash()),
    });
    assert_eq!(asked[1].json(), expected);
}

#[tokio::test]
async fn lines_go_to_the_group_of_this_region_and_nobody_waits_for_that() {
    let aws = Recorded::new([none_yet(), registered()]);
    let log = Some(LogTo { group: "/g".into(), prefix: "shop".into() });
    let logging = Content { containers: vec![Container { log, ..container("app") }], ..content() };
    aws.cloud().tasks.register("i", &logging).await.unwrap();
    let expected = value!({"logDriver": "awslogs", "options": {
        "awslogs-group": "/g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "shop", "mode": "non-blocking",
    }});
    assert_eq!(aws.asked()[1].json()["containerDefinitions"][0]["logConfiguration"], expected);
}

#[tokio::test]
async fn a_small_task_on_ec2_has_no_task_level_cpu() {
    let aws = Recorded::new([none_yet(), registered()]);
    let small = Content { fargate: false, cpu: 96, ..content() };
    aws.cloud().tasks.register("i", &small).await.unwrap();
    let asked = aws.asked()[1].json();
    assert_eq!((&asked["cpu"], &asked["memory"]), (&Value::Null, &value!("512")));
    assert_eq!(asked["requiresCompatibilities"], value!(["EC2"]));
}

#[tokio::test]
async fn the_processor_is_named_where_it_is_known() {
    for (architecture, expected) in [
        (None, Value::Null),
        (Some(Architecture::Arm64), value!({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})),
        (Some(Architecture::X86_64), value!({"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"})),
    ] {
        let aws = Recorded::new([none_yet(), registered()]);
        aws.cloud().tasks.register("i", &Content { architecture, ..content() }).await.unwrap();
        assert_eq!(aws.asked()[1].json()["runtimePlatform"], expected);
    }
    // One of the user's own knows better.
    let aws = Recorded::new([json(value!({"taskDefinition": theirs()})), none_yet(), registered()]);
    let content = Content { architecture: Some(Architecture::Arm64), ..existing_content() };
    aws.cloud().tasks.register("i", &content).await.unwrap();
    assert_eq!(aws.asked()[2].json()["runtimePlatform"], theirs()["runtimePlatform"]);
}

#[tokio::test]
async fn one_that_falls_back_is_for_both() {
    let aws = Recorded::new([none_yet(), registered()]);
    let both = Content { fargate: false, falls_back: true, cpu: 512, memory: 1024, ..content() };
    aws.cloud().tasks.register("i", &both).await.unwrap();
    let asked = aws.asked()[1].json();
    assert_eq!((&asked["cpu"], &asked["memory"]), (&value!("512"), &value!("1024")));
    assert_eq!(asked["requiresCompatibilities"], value!(["EC2", "FARGATE"]));
}

#[tokio::test]
async fn an_existing_one_that_falls_back_is_given_a_size_of_fargates() {
    let content = Content { falls_back: true, ..existing_content() };
    // Task size; the size that is registered, or why there is none.
    for (size, expected) in [
        (("1024", "2048"), Ok(("2048", "4096"))),
        (("224", "480"), Ok(("256", "512"))),
        (("16384", "32768"), Err("Fargate has no such size")),
    ] {
        let mut base = theirs();
        base["compatibilities"] = value!(["EC2", "FARGATE"]);
        (base["cpu"], base["memory"]) = (value!(size.0), value!(size.1));
        let aws = Recorded::new([json(value!({"taskDefinition": base})), none_yet(), registered()]);
        match (aws.cloud().tasks.register("i", &content).await, expected) {
            (Ok(_), Ok((cpu, memory))) => {
                let sent = aws.asked()[2].json();
                assert_eq!((&sent["cpu"], &sent["memory"]), (&value!(cpu), &value!(memory)));
                assert_eq!(sent["requiresCompatibilities"], value!(["EC2", "FARGATE"]));
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, _) => panic!("{size:?}: {found:?}"),
        }
    }
    let mut base = theirs();
    base["compatibilities"] = value!(["EC2"]);
    let aws = Recorded::new([json(value!({"taskDefinition": base})), none_yet()]);
    let error = aws.cloud().tasks.register("i", &content).await.unwrap_err();
    assert!(error.to_string().contains("is not compatible with FARGATE"), "{error}");
}

#[tokio::test]
async fn a_revision_of_the_same_content_is_used_again() {
    let hash = content().hash();
    let list = value!({"taskDefinitionArns": [
        "arn:aws:ecs:eu-west-1:1:task-definition/fam:5",
        "arn:aws:ecs:eu-west-1:1:task-definition/family:9",
        ARN,
    ]});
    let aws = Recorded::new([json(list), described(&tags("i", "other")), described(&tags("i", &hash))]);
    assert_eq!(aws.cloud().tasks.register("i", &content()).await.unwrap(), ARN);
    let asked: Vec<_> = aws.asked()[1..].iter().map(|a| a.json()).collect();
    assert_eq!(asked[0]["taskDefinition"], "arn:aws:ecs:eu-west-1:1:task-definition/fam:5");
    assert_eq!(asked[1], value!({"taskDefinition": ARN, "include": ["TAGS"]}));

    // The same content of another installation is not ours.
    let aws = Recorded::new([
        json(value!({"taskDefinitionArns": [ARN]})),
        described(&tags("other", &hash)),
        registered(),
    ]);
    aws.cloud().tasks.register("i", &content()).await.unwrap();
    assert_eq!(aws.operations()[2], "RegisterTaskDefinition");
}

fn theirs() -> Value {
    value!({
        "taskDefinitionArn": "arn:theirs:7", "family": "theirs", "revision": 7, "status": "ACTIVE",
        "compatibilities": ["EXTERNAL", "EC2"], "requiresAttributes": [{"name": "com.amazonaws.ecs.x"}],
        "networkMode": "bridge", "cpu": "1024", "memory": "2048",
        "taskRoleArn": "arn:their-role", "executionRoleArn": "arn:their-execution",
        "volumes": [{"name": "data", "host": {"sourcePath": "/data"}}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:x == y"}],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "ephemeralStorage": {"sizeInGiB": 30}, "pidMode": "task", "ipcMode": "task",
        "enableFaultInjection": false,
        "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy"},
        "containerDefinitions": [{
            "name": "web", "image": "theirs:1", "cpu": 128, "memoryReservation": 256, "essential": true,
            "portMappings": [{"containerPort": 9050, "hostPort": 80, "protocol": "tcp"}],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
        }],
    })
}

#[tokio::test]
async fn an_existing_definition_is_copied_whole_with_the_sidecar_added() {
    let aws = Recorded::new([json(value!({"taskDefinition": theirs()})), none_yet(), registered()]);
    aws.cloud().tasks.register("i", &existing_content()).await.unwrap();
    let asked = aws.asked();
    assert_eq!(asked[0].json()["taskDefinition"], "theirs");
    let sent = asked[2].json();
    let theirs = theirs();
    for kept in [
        "taskRoleArn",
        "executionRoleArn",
        "volumes",
        "placementConstraints",
        "runtimePlatform",
        "ephemeralStorage",
        "pidMode",
        "ipcMode",
        "proxyConfiguration",
        "enableFaultInjection",
    ] {
        assert_eq!(sent[kept], theirs[kept], "{kept}");
    }
    assert_eq!(sent["family"], "fam");
    assert_eq!(sent["networkMode"], "awsvpc");
    assert_eq!(sent["requiresCompatibilities"], value!(["EC2"]));
    assert_eq!((&sent["cpu"], &sent["memory"]), (&value!("1056"), &value!("2080")), "the sidecar's on top");
    let containers = sent["containerDefinitions"].as_array().unwrap();
    let mut web = theirs["containerDefinitions"][0].clone();
    web["portMappings"][0].as_object_mut().unwrap().remove("hostPort");
    assert_eq!(containers[0], web);
    assert_eq!(containers[1]["name"], "dormouse-service");
    // A newer revision of theirs makes a new one of ours.
    let base = sent["tags"].as_array().unwrap().iter().find(|tag| tag["key"] == "dormouse:base").unwrap();
    assert_eq!(base["value"], "arn:theirs:7");
}

#[tokio::test]
async fn an_existing_definition_that_cannot_be_used_is_refused_in_words() {
    type Spoil = fn(&mut Value);
    let table: [(Spoil, &str); 6] = [
        (|d| d["compatibilities"] = value!(["EXTERNAL"]), "is not compatible with EC2"),
        (|d| d["status"] = value!("INACTIVE"), "is not ACTIVE"),
        (|d| d["containerDefinitions"] = value!([]), "has no containers"),
        (|d| d["containerDefinitions"][0]["name"] = value!("dormouse-service"), "already has a container"),
        (|d| d["containerDefinitions"][0]["links"] = value!(["db"]), "links containers (`web`)"),
        (|d| d["memory"] = value!("2GB"), "task size `2GB`"),
    ];
    for (spoil, words) in table {
        let mut spoiled = theirs();
        spoil(&mut spoiled);
        let mut answers = vec![json(value!({"taskDefinition": spoiled}))];
        if words != "is not ACTIVE" {
            answers.push(none_yet());
        }
        let aws = Recorded::new(answers);
        let error = aws.cloud().tasks.register("i", &existing_content()).await.unwrap_err();
        assert!(matches!(&error, CloudError::Refused { message, .. } if message.contains(words)), "{error}");
        assert!(!aws.operations().contains(&"RegisterTaskDefinition".to_owned()));
    }
    let aws = Recorded::new([json_error(400, "ClientException", "Unable to describe task definition.")]);
    let error = aws.cloud().tasks.register("i", &existing_content()).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_revision_is_deregistered_when_it_is_ours() {
    let aws = Recorded::new([described(&tags("i", "h")), registered()]);
    aws.cloud().tasks.deregister("i", ARN).await.unwrap();
    assert_eq!(aws.operations(), ["DescribeTaskDefinition", "DeregisterTaskDefinition"]);

    let inactive = json(value!({
        "taskDefinition": {"taskDefinitionArn": ARN, "status": "INACTIVE"}, "tags": tags("i", "h"),
    }));
    let absent = json_error(400, "ClientException", "Unable to describe task definition.");
    for answer in [described(&tags("other", "h")), described(&value!([])), inactive, absent] {
        let aws = Recorded::new([answer]);
        aws.cloud().tasks.deregister("i", ARN).await.unwrap();
        assert_eq!(aws.operations(), ["DescribeTaskDefinition"], "it is left alone");
    }
}

#[tokio::test]
async fn all_revisions_of_a_family_are_listed_and_of_no_other() {
    let arn = |name: &str| format!("arn:aws:ecs:eu-west-1:1:task-definition/{name}");
    let aws = Recorded::new([
        json(value!({"taskDefinitionArns": [arn("fam:2"), arn("family:1")], "nextToken": "n"})),
        json(value!({"taskDefinitionArns": [arn("fam:1")]})),
    ]);
    assert_eq!(aws.cloud().tasks.revisions("fam").await.unwrap(), [arn("fam:2"), arn("fam:1")]);
}

#[tokio::test]
async fn the_sidecar_sees_the_users_tmp() {
    let aws = Recorded::new([none_yet(), registered()]);
    let content = Content {
        fargate: false,
        containers: vec![container("app"), container("dormouse-service")],
        shares_tmp: Some("app".into()),
        ..content()
    };
    aws.cloud().tasks.register("i", &content).await.unwrap();
    let asked = aws.asked()[1].json();
    assert_eq!(asked["volumes"], value!([{"name": "dormouse-tmp", "host": {}}]));
    let mount = value!([{"sourceVolume": "dormouse-tmp", "containerPath": "/tmp"}]);
    let containers = &asked["containerDefinitions"];
    assert_eq!((&containers[0]["mountPoints"], &containers[1]["mountPoints"]), (&mount, &mount));
    assert_eq!(containers[1]["dependsOn"], value!([{"containerName": "app", "condition": "START"}]));
}

#[tokio::test]
async fn a_volume_that_is_mounted_at_tmp_already_is_the_one_to_share() {
    let mut base = theirs();
    base["containerDefinitions"][0]["mountPoints"] =
        value!([{"sourceVolume": "data", "containerPath": "/tmp"}]);
    let aws = Recorded::new([json(value!({"taskDefinition": base})), none_yet(), registered()]);
    let content = Content { shares_tmp: Some(String::new()), ..existing_content() };
    aws.cloud().tasks.register("i", &content).await.unwrap();
    let asked = aws.asked()[2].json();
    assert_eq!(asked["volumes"].as_array().unwrap().len(), 1);
    let sidecar = &asked["containerDefinitions"][1]["mountPoints"];
    assert_eq!(*sidecar, value!([{"sourceVolume": "data", "containerPath": "/tmp"}]));
}

#[tokio::test]
async fn a_container_that_is_not_there_is_named_with_those_that_are() {
    let aws = Recorded::new([json(value!({"taskDefinition": theirs()})), none_yet()]);
    let content = Content { shares_tmp: Some("api".into()), ..existing_content() };
    let error = aws.cloud().tasks.register("i", &content).await.unwrap_err();
    assert!(matches!(&error, CloudError::Refused { code, .. } if code == "NoSuchContainer"), "{error}");
    assert!(error.to_string().contains("`api` (spec.container); it has web"), "{error}");
}
