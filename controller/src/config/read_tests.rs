use super::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;

const MINIMUM: &[(&str, &str)] = &[
    ("DOMAIN", "Apps.Example.com."),
    ("HOSTED_ZONE_ID", "/hostedzone/Z1"),
    ("PROXY_CLUSTER", "proxies"),
    ("SERVICE_CLUSTER", "services"),
    ("SERVICE_ASG_NAME", "group"),
    ("PROXY_SUBNET_IDS", "subnet-1, subnet-2"),
    ("SERVICE_SUBNET_IDS", "subnet-3"),
    ("SECURITY_GROUP_ID", "sg-1"),
    ("LAUNCH_LOCKS_TABLE_NAME", "locks"),
    ("PROXY_IMAGE", "proxy:1"),
    ("SERVICE_SIDECAR_IMAGE", "sidecar:1"),
    ("DORMOUSE_SECRET", "0123456789abcdef0123456789abcdef"),
];

fn with(changes: &[(&str, &str)]) -> Result<ControllerConfig, Vec<Wrong>> {
    let mut values: HashMap<String, String> =
        MINIMUM.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    values.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    read(|name| values.get(name).cloned())
}

#[test]
fn the_minimum_is_enough_and_the_rest_has_its_documented_default() {
    let config = with(&[]).unwrap();
    let install = &config.installation;
    assert_eq!(install.domain, "apps.example.com");
    assert_eq!(install.zone, "Z1");
    assert_eq!(install.proxy_subnets, ["subnet-1", "subnet-2"]);
    assert_eq!(install.max_tasks_per_instance, 3);
    assert_eq!((install.headroom, install.architecture), (0, None));
    assert_eq!(install.install, None);
    assert_eq!(install.public_ip, PublicIp::Own);
    assert_eq!(install.dns_ttl, seconds(10));
    assert_eq!(install.scale_in_delay, seconds(180));
    assert_eq!(install.drain_wait, seconds(15));
    assert_eq!((install.poll_fast, install.poll_slow), (seconds(1), seconds(30)));
    assert_eq!((config.lease, config.stop_timeout), (seconds(15), seconds(30)));
    assert_eq!(config.api_listen.to_string(), "0.0.0.0:9070");
    assert_eq!(config.activator_listen.to_string(), "0.0.0.0:9060");
    assert_eq!(config.policy, Policy::Enforce);
    assert!(config.tokens.is_empty());
    assert_eq!(config.trusted_proxies, Default::default());
    assert_eq!(config.held, Limits { per_service: 1_000, total: 10_000 });
    assert_eq!(config.log, Log { filter: "info".into(), format: None });
}

#[test]
fn values_are_read() {
    let config = with(&[
        ("DORMOUSE_PUBLIC_IP", "198.51.100.1,198.51.100.2"),
        ("DORMOUSE_POLICY", "observe"),
        ("DORMOUSE_CONTROLLER_URL", "http://10.0.0.9:9070/"),
        ("PRIVATE_HOSTED_ZONE_ID", "Z2"),
        ("DORMOUSE_INSTALL_ID", "blue-1"),
        ("DORMOUSE_ARCHITECTURE", "ARM64"),
        ("DORMOUSE_LOG_FORMAT", "text"),
        ("DORMOUSE_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32"),
        ("TASK_EXECUTION_ROLE_ARN", " "),
    ])
    .unwrap();
    let addresses = vec![Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2)];
    assert_eq!(config.installation.public_ip, PublicIp::Addresses(addresses));
    assert_eq!(config.policy, Policy::Observe);
    assert_eq!(config.installation.controller_url.as_deref(), Some("http://10.0.0.9:9070"));
    assert_eq!(config.installation.private_zone.as_deref(), Some("Z2"));
    assert_eq!(config.installation.install.as_deref(), Some("blue-1"));
    let trusts = |address: &str| config.trusted_proxies.trusts(address.parse().unwrap());
    assert_eq!(config.installation.trusted_proxies, ["10.0.0.0/8", "2001:db8::/32"]);
    assert!(trusts("10.1.1.1") && trusts("2001:db8::7") && !trusts("11.1.1.1"));
    assert_eq!(config.installation.execution_role, None, "blank is unset");
    assert_eq!(with(&[("DORMOUSE_PUBLIC_IP", "none")]).unwrap().installation.public_ip, PublicIp::NoWildcard);
}

#[test]
fn each_wrong_value_is_named_with_what_is_accepted() {
    let durations = "written such as 500ms, 15s or 3m";
    for (variable, value, expected) in [
        ("DOMAIN", "a_b", "DOMAIN=\"a_b\" (--domain) is not accepted: give a domain name such as apps.example.com".to_owned()),
        ("HOSTED_ZONE_ID", "Z-1", "HOSTED_ZONE_ID=\"Z-1\" (--hosted-zone-id) is not accepted: give a hosted zone's id such as Z0123456789ABC".into()),
        ("PROXY_CLUSTER", "a b", "PROXY_CLUSTER=\"a b\" (--proxy-cluster) is not accepted: give a name or an ARN, without spaces".into()),
        ("SERVICE_CLUSTER", "é", "SERVICE_CLUSTER=\"é\" (--service-cluster) is not accepted: give a name or an ARN, without spaces".into()),
        ("SERVICE_ASG_NAME", "a b", "SERVICE_ASG_NAME=\"a b\" (--service-asg-name) is not accepted: give a name or an ARN, without spaces".into()),
        ("PROXY_SUBNET_IDS", "subnet-1,", "PROXY_SUBNET_IDS=\"subnet-1,\" (--proxy-subnet-ids) is not accepted: give one or more ids such as subnet-0123abcd, separated by commas".into()),
        ("SERVICE_SUBNET_IDS", "vpc-1", "SERVICE_SUBNET_IDS=\"vpc-1\" (--service-subnet-ids) is not accepted: give one or more ids such as subnet-0123abcd, separated by commas".into()),
        ("SECURITY_GROUP_ID", "sg-", "SECURITY_GROUP_ID=\"sg-\" (--security-group-id) is not accepted: give one or more ids such as sg-0123abcd, separated by commas".into()),
        ("LAUNCH_LOCKS_TABLE_NAME", "a b", "LAUNCH_LOCKS_TABLE_NAME=\"a b\" (--launch-locks-table-name) is not accepted: give a name or an ARN, without spaces".into()),
        ("MAX_TASKS_PER_INSTANCE", "0", "MAX_TASKS_PER_INSTANCE=\"0\" (--max-tasks-per-instance) is not accepted: give a whole number from 1 to 1000".into()),
        ("DORMOUSE_HEADROOM", "-1", "DORMOUSE_HEADROOM=\"-1\" (--headroom) is not accepted: give a whole number from 0 to 1000".into()),
        ("PROXY_IMAGE", "https://x/y", "PROXY_IMAGE=\"https://x/y\" (--proxy-image) is not accepted: give an image such as public.ecr.aws/team/image:tag".into()),
        ("SERVICE_SIDECAR_IMAGE", "a b", "SERVICE_SIDECAR_IMAGE=\"a b\" (--service-sidecar-image) is not accepted: give an image such as public.ecr.aws/team/image:tag".into()),
        ("TASK_EXECUTION_ROLE_ARN", "role", "TASK_EXECUTION_ROLE_ARN=\"role\" (--task-execution-role-arn) is not accepted: give a role's ARN such as arn:aws:iam::123456789012:role/execution".into()),
        ("PRIVATE_HOSTED_ZONE_ID", "/", "PRIVATE_HOSTED_ZONE_ID=\"/\" (--private-hosted-zone-id) is not accepted: give a hosted zone's id such as Z0123456789ABC".into()),
        ("DORMOUSE_INSTALL_ID", "a_b", "DORMOUSE_INSTALL_ID=\"a_b\" (--install-id) is not accepted: give 1 to 32 letters, digits and hyphens".into()),
        ("DORMOUSE_API_LISTEN", "9070", "DORMOUSE_API_LISTEN=\"9070\" (--api-listen) is not accepted: give an address and a port such as 0.0.0.0:9070 or [::]:9070".into()),
        ("DORMOUSE_ACTIVATOR_LISTEN", ":9060", "DORMOUSE_ACTIVATOR_LISTEN=\":9060\" (--activator-listen) is not accepted: give an address and a port such as 0.0.0.0:9070 or [::]:9070".into()),
        ("DORMOUSE_CONTROLLER_URL", "https://a", "DORMOUSE_CONTROLLER_URL=\"https://a\" (--controller-url) is not accepted: give http://host:port, without a path".into()),
        ("DORMOUSE_PUBLIC_IP", "auto", "DORMOUSE_PUBLIC_IP=\"auto\" (--public-ip) is not accepted: give none, or one or more IPv4 addresses separated by commas".into()),
        ("DORMOUSE_SECRET", "short", "DORMOUSE_SECRET (--secret) is not accepted: give a random text of at least 32 bytes (this has 5)".into()),
        ("DORMOUSE_API_TOKEN", "a b", "DORMOUSE_API_TOKEN (--api-token) is not accepted: give a token of printable ASCII characters without spaces, `:` and `,`; or several, comma-separated; NAME:TOKEN names one in the audit log".into()),
        ("DORMOUSE_TRUSTED_PROXIES", "10.0.0.0/8,", "DORMOUSE_TRUSTED_PROXIES=\"10.0.0.0/8,\" (--trusted-proxies) is not accepted: give one or more networks such as 10.0.0.0/8, separated by commas".into()),
        ("DORMOUSE_MAX_HELD", "0", "DORMOUSE_MAX_HELD=\"0\" (--max-held) is not accepted: give a whole number from 1 to 100000".into()),
        ("DORMOUSE_MAX_HELD_PER_SERVICE", "1e3", "DORMOUSE_MAX_HELD_PER_SERVICE=\"1e3\" (--max-held-per-service) is not accepted: give a whole number from 1 to 100000".into()),
        ("DORMOUSE_MANIFESTS", "/no/such", "DORMOUSE_MANIFESTS=\"/no/such\" (--manifests) is not accepted: give a directory that exists".into()),
        ("DORMOUSE_PAGES", "/no/such", "DORMOUSE_PAGES=\"/no/such\" (--pages) is not accepted: give a directory that exists".into()),
        ("DORMOUSE_POLICY", "on", "DORMOUSE_POLICY=\"on\" (--policy) is not accepted: give enforce or observe".into()),
        ("DORMOUSE_POLL_FAST", "5", format!("DORMOUSE_POLL_FAST=\"5\" (--poll-fast) is not accepted: give a duration from 100ms to 1m, {durations}")),
        ("DORMOUSE_POLL_SLOW", "2h", format!("DORMOUSE_POLL_SLOW=\"2h\" (--poll-slow) is not accepted: give a duration from 1s to 1h, {durations}")),
        ("DORMOUSE_DNS_TTL", "1500ms", "DORMOUSE_DNS_TTL=\"1500ms\" (--dns-ttl) is not accepted: give a duration of whole seconds from 1s to 1d".into()),
        ("DORMOUSE_SCALE_IN_DELAY", "-1s", format!("DORMOUSE_SCALE_IN_DELAY=\"-1s\" (--scale-in-delay) is not accepted: give a duration from 0s to 1d, {durations}")),
        ("DORMOUSE_DRAIN_WAIT", "soon", format!("DORMOUSE_DRAIN_WAIT=\"soon\" (--drain-wait) is not accepted: give a duration from 0s to 1h, {durations}")),
        ("DORMOUSE_ARCHITECTURE", "amd64", "DORMOUSE_ARCHITECTURE=\"amd64\" (--architecture) is not accepted: give arm64 or x86_64".to_owned()),
        ("DORMOUSE_LEASE", "1ms", format!("DORMOUSE_LEASE=\"1ms\" (--lease) is not accepted: give a duration from 1s to 10m, {durations}")),
        ("DORMOUSE_API_BUDGET", "2", "DORMOUSE_API_BUDGET=\"2\" (--api-budget) is not accepted: give a share from 0.05 to 1, or unlimited".into()),
        ("DORMOUSE_LOG", "dormouse=loud", "DORMOUSE_LOG=\"dormouse=loud\" (--log) is not accepted: give off, error, warn, info, debug, trace, or a list such as info,dormouse=debug".into()),
        ("DORMOUSE_LOG_FORMAT", "xml", "DORMOUSE_LOG_FORMAT=\"xml\" (--log-format) is not accepted: give json or text".into()),
    ] {
        let wrong = with(&[(variable, value)]).unwrap_err();
        assert_eq!(wrong.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_log_group_needs_the_role_under_which_tasks_write_to_it() {
    let role = ("TASK_EXECUTION_ROLE_ARN", "arn:aws:iam::123456789012:role/execution");
    let both = with(&[("DORMOUSE_LOG_GROUP", "/dormouse/blue/services"), role]).unwrap();
    assert_eq!(both.installation.log_group.as_deref(), Some("/dormouse/blue/services"));
    assert_eq!(with(&[role]).unwrap().installation.log_group, None);
    let say = "DORMOUSE_LOG_GROUP=\"/g\" (--log-group) is not accepted: give it together with TASK_EXECUTION_ROLE_ARN, \
               under whose rights Fargate writes to it";
    let wrong = with(&[("DORMOUSE_LOG_GROUP", "/g")]).unwrap_err();
    assert_eq!(wrong.iter().map(ToString::to_string).collect::<Vec<_>>(), [say]);
    let wrong = with(&[("DORMOUSE_LOG_GROUP", "a group"), role]).unwrap_err();
    assert!(
        wrong[0].to_string().ends_with("give a log group's name such as /dormouse/blue/services"),
        "{wrong:?}"
    );
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_help() {
    let wrong = read(|name| (name == "DORMOUSE_LEASE").then(|| "x".to_owned())).unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|wrong| wrong.variable).collect();
    let mut expected: Vec<&str> = MINIMUM.iter().map(|(name, _)| *name).collect();
    expected.push("DORMOUSE_LEASE");
    assert_eq!(names, expected);
    assert_eq!(
        wrong[0].to_string(),
        "DOMAIN (--domain) is missing: give a domain name such as apps.example.com"
    );
    assert_eq!(
        wrong[11].to_string(),
        "DORMOUSE_SECRET (--secret) is missing: give a random text of at least 32 bytes"
    );
}

#[test]
fn the_slow_poll_is_not_the_faster_one() {
    let wrong = with(&[("DORMOUSE_POLL_FAST", "20s"), ("DORMOUSE_POLL_SLOW", "10s")]).unwrap_err();
    assert_eq!(
        wrong[0].to_string(),
        "DORMOUSE_POLL_SLOW=\"10s\" (--poll-slow) is not accepted: give no less than DORMOUSE_POLL_FAST"
    );
}

#[test]
fn secrets_are_never_shown() {
    let config = with(&[("DORMOUSE_API_TOKEN", "hush-hush")]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("0123456789abcdef"), "{shown}");
    assert!(config.tokens.of("hush-hush").is_some());
    assert!(config.tokens.of("hush-husH").is_none());
}

#[test]
fn a_webhook_has_an_address_and_a_key() {
    const URL: (&str, &str) = ("DORMOUSE_WEBHOOK_URL", "https://hooks.example.com/hush");
    const KEY: (&str, &str) = ("DORMOUSE_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_eq!(with(&[]).unwrap().webhook, None);
    let config = with(&[URL, KEY]).unwrap().webhook.unwrap();
    assert_eq!(config.url.expose(), URL.1);
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("MfKQ"), "{shown}");
    for (given, wrong) in [
        (&[URL][..], "DORMOUSE_WEBHOOK_SECRET (--webhook-secret) is missing: give whsec_ and"),
        (&[KEY], "DORMOUSE_WEBHOOK_URL (--webhook-url) is missing: give https://"),
        (
            &[URL, (KEY.0, "hush")],
            "DORMOUSE_WEBHOOK_SECRET (--webhook-secret) is not accepted: give whsec_ and",
        ),
        (&[KEY, (URL.0, "ftp://example.com")], "DORMOUSE_WEBHOOK_URL (--webhook-url) is not accepted"),
        (
            &[KEY, (URL.0, "https://hush:hush@example.com")],
            "DORMOUSE_WEBHOOK_URL (--webhook-url) is not accepted",
        ),
        (&[KEY, (URL.0, "/path")], "DORMOUSE_WEBHOOK_URL (--webhook-url) is not accepted"),
    ] {
        let found: Vec<String> = with(given).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].starts_with(wrong) && !found[0].contains("hush"), "{found:?}");
    }
}

#[test]
fn flags_go_before_variables() {
    use clap::{Args, FromArgMatches};
    let command = ControllerArgs::augment_args(clap::Command::new("controller"));
    let matches = command.get_matches_from(["controller", "--lease", "20s", "--scale-in-delay", "-1s"]);
    let args = ControllerArgs::from_arg_matches(&matches).unwrap();
    assert_eq!(args.get("DORMOUSE_LEASE").as_deref(), Some("20s"));
    assert_eq!(args.get("DORMOUSE_SCALE_IN_DELAY").as_deref(), Some("-1s"));
    assert_eq!(args.get("DOMAIN"), None);
}

use crate::config::ControllerArgs;

#[test]
fn tokens_have_roles_and_names() {
    let config = with(&[
        ("DORMOUSE_API_TOKEN", "old, alice:new="),
        ("DORMOUSE_API_TOKEN_WAKE", "ci:w"),
        ("DORMOUSE_API_TOKEN_READ", "r1,grafana:r2"),
    ])
    .unwrap();
    for (token, bearer) in [
        ("old", "admin (admin)"),
        ("new=", "alice (admin)"),
        ("w", "ci (wake)"),
        ("r1", "read (read)"),
        ("r2", "grafana (read)"),
    ] {
        assert_eq!(config.tokens.of(token).unwrap().to_string(), bearer);
    }
    for (changes, words) in [
        (&[("DORMOUSE_API_TOKEN_READ", "r")][..], "DORMOUSE_API_TOKEN (--api-token) is missing"),
        (&[("DORMOUSE_API_TOKEN", "a,a")], "none is given twice"),
        (&[("DORMOUSE_API_TOKEN", "a"), ("DORMOUSE_API_TOKEN_READ", "x:a")], "none is given twice"),
        (&[("DORMOUSE_API_TOKEN", "a,,b")], "is not accepted: give a token of printable"),
        (&[("DORMOUSE_API_TOKEN", "a name:b")], "is not accepted: give a token of printable"),
    ] {
        let wrong = with(changes).unwrap_err();
        assert!(wrong[0].to_string().contains(words), "{changes:?}: {wrong:?}");
    }
}
