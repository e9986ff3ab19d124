//! The CloudFormation template: what it makes is a world to run in, and its policies are neither too wide nor too narrow.

use dormouse_e2e::control::Control;
use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::paths::infrastructure;
use dormouse_e2e::policy;
use dormouse_e2e::run::run;
use dormouse_e2e::stack::{self, INSTALL, REGISTRY};
use dormouse_e2e::tasks::{Role, Task};
use dormouse_e2e::world::{DOMAIN, World, host};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Output;
use std::thread;

/// What was said, for people.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_deployed_stack_does_the_main_job() {
    run(Options::default().stack(), |world| {
        // Beside the outputs it is given addresses on this machine, and shorter waits.
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        assert_eq!(world.instances(), 0);
        let request = Request::new("GET", &host("hello"), "/").patience(SOON);
        let answer = request.send(controller.activator()).unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        controller.ready("hello");
        assert_eq!(world.get("hello", "/").status, 200);
        assert_eq!(world.instances(), 1);
        controller.api.sleep("hello");
        world.nothing_of("hello");
        world.has_instances(0);

        // The same again changes nothing, and another image is an update.
        let again = stack::deploy(world.control.address(), &[]);
        assert!(again.status.success() && said(&again).contains("is as it should be"), "{}", said(&again));
        let image = format!("{REGISTRY}/dormouse:e2e-2");
        let newer = stack::deploy(world.control.address(), &[&format!("ControllerImage={image}")]);
        assert!(newer.status.success(), "{}", said(&newer));
        assert_eq!(own_definition(world)["image"], json!(image));
    });
}

#[test]
fn the_controllers_own_task_has_the_settings_of_the_outputs() {
    run(Options::default().stack(), |world| {
        own_task(world);
        let container = own_definition(world);
        let pairs = container["environment"].as_array().unwrap().iter();
        let given: BTreeMap<&str, &Value> =
            pairs.map(|one| (one["name"].as_str().unwrap(), &one["value"])).collect();
        let outputs = world.ids["env"].as_object().unwrap().iter();
        let outputs: BTreeMap<&str, &Value> = outputs
            .filter(|(name, _)| !name.starts_with("AWS_") && *name != "DORMOUSE_SECRET")
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        assert_eq!(given, outputs, "the task's variables, and the stack's outputs");
        let (secret, arn) =
            (stack::secret(world.aws, &world.ids), &world.ids["outputs"]["ControllerSecretArn"]);
        for (name, key) in [("DORMOUSE_SECRET", "secret"), ("DORMOUSE_API_TOKEN", "apiToken")] {
            assert!(secret[key].as_str().is_some_and(|value| value.len() >= 32), "{key}");
            let from = format!("{}:{key}::", arn.as_str().unwrap());
            let found = container["secrets"].as_array().unwrap().iter().find(|one| one["name"] == name);
            assert_eq!(found.unwrap()["valueFrom"], json!(from));
        }
    });
}

/// The container of the controller's task definition.
fn own_definition(world: &World) -> Value {
    let family = json!({"taskDefinition": format!("dormouse-controller-{INSTALL}")});
    let mut answer = world.aws.ecs("DescribeTaskDefinition", &family);
    answer["taskDefinition"]["containerDefinitions"][0].take()
}

/// Starts the controller's own task: not the program, which would listen on this whole machine.
fn own_task(world: &World) -> Task {
    let answer = world.aws.ecs(
        "RunTask",
        &json!({
            "cluster": world.ids["clusters"][0],
            "taskDefinition": format!("dormouse-controller-{INSTALL}"),
            "launchType": "FARGATE",
            "startedBy": "somebody",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": [world.ids["subnets"][0]], "assignPublicIp": "ENABLED",
                "securityGroups": [world.ids["outputs"]["ControllerSecurityGroupId"]],
            }},
        }),
    );
    let arn = answer["tasks"][0]["taskArn"].as_str().unwrap_or_default();
    assert!(!arn.is_empty(), "no task: {answer}");
    let id = arn.rsplit('/').next().unwrap().to_owned();
    eventually("the controller's task runs", SOON, || {
        let task = Task::new(world.control.get(&format!("tasks/{id}")));
        if task.is_running() { Ok(task) } else { Err(task.truth().to_string()) }
    })
}

#[test]
fn undeploy_leaves_nothing() {
    let mut world = World::start(Options::default().stack());
    let mut controller = world.controller();
    controller.declare(&Manifest::app("hello"));
    controller.declare(&Manifest::app("other"));
    controller.wake("hello");
    // Somebody else's task in its cluster would be in the way of the cluster's end, as it should be.
    let foreign = world.foreign.task.clone();
    world.aws.ecs("StopTask", &json!({"cluster": foreign.cluster(), "task": foreign.arn()}));
    let (address, server) = (world.control.address(), controller.url());
    let removal = thread::spawn(move || stack::undeploy(address, &["--server", &server]));
    // The local AWS runs no services: what ends the controller's task there is done by hand here.
    eventually("the controller is asked to end", SOON, || {
        holds(world.calls("ecs.UpdateService") > 0 || removal.is_finished(), "not yet")
    });
    controller.terminate();
    let removed = removal.join().unwrap();
    assert!(removed.status.success(), "{}", said(&removed));
    assert!(said(&removed).contains("2 services are declared, 1 were put to sleep"), "{}", said(&removed));
    is_gone(&world);
    world.end();
}

#[test]
fn undeploy_ends_what_is_awake_without_the_controller() {
    let mut world = World::start(Options::default().stack());
    let mut controller = world.controller();
    controller.declare(&Manifest::app("hello"));
    controller.wake("hello");
    controller.kill();
    let foreign = world.foreign.task.clone();
    world.aws.ecs("StopTask", &json!({"cluster": foreign.cluster(), "task": foreign.arn()}));
    let removed = stack::undeploy(world.control.address(), &[]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert!(said(&removed).contains("2 tasks were asked to stop"), "{}", said(&removed));
    is_gone(&world);
    world.end();
}

fn is_gone(world: &World) {
    // What stood in the zone before stands; nothing else does.
    let kept = |record: &&dormouse_e2e::dns::Record| record.kind != "SOA";
    let (before, now) = (&world.foreign.records, world.records());
    // The controller had not begun when these were read.
    assert!(now.iter().filter(kept).eq(before.iter().filter(kept)), "{now:?}");
    assert_eq!(world.instances(), 0);
    let live = world.control.get("tasks?live=1");
    assert_eq!(live["tasks"], json!([]));
    let again = stack::undeploy(world.control.address(), &[]);
    assert!(said(&again).contains("There is no stack"), "{}", said(&again));
}

#[test]
fn a_deployment_into_a_wrong_zone_is_refused_before_anything_is_made() {
    let world = World::start(Options::default());
    stack::push(world.aws);
    let address = world.control.address();
    // The seeded zone has somebody's wildcard.
    world.aws.change_record(
        world.id("hostedZone"),
        "CREATE",
        &format!("*.{DOMAIN}"),
        "A",
        60,
        &["192.0.2.1"],
    );
    let refused = stack::deploy(address, &[]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("has a record that is not Dormouse's"), "{}", said(&refused));
    let wrong = stack::deploy(address, &["InstanceType=t3.xlarge"]);
    assert!(said(&wrong).contains("t3.xlarge is not ARM64"), "{}", said(&wrong));
    let wrong = stack::deploy(address, &["MaxInstances=ten"]);
    assert!(
        said(&wrong).contains("MaxInstances cannot be 'ten': a number from 0 to 1000"),
        "{}",
        said(&wrong)
    );
    let wrong = stack::deploy(address, &["Domain=elsewhere.test"]);
    assert!(said(&wrong).contains("no public hosted zone for elsewhere.test"), "{}", said(&wrong));
    assert_eq!(world.calls("cloudformation.CreateChangeSet"), 0);
}

#[test]
fn a_missing_permission_is_named_with_the_statement_that_gives_it() {
    run(Options::default().expect_error("ecs.RunTask AccessDenied"), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        policy::enforce_without(&world.control, &world.ids, INSTALL, &["ecs:RunTask"]);
        controller.api.wake("hello");
        let shown = controller.until("the refusal shows", "hello", |service| service.is("Degraded"));
        let (reason, message) = shown.why("Degraded");
        assert_eq!(reason, "CallRefused", "{message}");
        for part in ["ecs:RunTask on resource: arn:", "by RunTasks of policies/controller.json"] {
            assert!(message.contains(part), "{message}");
        }
        policy::enforce(&world.control, &world.ids, INSTALL);
        controller.ready("hello");
    });
}

/// The roles of the stack, each with its policy.
const ROLES: [(&str, &str); 4] = [
    ("controller.json", "ControllerRole"),
    ("controller-execution.json", "ControllerExecutionRole"),
    ("task-execution.json", "TaskExecutionRole"),
    ("instance.json", "InstanceRole"),
];

#[test]
fn every_action_that_a_policy_grants_is_used() {
    let mut options = Options::default().stack();
    options.instances_fail = true;
    run(options, |world| {
        let mut controller = world.controller();
        own_task(world);
        controller.api.doctor();
        no_capacity_at_first(world, &controller);
        controller.api.logs("hello");
        an_instance_loses_its_protection(world, &controller);
        controller.api.sleep("hello");
        world.nothing_of("hello");
        a_termination_is_refused_once(world);
        controller.api.delete("hello");
        eventually("it is deleted", SOON, || holds(controller.api.find("hello").is_err(), "it is there"));
        an_own_definition_on_spot(world, &controller);
        controller.terminate();
        for (file, role) in ROLES {
            let (granted, used) = (granted(file), used(&world.control, role));
            let idle: Vec<_> = granted.difference(&used).collect();
            assert!(idle.is_empty(), "policies/{file} grants what nothing uses: {idle:?}");
            let more: Vec<_> = used.difference(&granted).collect();
            assert!(more.is_empty(), "{role} used what policies/{file} does not grant: {more:?}");
        }
    });
}

fn granted(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(infrastructure().join("policies").join(file)).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap().clone());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

fn used(control: &Control, role: &str) -> BTreeSet<String> {
    let view = control.get("iam");
    let marked = format!("-{role}-");
    let all = view["used"].as_object().unwrap().iter();
    let found =
        all.filter(|(who, _)| who.contains(&marked)).flat_map(|(_, actions)| actions.as_object().unwrap());
    found.map(|(action, _)| action.clone()).collect()
}

/// A service with everything that needs a permission: an image in ECR, secrets, a role of its own.
fn no_capacity_at_first(world: &World, controller: &Controller) {
    let made = world.aws.json(
        "secretsmanager",
        "secretsmanager.CreateSecret",
        &json!({"Name": format!("dormouse/{INSTALL}/database"), "SecretString": "s3cret", "ClientRequestToken": "0123456789012345678901234567890123"}),
    );
    let parameter = format!("/dormouse/{INSTALL}/greeting");
    let put = json!({"Name": parameter, "Value": "hi", "Type": "String"});
    world.aws.json("ssm", "AmazonSSM.PutParameter", &put);
    world.control.post("capacity", &json!({"insufficient": true}));
    let hello = Manifest::app("hello")
        .spec("image", format!("{REGISTRY}/e2e-app:1"))
        .spec("secrets.DATABASE", made["ARN"].clone())
        .spec("secrets.GREETING", parameter)
        .spec("taskRoleArn", format!("arn:aws:iam::123456789012:role/dormouse/{INSTALL}/hello"));
    controller.declare(&hello);
    controller.api.wake("hello");
    controller.until("there is no capacity", "hello", |service| {
        service.why("CapacityAvailable").0 == "LaunchFailed"
    });
    world.control.post("capacity", &json!({"insufficient": false}));
    controller.ready("hello");
}

fn an_instance_loses_its_protection(world: &World, controller: &Controller) {
    let instances = world.control.get("instances");
    let id = instances["instances"][0]["instance"].as_str().unwrap();
    let group = [
        ("AutoScalingGroupName", world.id("asg")),
        ("InstanceIds.member.1", id),
        ("ProtectedFromScaleIn", "false"),
    ];
    world.aws.autoscaling("SetInstanceProtection", &group);
    eventually("it is protected again", SOON, || {
        let now = world.control.get("instances");
        holds(now["instances"][0]["protected"] == true, now.to_string())
    });
    controller.ready("hello");
}

/// Auto Scaling says "validation error" for much; the instance is then looked up.
fn a_termination_is_refused_once(world: &World) {
    let fault = json!({
        "operation": "autoscaling.TerminateInstanceInAutoScalingGroup", "kind": "error-before", "code": "ValidationError",
    });
    world.control.post("faults", &fault);
    world.has_instances(0);
}

/// A task definition of the user's own that logs, on an instance that Spot takes back.
fn an_own_definition_on_spot(world: &World, controller: &Controller) {
    let log = json!({"logDriver": "awslogs", "options": {
        "awslogs-group": world.ids["outputs"]["DormouseLogGroup"], "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "own",
    }});
    let own = json!({
        "family": "own", "networkMode": "awsvpc", "requiresCompatibilities": ["EC2"], "memory": "64",
        "containerDefinitions": [{
            "name": "app", "image": "e2e-app:1", "essential": true, "memory": 64, "logConfiguration": log,
        }],
    });
    world.aws.ecs("RegisterTaskDefinition", &own);
    let mut manifest = Manifest::app("own").spec("taskDefinition", "own").spec("container", "app");
    manifest.remove("image");
    controller.declare(&manifest);
    controller.wake("own");
    let task = world.task("own", Role::Service);
    let instance = task.truth()["instance"].as_str().unwrap_or_default().to_owned();
    world.control.post(&format!("instances/{instance}/interrupt"), &json!({"noticeMs": 300}));
    world.stopped(&task);
    controller.api.sleep("own");
    world.nothing_of("own");
}
