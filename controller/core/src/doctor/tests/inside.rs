//! What a running controller sees.

use super::*;
use crate::doctor::facts::{InstanceType, Route, Surroundings};
use crate::doctor::{Wants, everything};

const SIDECAR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/dormouse-service:1";

fn wants() -> Wants {
    Wants {
        wildcard: Some(vec!["203.0.113.9".into()]),
        max_tasks_per_instance: 3,
        images: BTreeMap::from([
            ("SERVICE_SIDECAR_IMAGE".into(), SIDECAR.into()),
            ("service hello".into(), "public.ecr.aws/nginx/nginx:1".into()),
        ]),
        spot: vec!["hello".into()],
        architectures: BTreeMap::from([("DORMOUSE_ARCHITECTURE".into(), Architecture::Arm64)]),
        services: 8,
    }
}

fn around() -> Surroundings {
    Surroundings {
        // Another controller stands by.
        wildcard: Reading::Known(vec!["203.0.113.8".into(), "203.0.113.9".into()]),
        permissions: BTreeMap::from([
            ("ecs:RunTask", Reading::Known(())),
            ("ecs:StopTask", Reading::Known(())),
        ]),
        routes: Reading::Known(BTreeMap::from([("subnet-p".into(), Route::InternetGateway)])),
        types: Reading::Known(BTreeMap::from([(
            "t4g.xlarge".into(),
            InstanceType { architectures: ["arm64".to_owned()].into(), interfaces: 4, vcpus: 4 },
        )])),
        images: BTreeMap::from([(SIDECAR.to_owned(), Reading::Known(()))]),
        fargate_quota: Reading::Known(6.0),
        instance_quota: Reading::Known(32.0),
    }
}

fn place() -> (Site, Facts) {
    let (mut site, mut facts) = (site(), healthy());
    site.service_subnets.push("subnet-p".into());
    known(&mut facts.group).max = 8;
    (site, facts)
}

#[test]
fn a_healthy_installation_has_nothing_to_find() {
    let (site, facts) = place();
    let findings = everything(&site, &wants(), &facts, &around(), clocks());
    assert!(
        findings.iter().all(|finding| finding.level == Level::Ok && finding.fix.is_none()),
        "{findings:?}"
    );
    // Each is looked at all the same.
    for about in [
        "wildcard",
        "MAX_TASKS_PER_INSTANCE",
        "service hello",
        "Fargate quota",
        "EC2 quota",
        "AMI",
        "AWS's clock",
    ] {
        assert!(findings.iter().any(|finding| finding.about == about), "{about}");
    }
}

type Break = fn(&mut Site, &mut Wants, &mut Facts, &mut Surroundings);

#[test]
fn each_fault_is_found_and_comes_with_its_fix() {
    use Level::{Problem, Warning};
    let table: &[(Level, &str, Break)] = &[
        (Problem, "wildcard: `*.apps.example.com` has no A record", |_, _, _, around| {
            around.wildcard = Reading::Missing
        }),
        (
            Problem,
            "wildcard: `*.apps.example.com` is 192.0.2.1, and this controller is at 203.0.113.9",
            |_, _, _, around| {
                around.wildcard = Reading::Known(vec!["192.0.2.1".into()]);
            },
        ),
        (
            Problem,
            "PROXY_SUBNET_IDS: no route leads from subnet-p to an internet gateway",
            |_, _, _, around| {
                known(&mut around.routes).insert("subnet-p".into(), Route::Other);
            },
        ),
        (Warning, "SERVICE_SUBNET_IDS: there is none in a, where the group launches", |site, _, _, _| {
            site.service_subnets.truncate(1);
        }),
        (
            Warning,
            "MAX_TASKS_PER_INSTANCE: t4g.xlarge has interfaces for 3 tasks, unless",
            |_, wants, _, _| {
                wants.max_tasks_per_instance = 4;
            },
        ),
        (Problem, "service web: its tasks are for x86_64, and t4g.xlarge is not", |_, wants, _, _| {
            wants.architectures.insert("service web".into(), Architecture::X86_64);
        }),
        (
            Warning,
            "DORMOUSE_ARCHITECTURE: its tasks are for arm64, and t3.xlarge is not",
            |_, _, _, around| {
                let other =
                    InstanceType { architectures: ["x86_64".to_owned()].into(), interfaces: 4, vcpus: 4 };
                known(&mut around.types).insert("t3.xlarge".into(), other);
            },
        ),
        (
            Problem,
            "PROXY_CLUSTER: it lacks the capacity provider FARGATE_SPOT, which `hello` wants",
            |_, _, facts, _| {
                known(&mut facts.proxy_cluster).providers.remove("FARGATE_SPOT");
            },
        ),
        (Problem, "SERVICE_SIDECAR_IMAGE: the image 123456789012", |_, _, _, around| {
            around.images.insert(SIDECAR.into(), Reading::Missing);
        }),
        (
            Warning,
            "Fargate quota: proxies of all declared services take 2.25 vCPUs; the quota L-3032A538 is 2",
            |_, _, _, around| {
                around.fargate_quota = Reading::Known(2.0);
            },
        ),
        (Warning, "EC2 quota: 9 instances, as many as the group may have take 36 vCPUs", |_, _, facts, _| {
            known(&mut facts.group).max = 9;
        }),
        (Warning, "EC2 quota: not checked: no", |_, _, _, around| {
            around.instance_quota = Reading::Unread("no".into())
        }),
        (Problem, "permissions: ecs:StopTask is not allowed", |_, _, _, around| {
            around.permissions.insert("ecs:StopTask", Reading::Unread("ecs:StopTask is not allowed".into()));
        }),
        (Problem, "AMI: the launch template of `asg` names ami-1, which is not there", |_, _, facts, _| {
            facts.machine = Reading::Missing;
        }),
        (Problem, "AMI: ami-1 is disabled: no instance starts from it", |_, _, facts, _| {
            known(&mut facts.machine).state = "disabled".into();
        }),
        (
            Problem,
            "AMI: ami-1 is for x86_64, and t4g.xlarge is not: no instance starts",
            |site, _, facts, _| {
                site.architecture = None;
                known(&mut facts.machine).architecture = "x86_64".into();
            },
        ),
        (
            Warning,
            "AMI: ami-1 (al2023-ami-ecs-hvm-2023.0.20260901-kernel-6.1-arm64) is deprecated since 1970-01-01",
            |_, _, facts, _| {
                known(&mut facts.machine).deprecated_at = Some(NOW);
            },
        ),
        (Warning, "AMI: ami-1 (debian-12) is none of the ECS-optimised ones", |_, _, facts, _| {
            known(&mut facts.machine).name = "debian-12".into();
        }),
        (Warning, "AMI: not checked: no", |_, _, facts, _| facts.machine = Reading::Unread("no".into())),
        (Warning, "wildcard: not checked: no", |_, _, _, around| {
            around.wildcard = Reading::Unread("no".into())
        }),
    ];
    for (level, expected, change) in table {
        let ((mut site, mut facts), mut wants, mut around) = (place(), wants(), around());
        change(&mut site, &mut wants, &mut facts, &mut around);
        let findings = everything(&site, &wants, &facts, &around, clocks());
        let found: Vec<&Finding> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
        assert!(
            found.len() == 1 && found[0].level == *level && found[0].fix.is_some(),
            "{expected}: {found:?}"
        );
        assert!(found[0].to_string().starts_with(expected), "{expected}\nis not {}", found[0]);
    }
}

#[test]
fn a_quota_that_was_not_read_is_told_with_what_is_needed() {
    let ((site, facts), mut around) = (place(), around());
    around.fargate_quota = Reading::Missing;
    let findings = everything(&site, &wants(), &facts, &around, clocks());
    let fix = findings.iter().find(|finding| finding.about == "Fargate quota").unwrap().fix.clone().unwrap();
    for part in ["servicequotas:GetServiceQuota", "L-3032A538", "2.25 vCPUs"] {
        assert!(fix.contains(part), "{fix}");
    }
}

#[test]
fn what_was_not_tried_is_not_called_allowed() {
    let ((site, facts), mut around) = (place(), around());
    for denied in [false, true] {
        if denied {
            around.permissions.insert("ecs:StopTask", Reading::Unread("ecs:StopTask is not allowed".into()));
        }
        let findings = everything(&site, &wants(), &facts, &around, clocks());
        let told = |finding: &&Finding| finding.about == "permissions" && finding.level == Level::Ok;
        let message = &findings.iter().find(told).unwrap().message;
        let (allowed, open) = message.split_once("Not checked").unwrap();
        assert_eq!(allowed.contains("ecs:StopTask"), !denied, "{message}");
        for action in ["SetDesiredCapacity", "TerminateInstance", "RegisterTaskDefinition", "iam:PassRole"] {
            assert!(open.contains(action) && !allowed.contains(action), "{message}");
        }
    }
}

#[test]
fn what_nobody_wants_is_not_missed() {
    let ((site, mut facts), mut wants, mut around) = (place(), wants(), around());
    (wants.wildcard, wants.spot) = (None, Vec::new());
    around.wildcard = Reading::Missing;
    known(&mut facts.proxy_cluster).providers.clear();
    let findings = everything(&site, &wants, &facts, &around, clocks());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
}

#[test]
fn an_image_of_one_s_own_has_the_agent_when_an_instance_has_joined() {
    let (site, mut facts) = place();
    known(&mut facts.machine).name = "ours".into();
    known(&mut facts.group).members = set(&["i-1"]);
    facts.registered = Reading::Known(set(&["i-1"]));
    let findings = everything(&site, &wants(), &facts, &around(), clocks());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
}

#[test]
fn clocks_are_held_against_each_other() {
    let (site, facts) = place();
    for (ahead, level) in [
        (Some(29), Level::Ok),
        (Some(30), Level::Warning),
        (Some(-299), Level::Warning),
        (Some(300), Level::Problem),
        (Some(-300), Level::Problem),
        (None, Level::Warning),
    ] {
        let aws = ahead.map(|seconds| NOW + SignedDuration::from_secs(seconds));
        let findings = everything(&site, &wants(), &facts, &around(), Clocks { own: NOW, aws });
        let found: Vec<_> = findings.iter().filter(|finding| finding.about == "AWS's clock").collect();
        assert!(found.len() == 1 && found[0].level == level, "{ahead:?}: {found:?}");
        assert_eq!(found[0].fix.is_some(), level != Level::Ok);
    }
}
