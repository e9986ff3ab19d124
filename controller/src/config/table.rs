//! Every setting, once.

/// One setting.
pub(super) struct Setting {
    pub(super) variable: &'static str,
    /// Without the dashes.
    pub(super) flag: &'static str,
    /// What stands for the value in `--help`.
    pub(super) value: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
    pub(super) help: &'static str,
}

const fn required(
    variable: &'static str,
    flag: &'static str,
    value: &'static str,
    help: &'static str,
) -> Setting {
    Setting { variable, flag, value, default: None, required: true, help }
}

const fn optional(
    variable: &'static str,
    flag: &'static str,
    value: &'static str,
    help: &'static str,
) -> Setting {
    Setting { variable, flag, value, default: None, required: false, help }
}

const fn defaulted(
    variable: &'static str,
    flag: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { variable, flag, value, default: Some(default), required: false, help }
}

/// In the order of `--help`, and of complaints.
pub(super) const SETTINGS: &[Setting] = &[
    required("DOMAIN", "domain", "NAME", "Public domain; services are <name>.<DOMAIN>"),
    required("HOSTED_ZONE_ID", "hosted-zone-id", "ID", "Public Route 53 zone of the domain"),
    required("PROXY_CLUSTER", "proxy-cluster", "NAME", "ECS cluster of the proxies (Fargate)"),
    required(
        "SERVICE_CLUSTER",
        "service-cluster",
        "NAME",
        "ECS cluster of the services (EC2); may be the same",
    ),
    required(
        "SERVICE_ASG_NAME",
        "service-asg-name",
        "NAME",
        "Auto Scaling group behind the services' cluster",
    ),
    required("PROXY_SUBNET_IDS", "proxy-subnet-ids", "IDS", "Subnets of the proxies, comma-separated"),
    required("SERVICE_SUBNET_IDS", "service-subnet-ids", "IDS", "Subnets of the services, comma-separated"),
    required("SECURITY_GROUP_ID", "security-group-id", "IDS", "Security group(s) of both, comma-separated"),
    required(
        "LAUNCH_LOCKS_TABLE_NAME",
        "launch-locks-table-name",
        "NAME",
        "DynamoDB table that remembers: partition key serviceName (S), TTL attribute ttl",
    ),
    optional(
        "DORMOUSE_ARCHITECTURE",
        "architecture",
        "PROCESSOR",
        "arm64 or x86_64: what tasks run on whose manifest says nothing [default: task definitions name none]",
    ),
    defaulted(
        "MAX_TASKS_PER_INSTANCE",
        "max-tasks-per-instance",
        "N",
        "3",
        "Services on one instance, beside CPU, memory and network interfaces",
    ),
    defaulted(
        "DORMOUSE_HEADROOM",
        "headroom",
        "N",
        "0",
        "Free slots for services that are kept ready while any service is awake",
    ),
    required("PROXY_IMAGE", "proxy-image", "IMAGE", "Image of the proxy sidecar"),
    required("SERVICE_SIDECAR_IMAGE", "service-sidecar-image", "IMAGE", "Image of the service sidecar"),
    optional(
        "TASK_EXECUTION_ROLE_ARN",
        "task-execution-role-arn",
        "ARN",
        "Execution role of the task definitions it registers",
    ),
    optional(
        "DORMOUSE_LOG_GROUP",
        "log-group",
        "NAME",
        "CloudWatch log group that the containers it starts write to, and that `dormouse logs` reads",
    ),
    optional(
        "PRIVATE_HOSTED_ZONE_ID",
        "private-hosted-zone-id",
        "ID",
        "Private zone for <name>.service.<zone> and <name>.proxy.<zone>",
    ),
    optional(
        "DORMOUSE_INSTALL_ID",
        "install-id",
        "ID",
        "Ownership mark on everything it makes [default: random, remembered in the table]",
    ),
    defaulted(
        "DORMOUSE_API_LISTEN",
        "api-listen",
        "ADDRESS",
        "0.0.0.0:9070",
        "Where the API and the dashboard listen",
    ),
    defaulted(
        "DORMOUSE_ACTIVATOR_LISTEN",
        "activator-listen",
        "ADDRESS",
        "0.0.0.0:9060",
        "Where the activator listens",
    ),
    optional(
        "DORMOUSE_CONTROLLER_URL",
        "controller-url",
        "URL",
        "Where sidecars find the controller [default: from the task's own metadata]",
    ),
    optional(
        "DORMOUSE_PUBLIC_IP",
        "public-ip",
        "ADDRESSES",
        "Where *.<DOMAIN> points: IPv4 addresses, or `none` for no wildcard record [default: its own]",
    ),
    required("DORMOUSE_SECRET", "secret", "KEY", "Key of the sidecars' tokens, at least 32 bytes"),
    optional(
        "DORMOUSE_API_TOKEN",
        "api-token",
        "TOKENS",
        "Bearer tokens for everything but health, wake pages and heartbeats [default: none is asked for]",
    ),
    optional(
        "DORMOUSE_API_TOKEN_WAKE",
        "api-token-wake",
        "TOKENS",
        "Bearer tokens that may look, wake and put to sleep [default: none]",
    ),
    optional(
        "DORMOUSE_API_TOKEN_READ",
        "api-token-read",
        "TOKENS",
        "Bearer tokens that may look [default: none]",
    ),
    optional(
        "DORMOUSE_WEBHOOK_URL",
        "webhook-url",
        "URL",
        "Who is told when a service is woken, is ready, is put to sleep or fails [default: nobody]",
    ),
    optional(
        "DORMOUSE_WEBHOOK_SECRET",
        "webhook-secret",
        "KEYS",
        "What that is signed with: whsec_ and base64 of 24 to 64 bytes",
    ),
    optional(
        "DORMOUSE_TRUSTED_PROXIES",
        "trusted-proxies",
        "NETWORKS",
        "Proxies in front whose X-Forwarded-For counts: CIDRs, comma-separated [default: none]",
    ),
    defaulted(
        "DORMOUSE_MAX_HELD",
        "max-held",
        "N",
        "10000",
        "Requests that the activator holds at a time for all services together",
    ),
    defaulted(
        "DORMOUSE_MAX_HELD_PER_SERVICE",
        "max-held-per-service",
        "N",
        "1000",
        "Requests that the activator holds at a time for one service",
    ),
    optional(
        "DORMOUSE_MANIFESTS",
        "manifests",
        "DIR",
        "Directory of manifests, applied at start and on change",
    ),
    optional(
        "DORMOUSE_PAGES",
        "pages",
        "DIR",
        "Directory of waiting pages of one's own: waiting.html, NAME.html, theme.css [default: the built-in page]",
    ),
    defaulted(
        "DORMOUSE_POLICY",
        "policy",
        "POLICY",
        "enforce",
        "enforce, or observe: plan and report, change nothing",
    ),
    defaulted("DORMOUSE_POLL_FAST", "poll-fast", "DURATION", "1s", "Sweep while something is in transition"),
    defaulted("DORMOUSE_POLL_SLOW", "poll-slow", "DURATION", "30s", "Sweep when steady"),
    defaulted("DORMOUSE_DNS_TTL", "dns-ttl", "DURATION", "10s", "TTL of the services' records"),
    defaulted(
        "DORMOUSE_SCALE_IN_DELAY",
        "scale-in-delay",
        "DURATION",
        "3m",
        "How long an instance must be empty before it is removed",
    ),
    defaulted(
        "DORMOUSE_DRAIN_WAIT",
        "drain-wait",
        "DURATION",
        "15s",
        "Between draining an instance and terminating it",
    ),
    defaulted(
        "DORMOUSE_LEASE",
        "lease",
        "DURATION",
        "15s",
        "How long the leader's lease lasts; renewed every third of it",
    ),
    defaulted(
        "DORMOUSE_STOP_TIMEOUT",
        "stop-timeout",
        "DURATION",
        "30s",
        "How long it has from SIGTERM until it is killed; held requests get all of it but five seconds",
    ),
    optional(
        "DORMOUSE_API_BUDGET",
        "api-budget",
        "SHARE",
        "Share of AWS's request rates that may be used, or unlimited [default: 0.5; unlimited with an AWS_ENDPOINT_URL]",
    ),
    defaulted(
        "DORMOUSE_LOG",
        "log",
        "FILTER",
        "info",
        "What is logged: a level, or a list such as info,dormouse=debug",
    ),
    optional(
        "DORMOUSE_LOG_FORMAT",
        "log-format",
        "FORMAT",
        "json or text [default: text on a terminal, json otherwise]",
    ),
];

/// Secrets: their values are neither shown by `--help` nor quoted in complaints.
pub(super) const SECRETS: &[&str] = &[
    "DORMOUSE_SECRET",
    "DORMOUSE_API_TOKEN",
    "DORMOUSE_API_TOKEN_WAKE",
    "DORMOUSE_API_TOKEN_READ",
    // Of chat systems, who knows the address may post.
    "DORMOUSE_WEBHOOK_URL",
    "DORMOUSE_WEBHOOK_SECRET",
];
