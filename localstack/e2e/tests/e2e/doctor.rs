//! What is wrong with where it lives: refused at the start, or told by `dormouse doctor`.

use dormouse_e2e::cli::{self, Outcome};
use dormouse_e2e::controller::Controller;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::nameserver;
use dormouse_e2e::options::Options;
use dormouse_e2e::policy;
use dormouse_e2e::run::run;
use dormouse_e2e::stack::{INSTALL, REGISTRY};
use dormouse_e2e::world::{DOMAIN, World};
use serde_json::{Value, json};

/// Starts a controller with these settings, and answers its exit code and what it said.
fn refused(world: &World, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut controller = world.controller_with(settings);
    (controller.ended().code(), controller.log())
}

/// The shipped policy hides what is not there behind a refusal: it knows only what the stack has.
fn may_everything(world: &World) {
    world.control.post("iam", &json!({"key": world.ids["env"]["AWS_ACCESS_KEY_ID"], "policy": ["*"]}));
}

#[test]
fn a_controller_whose_settings_name_what_is_not_there_does_not_start() {
    run(Options::default(), |world| {
        may_everything(world);
        let settings = [
            ("HOSTED_ZONE_ID", "Z0000000000000000000"),
            ("PROXY_CLUSTER", "nowhere"),
            ("SERVICE_ASG_NAME", "no-group"),
            ("SERVICE_SUBNET_IDS", "subnet-00000000000000000"),
            ("SECURITY_GROUP_ID", "sg-00000000000000000"),
        ];
        let (code, said) = refused(world, &settings);
        assert_eq!(code, Some(2), "{said}");
        for part in [
            "HOSTED_ZONE_ID: there is no hosted zone `Z0000000000000000000`: name the public zone",
            "PROXY_CLUSTER: there is no ECS cluster `nowhere`: make it",
            "SERVICE_ASG_NAME: there is no Auto Scaling group `no-group`: make it",
            "SERVICE_SUBNET_IDS: there is no subnet `subnet-00000000000000000`: name one",
            "SECURITY_GROUP_ID: there is no security group `sg-00000000000000000`: name one",
        ] {
            assert!(said.contains(part), "{part}\nis not said: {said}");
        }
        assert_eq!(world.calls("dynamodb.UpdateItem"), 0, "nothing was done");
    });
}

#[test]
fn a_group_whose_instances_join_another_cluster_is_refused() {
    run(Options::default().seed("clusters", json!(["elsewhere"])), |world| {
        may_everything(world);
        let (code, said) = refused(world, &[("SERVICE_CLUSTER", "elsewhere")]);
        assert_eq!(code, Some(2), "{said}");
        let cluster = world.ids["clusters"][1].as_str().unwrap();
        let part =
            format!("its instances join the cluster `{cluster}`, and not `elsewhere` (SERVICE_CLUSTER)");
        assert!(said.contains(&part) && said.contains("ECS_CLUSTER=elsewhere"), "{said}");
    });
}

#[test]
fn what_the_policy_is_not_for_is_refused_with_its_statement() {
    run(Options::default().expect_error("ecs.DescribeClusters AccessDenied"), |world| {
        let (code, said) = refused(world, &[("DOMAIN", "elsewhere.test"), ("PROXY_CLUSTER", "nowhere")]);
        assert_eq!(code, Some(2), "{said}");
        let zone = format!("is the zone of `{DOMAIN}`, which `elsewhere.test` (DOMAIN) is not in");
        let cluster = "cluster/nowhere because no identity-based policy allows the ecs:DescribeClusters action \
                       (ecs:DescribeClusters is allowed by ReadClusters of policies/controller.json)";
        for part in [zone.as_str(), "PROXY_CLUSTER: ", cluster] {
            assert!(said.contains(part), "{part}\nis not said: {said}");
        }
    });
}

/// What `dormouse doctor` finds wrong, each as `ABOUT: MESSAGE`, and how it ended.
fn examined(controller: &Controller, arguments: &[&str]) -> (Vec<String>, Outcome) {
    let outcome = cli::with(controller, &[&["doctor", "-o", "json"], arguments].concat());
    assert!(outcome.out.starts_with('{'), "{outcome}");
    let report: Value = serde_json::from_str(&outcome.out).unwrap();
    let problems = report["findings"].as_array().unwrap().iter().filter(|one| one["level"] == "problem");
    let words = |one: &Value| {
        assert!(one["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{one}");
        format!("{}: {}", one["about"].as_str().unwrap(), one["message"].as_str().unwrap())
    };
    (problems.map(words).collect(), outcome)
}

#[test]
fn a_deployed_installation_is_well() {
    run(Options::default().stack(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let (problems, outcome) = examined(&controller, &["--inside"]);
        assert_eq!((problems.as_slice(), outcome.code), ([].as_slice(), 0), "{outcome}");
        for about in [
            "HOSTED_ZONE_ID",
            "wildcard",
            "PROXY_IMAGE",
            "MAX_TASKS_PER_INSTANCE",
            "service hello",
            "permissions",
            "AMI",
            "AWS's clock",
        ] {
            assert!(
                outcome.out.contains(&format!("\"about\": \"{about}\"")),
                "{about} is not looked at: {outcome}"
            );
        }
        // No resolver knows this world's domain.
        let (problems, outcome) = examined(&controller, &[]);
        assert!(problems.len() == 1 && problems[0].starts_with("resolution: "), "{outcome}");
        assert_eq!(outcome.code, 1);
    });
}

#[test]
fn where_the_world_is_led_to_is_held_against_the_zone() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let report: Value =
            serde_json::from_str(&cli::with(&controller, &["doctor", "-o", "json"]).out).unwrap();
        let own: Vec<String> = serde_json::from_value(report["nameServers"].clone()).unwrap();
        assert!(!own.is_empty(), "{report}");
        let asked = |servers: &[String]| {
            let resolver = nameserver::start(servers).to_string();
            examined(&controller, &["--resolver", &resolver])
        };
        let about = |outcome: &Outcome, words: &str| outcome.out.contains(words);
        let (_, outcome) = asked(&own);
        assert!(about(&outcome, &format!("127.0.0.1 leads `{DOMAIN}` to the hosted zone's")), "{outcome}");
        let (problems, outcome) = asked(&["ns.elsewhere.net".to_owned()]);
        let expected = format!("zone delegation: `{DOMAIN}` is led to ns.elsewhere.net, 127.0.0.1 says");
        assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{problems:?}");
        assert!(about(&outcome, "at the registrar") && about(&outcome, &own[0]), "{outcome}");
    });
}

#[test]
fn a_group_of_another_processor_is_refused_before_anything_is_started() {
    run(Options::default().controller("DORMOUSE_ARCHITECTURE", "arm64"), |world| {
        let (code, said) = refused(world, &[]);
        assert_eq!(code, Some(2), "{said}");
        let part = "DORMOUSE_ARCHITECTURE: tasks are for arm64, and the group `dormouse-asg` launches x86_64";
        assert!(said.contains(part) && said.contains("set it to x86_64"), "{said}");
    });
}

#[test]
fn no_instance_is_started_for_a_service_of_another_processor() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("architecture", "arm64"));
        controller.api.wake("hello");
        let hello = controller.until("it is told why it does not wake", "hello", |service| {
            service.why("CapacityAvailable").0 == "WrongArchitecture"
        });
        let (_, message) = hello.why("CapacityAvailable");
        assert!(
            message.starts_with("its task is for arm64, and the group's instances are x86_64"),
            "{message}"
        );
        assert_eq!((world.instances(), world.calls("autoscaling.SetDesiredCapacity")), (0, 0));
    });
}

#[test]
fn a_group_that_launches_the_other_processor_from_now_on_wakes_who_waits_for_it() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("architecture", "arm64"));
        controller.api.wake("hello");
        controller.until("it waits in vain", "hello", |service| {
            service.why("CapacityAvailable").0 == "WrongArchitecture"
        });
        // What the condition says: "have the group launch others".
        launches_arm(world);
        controller.ready("hello");
        assert_eq!(world.instances(), 1);
    });
}

/// Gives the group's launch template a version with AWS's image for ARM.
fn launches_arm(world: &World) {
    let parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    let found = world.aws.json("ssm", "AmazonSSM.GetParameter", &json!({"Name": parameter}));
    let image = found["Parameter"]["Value"].as_str().unwrap();
    // `echo ECS_CLUSTER=dormouse-service >> /etc/ecs/ecs.config`, in base64.
    let data = "ZWNobyBFQ1NfQ0xVU1RFUj1kb3Jtb3VzZS1zZXJ2aWNlID4%2BIC9ldGMvZWNzL2Vjcy5jb25maWcK";
    let template = format!("{}-template", world.id("asg"));
    let version = [
        ("LaunchTemplateName", template.as_str()),
        ("LaunchTemplateData.ImageId", image),
        ("LaunchTemplateData.InstanceType", "t4g.xlarge"),
        ("LaunchTemplateData.UserData", data),
    ];
    world.aws.ec2("CreateLaunchTemplateVersion", &version);
}

#[test]
fn what_is_broken_is_named() {
    // Who only observes makes no wildcard record; the seeded subnets lead nowhere.
    let options = Options::default()
        .controller("DORMOUSE_POLICY", "observe")
        .seed("asg", json!({"image": "ami-00000000000000000"}))
        .expect_error("ecs.StopTask AccessDenied");
    run(options, |world| {
        policy::enforce_without(&world.control, &world.ids, INSTALL, &["ecs:StopTask"]);
        world.control.post("clock", &json!({"ahead": 400}));
        let controller =
            world.controller_with(&[("PROXY_IMAGE", &format!("{REGISTRY}/dormouse-proxy:none"))]);
        controller.is_up();
        controller.declare(&Manifest::app("hello").spec("proxy.spot", true));
        let (mut problems, outcome) = examined(&controller, &["--inside"]);
        problems.sort();
        let expected = [
            "AMI: the launch template of `dormouse-asg` names ami-00000000000000000, which is not there",
            "AWS's clock: AWS's and the controller's are ",
            "PROXY_CLUSTER: it lacks the capacity provider FARGATE_SPOT, which `hello` wants",
            "PROXY_IMAGE: the image 123456789012.dkr.ecr.us-east-1.amazonaws.com/dormouse-proxy:none is not there",
            "PROXY_SUBNET_IDS: no route leads from subnet-",
            "permissions: ecs:StopTask is not allowed",
            "wildcard: `*.dormouse.test` has no A record",
        ];
        assert_eq!(problems.len(), expected.len(), "{outcome}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}\nis not {expected}");
        }
        assert!(outcome.out.contains("ReadAndStopTasks of policies/controller.json"), "{outcome}");
        assert_eq!(outcome.code, 1, "{outcome}");
    });
}
