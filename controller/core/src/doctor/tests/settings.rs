//! What the settings name.

use super::*;
use crate::doctor::settings;

#[test]
fn a_healthy_place_has_nothing_to_find() {
    let findings = settings(&site(), &healthy());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    let about: BTreeSet<&str> = findings.iter().map(|finding| finding.about.as_str()).collect();
    let all = [
        "HOSTED_ZONE_ID",
        "PRIVATE_HOSTED_ZONE_ID",
        "PROXY_CLUSTER",
        "PROXY_SUBNET_IDS",
        "SECURITY_GROUP_ID",
        "SERVICE_ASG_NAME",
        "SERVICE_CLUSTER",
        "SERVICE_SUBNET_IDS",
    ];
    assert!(about.into_iter().eq(all));
}

type Break = fn(&mut Site, &mut Facts);

#[test]
fn each_wrong_setting_is_a_problem_that_names_it() {
    let table: &[(&str, Break)] = &[
        ("HOSTED_ZONE_ID: there is no hosted zone `Z1`", |_, facts| facts.zone = Reading::Missing),
        ("HOSTED_ZONE_ID: `Z1` is a private zone", |_, facts| known(&mut facts.zone).private = true),
        (
            "HOSTED_ZONE_ID: `Z1` is the zone of `example.com`, which `example.org` (DOMAIN) is not in",
            |site, _| {
                site.domain = "example.org".into();
            },
        ),
        // Its name ends like the zone's, and is another one all the same.
        ("HOSTED_ZONE_ID: `Z1` is the zone of `example.com`, which `anexample.com` (DOMAIN)", |site, _| {
            site.domain = "anexample.com".into();
        }),
        ("PRIVATE_HOSTED_ZONE_ID: there is no hosted zone `Z2`", |_, facts| {
            facts.private_zone = Some(Reading::Missing);
        }),
        ("PRIVATE_HOSTED_ZONE_ID: `Z2` is a public zone", |_, facts| {
            facts.private_zone = Some(facts.zone.clone());
        }),
        ("PROXY_CLUSTER: there is no ECS cluster `proxies`", |_, facts| {
            facts.proxy_cluster = Reading::Missing;
        }),
        ("SERVICE_CLUSTER: there is no ECS cluster `services`", |_, facts| {
            known(&mut facts.service_cluster).status = "INACTIVE".into();
        }),
        ("SERVICE_CLUSTER: the ECS cluster `services` is FAILED", |_, facts| {
            known(&mut facts.service_cluster).status = "FAILED".into();
        }),
        ("SERVICE_ASG_NAME: there is no Auto Scaling group `asg`", |_, facts| facts.group = Reading::Missing),
        ("SERVICE_ASG_NAME: its instances join the cluster `other`, and not `services`", |_, facts| {
            known(&mut facts.group).user_data = Reading::Known("ECS_CLUSTER=other".into());
        }),
        (
            "DORMOUSE_ARCHITECTURE: tasks are for x86_64, and the group `asg` launches arm64 (ami-1)",
            |site, _| {
                site.architecture = Some(Architecture::X86_64);
            },
        ),
        ("PROXY_SUBNET_IDS: there is no subnet `subnet-x` and no `subnet-y`", |site, _| {
            site.proxy_subnets.extend(["subnet-x".into(), "subnet-y".into()]);
        }),
        ("SERVICE_SUBNET_IDS: there is no subnet `subnet-s`", |_, facts| {
            known(&mut facts.subnets).remove("subnet-s");
        }),
        ("SECURITY_GROUP_ID: there is no security group `sg-1`", |_, facts| {
            known(&mut facts.security_groups).clear();
        }),
        (
            "SECURITY_GROUP_ID: subnets and security groups are not of one VPC: subnet-p, subnet-s in vpc-1; sg-1 in vpc-2",
            |_, facts| *known(&mut facts.security_groups).get_mut("sg-1").unwrap() = "vpc-2".into(),
        ),
    ];
    for (expected, change) in table {
        let (mut site, mut facts) = (site(), healthy());
        change(&mut site, &mut facts);
        let problems = wrong(&settings(&site, &facts), Level::Problem);
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{expected}\nis not {problems:?}");
    }
}

#[test]
fn all_that_is_wrong_is_found_at_once() {
    let mut facts = healthy();
    facts.zone = Reading::Missing;
    facts.group = Reading::Missing;
    (facts.proxy_cluster, facts.service_cluster) = (Reading::Missing, Reading::Missing);
    known(&mut facts.subnets).clear();
    assert_eq!(wrong(&settings(&site(), &facts), Level::Problem).len(), 6);
}

#[test]
fn what_cannot_be_read_is_no_problem_but_is_said() {
    let unread = || "ec2:DescribeSubnets is not allowed".to_owned();
    let mut facts = healthy();
    facts.subnets = Reading::Unread(unread());
    facts.security_groups = Reading::Unread(unread());
    known(&mut facts.group).user_data = Reading::Unread(unread());
    let findings = settings(&site(), &facts);
    assert_eq!(wrong(&findings, Level::Problem), [""; 0]);
    let warnings = wrong(&findings, Level::Warning);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().all(|warning| warning.contains("checked: ec2:DescribeSubnets")), "{warnings:?}");
}

#[test]
fn without_zone_clusters_and_group_nothing_works() {
    let mut facts = healthy();
    facts.zone = Reading::Unread("route53:GetHostedZone is not allowed".into());
    facts.service_cluster = Reading::Unread("ecs:DescribeClusters is not allowed".into());
    facts.group = Reading::Unread("autoscaling:DescribeAutoScalingGroups is not allowed".into());
    let problems = wrong(&settings(&site(), &facts), Level::Problem);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("route53:GetHostedZone is not allowed"), "{problems:?}");
}

#[test]
fn the_cluster_is_read_from_user_data_where_it_is_plain() {
    let table = [
        ("ECS_CLUSTER=other", "other"),
        ("#!/bin/bash\necho ECS_CLUSTER=other >> /etc/ecs/ecs.config", "other"),
        ("cat >> /etc/ecs/ecs.config <<'END'\nECS_CLUSTER=\"other\"\nECS_X=1\nEND", "other"),
        ("printf 'ECS_CLUSTER=other\\nECS_X=1' > /etc/ecs/ecs.config", "other"),
        ("[settings.ecs]\ncluster = \"other\"", "other"),
        // The last one counts.
        ("ECS_CLUSTER=services\nECS_CLUSTER=other", "other"),
        ("ECS_CLUSTER=other\nECS_CLUSTER=services", ""),
        // Not plain to see, or not about this.
        ("ECS_CLUSTER=$CLUSTER", ""),
        ("ECS_CLUSTER=other-${STAGE}", ""),
        ("MY_ECS_CLUSTER=other", ""),
        ("# ECS_CLUSTER=other", ""),
        ("yum update -y", ""),
    ];
    for (text, joined) in table {
        let mut facts = healthy();
        known(&mut facts.group).user_data = Reading::Known(text.into());
        let problems = wrong(&settings(&site(), &facts), Level::Problem);
        let expected: &[&str] = if joined.is_empty() { &[] } else { &[joined] };
        assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("`other`")), "{text}: {problems:?}");
    }
}

#[test]
fn an_instance_in_the_cluster_tells_more_than_the_template() {
    let mut facts = healthy();
    let group = known(&mut facts.group);
    group.user_data = Reading::Known("ECS_CLUSTER=other".into());
    group.members = set(&["i-1"]);
    let mut site = site();
    assert_eq!(wrong(&settings(&site, &facts), Level::Problem).len(), 1);
    known(&mut facts.registered).insert("i-1".into());
    assert_eq!(wrong(&settings(&site, &facts), Level::Problem), [""; 0]);
    // A cluster may be given by its ARN.
    site.service_cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/other".into();
    known(&mut facts.registered).clear();
    assert_eq!(wrong(&settings(&site, &facts), Level::Problem), [""; 0]);
}
