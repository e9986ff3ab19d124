//! Facts, and what is found in them.

mod inside;
mod settings;
mod telling;

use super::facts::{Cluster, HostedZone, MachineImage, ScalingGroup, Subnet};
use super::{Clocks, Facts, Finding, Level, Reading, Site};
use dormouse_manifests::Architecture;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// By both clocks.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn clocks() -> Clocks {
    Clocks { own: NOW, aws: Some(NOW) }
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn site() -> Site {
    Site {
        domain: "apps.example.com".into(),
        zone: "Z1".into(),
        private_zone: Some("Z2".into()),
        proxy_cluster: "proxies".into(),
        service_cluster: "services".into(),
        group: "asg".into(),
        proxy_subnets: vec!["subnet-p".into()],
        service_subnets: vec!["subnet-s".into()],
        security_groups: vec!["sg-1".into()],
        architecture: Some(Architecture::Arm64),
    }
}

/// Where everything is as it should be.
fn healthy() -> Facts {
    let cluster = || Cluster { status: "ACTIVE".into(), providers: set(&["FARGATE", "FARGATE_SPOT"]) };
    let subnet = |zone: &str| Subnet { vpc: "vpc-1".into(), zone: zone.into() };
    let zone = |name: &str, private| HostedZone {
        name: name.into(),
        private,
        name_servers: vec!["ns-1.example".into()],
    };
    Facts {
        zone: Reading::Known(zone("example.com", false)),
        private_zone: Some(Reading::Known(zone("internal", true))),
        proxy_cluster: Reading::Known(cluster()),
        service_cluster: Reading::Known(cluster()),
        group: Reading::Known(ScalingGroup {
            members: set(&[]),
            zones: set(&["a", "b"]),
            max: 10,
            types: set(&["t4g.xlarge"]),
            image: Reading::Known("ami-1".into()),
            user_data: Reading::Known("#!/bin/sh\necho ECS_CLUSTER=services >> /etc/ecs/ecs.config\n".into()),
        }),
        machine: Reading::Known(MachineImage {
            id: "ami-1".into(),
            name: "al2023-ami-ecs-hvm-2023.0.20260901-kernel-6.1-arm64".into(),
            architecture: "arm64".into(),
            state: "available".into(),
            deprecated_at: Some(NOW + SignedDuration::from_hours(1)),
        }),
        registered: Reading::Known(set(&[])),
        subnets: Reading::Known(BTreeMap::from([
            ("subnet-p".to_owned(), subnet("a")),
            ("subnet-s".to_owned(), subnet("b")),
        ])),
        security_groups: Reading::Known(BTreeMap::from([("sg-1".to_owned(), "vpc-1".to_owned())])),
    }
}

/// What of a reading can be changed in a test.
fn known<T>(reading: &mut Reading<T>) -> &mut T {
    match reading {
        Reading::Known(known) => known,
        _ => panic!("it is known in every healthy place"),
    }
}

/// Those that are not as they should be, in words.
fn wrong(findings: &[Finding], level: Level) -> Vec<String> {
    findings.iter().filter(|finding| finding.level == level).map(ToString::to_string).collect()
}
