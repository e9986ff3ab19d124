//! The adapters on the local AWS, which `AWS_ENDPOINT_URL` names: they and it must agree on the wire.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_ecs::types::{ContainerDefinition, NetworkMode};
use dormouse_aws::Cloud;
use dormouse_aws::ports::{ChangeAnswer, CloudError, RunAnswer, RunCall};
use dormouse_core::definition::{Base, Container, Content};
use dormouse_core::dns::Change;
use dormouse_core::observed::{RecordSet, TaskStatus};
use dormouse_peer::token::{self, Identity};
use dormouse_peer::wire::Role;
use dormouse_state::{Launch, RunParameters};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::Once;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A name that no other run has.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{:08x}", RandomState::new().hash_one(0) as u32)
}

async fn config() -> Option<SdkConfig> {
    #[allow(clippy::disallowed_methods)]
    let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") else {
        static ONCE: Once = Once::new();
        // Past the test harness, which swallows what a passing test prints.
        ONCE.call_once(|| {
            let _ = writeln!(std::io::stderr(), "skipped: AWS_ENDPOINT_URL is not set");
        });
        return None;
    };
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint);
    Some(config.load().await)
}

fn content(family: &str) -> Content {
    Content {
        family: family.into(),
        base: Base::Own,
        fargate: true,
        falls_back: false,
        architecture: None,
        cpu: 256,
        memory: 512,
        task_role: None,
        execution_role: None,
        containers: vec![Container {
            name: "app".into(),
            image: "nginx:1".into(),
            command: Vec::new(),
            entry_point: Vec::new(),
            cpu: 256,
            memory: 512,
            env: [("A".to_owned(), "1".to_owned())].into(),
            secrets: [].into(),
            port: Some(9050),
            stop_timeout: 5,
            health_command: Vec::new(),
            log: None,
        }],
        shares_tmp: None,
    }
}

#[tokio::test]
async fn a_definition_is_registered_once_and_deregistered_by_its_owner_only() {
    let Some(config) = config().await else { return };
    let tasks = Cloud::connect(&config).tasks;
    let family = unique("fam");
    let first = tasks.register("i", &content(&family)).await.unwrap();
    assert_eq!(tasks.register("i", &content(&family)).await.unwrap(), first, "the same again");
    let other = tasks.register("other", &content(&family)).await.unwrap();
    let changed = tasks.register("i", &Content { memory: 1024, ..content(&family) }).await.unwrap();
    assert_eq!(tasks.revisions(&family).await.unwrap(), [changed.clone(), other.clone(), first.clone()]);

    tasks.deregister("i", &first).await.unwrap();
    tasks.deregister("i", &first).await.unwrap();
    tasks.deregister("i", &other).await.unwrap();
    tasks.deregister("i", &format!("{first}99")).await.unwrap();
    assert_eq!(tasks.revisions(&family).await.unwrap(), [changed, other]);
}

#[tokio::test]
async fn an_existing_definition_is_extended() {
    let Some(config) = config().await else { return };
    let tasks = Cloud::connect(&config).tasks;
    let theirs = unique("theirs");
    let ecs = aws_sdk_ecs::Client::new(&config);
    let web = ContainerDefinition::builder().name("web").image("nginx:1").cpu(64).memory(64).build();
    let register = ecs.register_task_definition().family(&theirs).container_definitions(web);
    register.network_mode(NetworkMode::Awsvpc).send().await.unwrap();

    let content = Content { base: Base::Existing(theirs), fargate: false, ..content(&unique("fam")) };
    let arn = tasks.register("i", &content).await.unwrap();
    let describe = ecs.describe_task_definition().task_definition(&arn).send().await.unwrap();
    let definition = describe.task_definition.unwrap();
    let names: Vec<_> = definition.container_definitions().iter().filter_map(|c| c.name()).collect();
    assert_eq!(names, ["web", "app"]);
    assert_eq!(definition.network_mode(), Some(&NetworkMode::Awsvpc));
    assert_eq!(tasks.register("i", &content).await.unwrap(), arn);
}

#[tokio::test]
async fn a_cluster_without_instances_has_no_room() {
    let Some(config) = config().await else { return };
    let cloud = Cloud::connect(&config);
    let cluster = unique("cluster");
    aws_sdk_ecs::Client::new(&config).create_cluster().cluster_name(&cluster).send().await.unwrap();
    assert!(cloud.instances.instances(&cluster).await.unwrap().is_empty());

    let definition = Content { fargate: false, ..content(&unique("fam")) };
    let arn = cloud.tasks.register("i", &definition).await.unwrap();
    let call = call(&config, &cluster, arn, Launch::Ec2).await;
    assert_eq!(cloud.tasks.run(&call).await.unwrap(), RunAnswer::NoRoom("NO_INSTANCES".into()));
    assert!(cloud.tasks.list(&cluster, "dormouse/i").await.unwrap().is_empty());

    let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/{cluster}/00000000000000000000000000000000");
    let described = cloud.tasks.describe(&cluster, "dormouse/i", std::slice::from_ref(&arn)).await.unwrap();
    assert_eq!(described.missing, [arn.clone()].into());
    let error = cloud.tasks.stop(&cluster, &arn, "over").await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. } | CloudError::NotFound { .. }), "not yet? {error}");
    let error = cloud.tasks.list("nowhere", "dormouse/i").await.unwrap_err();
    assert!(matches!(error, CloudError::NotFound { .. }), "{error}");
}

/// A subnet and a security group of the world that the local AWS was seeded with.
async fn network(config: &SdkConfig) -> (String, String) {
    let host = config.endpoint_url().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let request = format!("GET /_local/world HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let world: serde_json::Value = serde_json::from_str(body).unwrap();
    let id = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (id(&world["subnets"][0]), id(&world["securityGroup"]))
}

/// A call for one task of `hello`.
async fn call(config: &SdkConfig, cluster: &str, definition: String, launch: Launch) -> RunCall {
    let identity = Identity { service: "hello".into(), role: Role::Proxy, epoch: 1, attempt: 1 };
    let (subnet, group) = network(config).await;
    RunCall {
        started_by: format!("dormouse/{}", unique("i")),
        client_token: unique("token"),
        parameters: RunParameters {
            cluster: cluster.to_owned(),
            task_definition: definition,
            container: "app".into(),
            subnets: vec![subnet],
            security_groups: vec![group],
            launch,
            public_ip: launch != Launch::Ec2,
            controller_url: String::new(),
            incarnation: String::new(),
        },
        env: [("DORMOUSE_TASK_TOKEN".to_owned(), token::sign(b"secret", &identity))].into(),
        tags: [("dormouse:service".to_owned(), "hello".to_owned())].into(),
        identity,
    }
}

#[tokio::test]
async fn a_task_lives_from_run_to_stop() {
    let Some(config) = config().await else { return };
    let cloud = Cloud::connect(&config);
    let tasks = &cloud.tasks;
    let cluster = unique("cluster");
    aws_sdk_ecs::Client::new(&config).create_cluster().cluster_name(&cluster).send().await.unwrap();
    let mut content = content(&unique("fam"));
    content.containers[0].image = "dormouse-demo:1".into();
    let definition = tasks.register("i", &content).await.unwrap();
    let call = call(&config, &cluster, definition, Launch::Fargate).await;

    let RunAnswer::Started(task) = tasks.run(&call).await.unwrap() else { panic!() };
    let RunAnswer::Started(again) = tasks.run(&call).await.unwrap() else { panic!() };
    assert_eq!((&task.arn, &task.identity), (&again.arn, &Some(call.identity.clone())));
    let mut other = call.clone();
    other.env.insert("MORE".into(), "1".into());
    assert_eq!(tasks.run(&other).await.unwrap(), RunAnswer::TokenConflict(vec![task.arn.clone()]));
    let arns = [task.arn.clone()];
    assert_eq!(tasks.list(&cluster, &call.started_by).await.unwrap(), arns);
    assert!(tasks.list(&cluster, "dormouse/other").await.unwrap().is_empty());

    let until = async |status| {
        for _ in 0..200 {
            let described = tasks.describe(&cluster, &call.started_by, &arns).await.unwrap();
            if described.tasks[0].status == status {
                return described.tasks[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {status:?}")
    };
    let running = until(TaskStatus::Running).await;
    assert!(running.private_address.is_some() && !running.stopping, "{running:?}");
    let interface = running.interface.unwrap();
    let addresses = cloud.interfaces.public_addresses(&[interface.clone(), "eni-0".into()]).await.unwrap();
    assert_eq!(addresses.keys().collect::<Vec<_>>(), [&interface]);

    tasks.stop(&cluster, &task.arn, "asked to").await.unwrap();
    let stopped = until(TaskStatus::Stopped).await;
    assert_eq!(stopped.identity, Some(call.identity.clone()), "it can still be told whose it was");
    assert_eq!(stopped.stop_code.as_deref(), Some("UserInitiated"));
    assert!(stopped.stopped_reason.as_deref().unwrap().contains("asked to"), "{stopped:?}");
    assert!(tasks.list(&cluster, &call.started_by).await.unwrap().is_empty());
    tasks.stop(&cluster, &task.arn, "again").await.unwrap();
}

#[tokio::test]
async fn a_zone_is_changed_whole_or_not_at_all() {
    let Some(config) = config().await else { return };
    let zones = Cloud::connect(&config).zones;
    let domain = format!("{}.example", unique("zone"));
    let route53 = aws_sdk_route53::Client::new(&config);
    let create = route53.create_hosted_zone().name(&domain).caller_reference(&domain).send().await.unwrap();
    let zone = create.hosted_zone().unwrap().id().trim_start_matches("/hostedzone/").to_owned();

    let set = |name: &str, kind: &str, value: &str| RecordSet {
        name: format!("{name}.{domain}"),
        kind: kind.into(),
        ttl: Some(10),
        values: vec![value.into()],
        special: false,
    };
    let (wildcard, hello) = (set("*", "A", "192.0.2.1"), set("hello", "A", "192.0.2.2"));
    let owner = set("hello._dormouse", "TXT", "\"install=i service=hello epoch=1\"");
    let made = [wildcard.clone(), hello.clone(), owner.clone()];
    let create = made.clone().map(Change::Create);
    let answer = zones.change(&zone, &create, "hello").await.unwrap();
    let ChangeAnswer::Accepted { change_id } = answer else { panic!("{answer:?}") };
    let ours = |records: Vec<RecordSet>| -> Vec<_> {
        let mut ours: Vec<_> = records.into_iter().filter(|r| r.kind == "A" || r.kind == "TXT").collect();
        ours.sort();
        ours
    };
    let mut expected = made.to_vec();
    expected.sort();
    assert_eq!(ours(zones.records(&zone).await.unwrap()), expected);

    // One wrong change refuses its neighbours.
    let stale = Change::Delete(set("hello", "A", "192.0.2.99"));
    for batch in [vec![Change::Delete(owner.clone()), stale], vec![Change::Create(wildcard)]] {
        let answer = zones.change(&zone, &batch, "").await.unwrap();
        assert!(matches!(&answer, ChangeAnswer::Refused(words) if !words.is_empty()), "{answer:?}");
    }
    assert_eq!(ours(zones.records(&zone).await.unwrap()), expected);

    let moved = [Change::Delete(hello), Change::Create(set("hello", "A", "192.0.2.3"))];
    assert!(matches!(zones.change(&zone, &moved, "").await.unwrap(), ChangeAnswer::Accepted { .. }));
    let mut tries = 0;
    while !zones.is_insync(&change_id).await.unwrap() {
        tries += 1;
        assert!(tries < 100, "never in sync");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_long_zone_is_read_whole() {
    let Some(config) = config().await else { return };
    let zones = Cloud::connect(&config).zones;
    let domain = format!("{}.example", unique("long"));
    let route53 = aws_sdk_route53::Client::new(&config);
    let create = route53.create_hosted_zone().name(&domain).caller_reference(&domain).send().await.unwrap();
    let zone = create.hosted_zone().unwrap().id().trim_start_matches("/hostedzone/").to_owned();
    let sets: Vec<_> = (0..700)
        .map(|n| RecordSet {
            name: format!("s{n}.{domain}"),
            kind: "A".into(),
            ttl: Some(10),
            values: vec!["192.0.2.1".into()],
            special: false,
        })
        .collect();
    for chunk in sets.chunks(350) {
        let batch: Vec<_> = chunk.iter().cloned().map(Change::Create).collect();
        let answer = zones.change(&zone, &batch, "").await.unwrap();
        assert!(matches!(answer, ChangeAnswer::Accepted { .. }), "{answer:?}");
    }
    let records = zones.records(&zone).await.unwrap();
    assert_eq!(records.iter().filter(|record| record.kind == "A").count(), 700);
}

#[tokio::test]
async fn unknown_interfaces_have_no_address() {
    let Some(config) = config().await else { return };
    let interfaces = Cloud::connect(&config).interfaces;
    let addresses = interfaces.public_addresses(&["eni-00000000000000000".into()]).await.unwrap();
    assert!(addresses.is_empty());
}

#[tokio::test]
async fn a_group_and_an_instance_that_are_not_there() {
    let Some(config) = config().await else { return };
    let groups = Cloud::connect(&config).groups;
    let error = groups.group(&unique("asg")).await.unwrap_err();
    assert!(matches!(error, CloudError::NotFound { .. }), "{error}");
    groups.terminate("i-00000000000000000").await.unwrap();
}
