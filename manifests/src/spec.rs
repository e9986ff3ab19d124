//! Reading `spec`.

use std::collections::HashSet;
use std::ops::Range;

use crate::checks;
use crate::fargate;
use crate::fields;
use crate::node::{Node, Value, shorten};
use crate::proxy;
use crate::read::{Complaint, Fields, Reader};
use crate::types::{
    Access, Architecture, Fallback, Health, IdleAfter, Ignore, Protocol, ServiceSpec, Theme, Wake,
};
use crate::window::{AwakeWindow, Days};

/// The task's CPU units on EC2, and the container's smallest memory: the ECS API reference,
/// `RegisterTaskDefinition` (`cpu`) and `ContainerDefinition` (`memory`). The largest memory is
/// that of the largest EC2 instance there is.
const CPU: std::ops::RangeInclusive<u32> = 128..=196_608;
const MEMORY: std::ops::RangeInclusive<u32> = 6..=33_554_432;

/// Wakes in one day.
const DAILY_BUDGET: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// The spec, and where the names in `dependsOn` stand. `name` is the service's own.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &Range<usize>,
    name: Option<&str>,
) -> (ServiceSpec, Vec<Range<usize>>) {
    let mut spec = ServiceSpec::defaults_for("");
    spec.image = None;
    let fields = reader.section(node, &fields::SPEC);
    if !matches!(node.value, Value::Map(_)) {
        // Complained about, and nothing else is worth saying.
        return (spec, Vec::new());
    }
    program(reader, &fields, key, &mut spec);
    environment(reader, &fields, &mut spec);

    fields.read("health", &mut spec.health, |n| Some(health(reader, n)));
    fields.read("idleAfter", &mut spec.idle_after, |n| {
        reader.parsed(n, "idleAfter", "a duration or `never`", |text| checks::idle_after("idleAfter", text))
    });
    fields.read("websocketIdle", &mut spec.websocket_idle, |n| {
        reader
            .parsed(n, "websocketIdle", "a duration", |text| checks::positive("websocketIdle", text))
            .map(Some)
    });
    fields.read("busyPath", &mut spec.busy_path, |n| reader.checked(n, "busyPath", checks::path).map(Some));
    fields.read("maxAwake", &mut spec.max_awake, |n| {
        reader.parsed(n, "maxAwake", "a duration", |text| checks::positive("maxAwake", text)).map(Some)
    });
    rules_of_idleness(reader, &fields, &spec);
    fields.read("drain", &mut spec.drain, |n| {
        reader.parsed(n, "drain", "a duration", |text| checks::duration("drain", text))
    });
    fields.read("wake", &mut spec.wake, |n| Some(wake(reader, n)));
    fields.read("awake", &mut spec.awake, |n| {
        let windows = reader.items(n, "awake").iter();
        Some(windows.filter_map(|item| window(reader, item)).collect())
    });
    fields.read("rolloutCheck", &mut spec.rollout_check, |n| reader.boolean(n, "rolloutCheck"));
    let protocol = spec.protocol;
    fields.read("proxy", &mut spec.proxy, |n| Some(proxy::read(reader, n, protocol)));
    fields.read("architecture", &mut spec.architecture, |n| {
        let choices = [("arm64", Architecture::Arm64), ("x86_64", Architecture::X86_64)];
        reader.choice(n, "architecture", &choices).map(Some)
    });
    fields.read("fallback", &mut spec.fallback, |n| {
        reader.choice(n, "fallback", &[("none", Fallback::None), ("fargate", Fallback::Fargate)])
    });
    size_of_the_fallback(reader, &fields, &spec);
    let depends_on = depends_on(reader, &fields, name, &mut spec);
    (spec, depends_on)
}

/// With an existing task definition it is that one's size that counts, and ECS that says so.
fn size_of_the_fallback(reader: &mut Reader<'_>, fields: &Fields<'_>, spec: &ServiceSpec) {
    let (cpu, memory) =
        (spec.cpu.saturating_add(fargate::SIDECAR_CPU), spec.memory.saturating_add(fargate::SIDECAR_MEMORY));
    if spec.fallback == Fallback::Fargate
        && spec.image.is_some()
        && fargate::fitting(cpu, memory).is_none()
        && let Some(entry) = fields.entry("fallback")
    {
        let (most_cpu, most_memory) = fargate::LARGEST;
        let complaint = Complaint::new(
            "Fargate has no task of this size",
            format!("with its sidecar it takes {cpu} CPU units and {memory} MiB; the largest there is has {most_cpu} and {most_memory}"),
        )
        .help("lower `cpu` and `memory`, or remove `fallback`");
        reader.error(&entry.key_span, complaint);
    }
}

/// Rules that are written and have no effect.
fn rules_of_idleness(reader: &mut Reader<'_>, fields: &Fields<'_>, spec: &ServiceSpec) {
    if let Some(entry) = fields.entry("busyPath")
        && spec.protocol != Protocol::Http
    {
        let complaint = Complaint::new(
            format!("`busyPath` has no effect with `protocol: {}`", spec.protocol),
            "it is asked over HTTP/1.1",
        );
        reader.warning(&entry.key_span, complaint);
    }
    if let (Some(limit), IdleAfter::After(after), Some(entry)) =
        (spec.max_awake, spec.idle_after, fields.entry("maxAwake"))
        && limit < after
    {
        let complaint = Complaint::new(
            "`maxAwake` is shorter than `idleAfter`",
            "it always sleeps by this, never for idleness",
        );
        reader.warning(&entry.key_span, complaint);
    }
}

/// What runs: an image or a task definition, its arguments, port and size.
fn program(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &Range<usize>, spec: &mut ServiceSpec) {
    fields.read("image", &mut spec.image, |n| reader.checked(n, "image", checks::image).map(Some));
    fields.read("taskDefinition", &mut spec.task_definition, |n| {
        reader.checked(n, "taskDefinition", checks::task_definition).map(Some)
    });
    fields.read("container", &mut spec.container, |n| {
        reader.checked(n, "container", checks::container).map(Some)
    });
    match (fields.entry("image"), fields.entry("taskDefinition")) {
        (None, None) => reader.error(
            key,
            Complaint::new("`spec` has neither `image` nor `taskDefinition`", "one of the two is needed")
                .help("add the container's image, such as `image: public.ecr.aws/nginx/nginx:1.27`"),
        ),
        (Some(image), Some(definition)) => {
            let (first, second) = if image.key_span.start < definition.key_span.start {
                (image, definition)
            } else {
                (definition, image)
            };
            let complaint = Complaint::new(
                "`spec` has both `image` and `taskDefinition`",
                "only one of the two is possible",
            )
            .help("`image` has the task definition written for you; `taskDefinition` uses one that exists");
            reader.error_beside(&second.key_span, complaint, &first.key_span, "the other one");
        }
        (Some(_), None) => {
            if let Some(container) = fields.entry("container") {
                reader.error(
                    &container.key_span,
                    Complaint::new(
                        "`container` is only for `taskDefinition`",
                        "with `image` there is one container",
                    )
                    .help("remove `container`"),
                );
            }
        }
        (None, Some(_)) => {
            for name in ["command", "entryPoint", "env", "secrets"] {
                if let Some(entry) = fields.entry(name) {
                    reader.warning(
                        &entry.key_span,
                        Complaint::new(
                            format!("`{name}` has no effect with `taskDefinition`"),
                            "the task definition's own stand",
                        )
                        .help("set it in the task definition"),
                    );
                }
            }
        }
    }
    fields.read("command", &mut spec.command, |n| Some(reader.texts(n, "command", checks::anything)));
    fields
        .read("entryPoint", &mut spec.entry_point, |n| Some(reader.texts(n, "entryPoint", checks::anything)));
    fields.read("port", &mut spec.port, |n| {
        let port = reader.integer(n, "port", 1..=65_535)?;
        u16::try_from(port).ok()
    });
    fields.read("protocol", &mut spec.protocol, |n| {
        let choices = [("http", Protocol::Http), ("h2c", Protocol::H2c), ("tcp", Protocol::Tcp)];
        reader.choice(n, "protocol", &choices)
    });
    fields.read("cpu", &mut spec.cpu, |n| reader.integer(n, "cpu", CPU));
    fields.read("memory", &mut spec.memory, |n| reader.integer(n, "memory", MEMORY));
    fields.read("taskRoleArn", &mut spec.task_role_arn, |n| {
        reader.checked(n, "taskRoleArn", checks::role).map(Some)
    });
}

fn environment(reader: &mut Reader<'_>, fields: &Fields<'_>, spec: &mut ServiceSpec) {
    fields
        .read("env", &mut spec.env, |n| Some(reader.text_map(n, "env", checks::env_name, checks::env_value)));
    fields.read("secrets", &mut spec.secrets, |n| {
        Some(reader.text_map(n, "secrets", checks::env_name, checks::secret))
    });
    let variables = |name: &str| fields.get(name).map_or(&[][..], Node::map_entries);
    for entry in variables("env").iter().chain(variables("secrets")) {
        if entry.key.starts_with("DORMOUSE_") {
            reader.warning(
                &entry.key_span,
                Complaint::new(
                    format!("the variable `{}` may be overwritten", shorten(&entry.key)),
                    "names that start with `DORMOUSE_` are Dormouse's own",
                ),
            );
        }
    }
    for entry in variables("secrets") {
        if let Some(other) = variables("env").iter().find(|env| env.key == entry.key) {
            let complaint = Complaint::new(
                format!("the variable `{}` is in both `env` and `secrets`", shorten(&entry.key)),
                "ECS accepts a name once",
            );
            reader.error_beside(&entry.key_span, complaint, &other.key_span, "in `env`");
        }
    }
}

fn health(reader: &mut Reader<'_>, node: &Node) -> Health {
    let mut health = Health::default();
    let fields = reader.section(node, &fields::HEALTH);
    fields.read("path", &mut health.path, |n| reader.checked(n, "health.path", checks::path));
    fields.read("interval", &mut health.interval, |n| {
        reader.parsed(n, "health.interval", "a duration", |text| checks::positive("health.interval", text))
    });
    // The default follows a shorter interval: who sets one need not set both.
    health.timeout = health.timeout.min(health.interval);
    fields.read("timeout", &mut health.timeout, |n| {
        reader.parsed(n, "health.timeout", "a duration", |text| checks::positive("health.timeout", text))
    });
    fields.read("failures", &mut health.failures, |n| reader.integer(n, "health.failures", 1..=100));
    fields.read("gracePeriod", &mut health.grace_period, |n| {
        reader.parsed(n, "health.gracePeriod", "a duration", |text| {
            checks::duration("health.gracePeriod", text)
        })
    });
    if health.timeout > health.interval
        && let Some(timeout) = fields.get("timeout")
    {
        let interval = crate::duration::format_duration(health.interval);
        let complaint = Complaint::new(
            "`health.timeout` is longer than `health.interval`",
            format!("the interval is {interval}"),
        )
        .help("a probe must end before the next one starts");
        reader.error(&timeout.span, complaint);
    }
    health
}

fn wake(reader: &mut Reader<'_>, node: &Node) -> Wake {
    let mut wake = Wake::default();
    let fields = reader.section(node, &fields::WAKE);
    fields.read("hold", &mut wake.hold, |n| {
        reader.parsed(n, "wake.hold", "a duration", |text| checks::duration("wake.hold", text))
    });
    fields.read("page", &mut wake.page, |n| reader.boolean(n, "wake.page"));
    fields.read("access", &mut wake.access, |n| {
        let choices = [("public", Access::Public), ("token", Access::Token)];
        reader.choice(n, "wake.access", &choices)
    });
    fields.read("ignore", &mut wake.ignore, |n| Some(ignore(reader, n)));
    for (name, field, slot) in [
        ("rateLimit", "wake.rateLimit", &mut wake.rate_limit),
        ("serviceRateLimit", "wake.serviceRateLimit", &mut wake.service_rate_limit),
    ] {
        fields.read(name, slot, |n| {
            reader.parsed(n, field, "a rate or `none`", |text| checks::rate_limit(field, text))
        });
    }
    fields.read("dailyBudget", &mut wake.daily_budget, |n| {
        reader.integer(n, "wake.dailyBudget", DAILY_BUDGET).map(Some)
    });
    fields.read("theme", &mut wake.theme, |n| Some(theme(reader, n)));
    wake
}

fn theme(reader: &mut Reader<'_>, node: &Node) -> Theme {
    let mut theme = Theme::default();
    let fields = reader.section(node, &fields::THEME);
    fields
        .read("title", &mut theme.title, |n| reader.checked(n, "wake.theme.title", checks::title).map(Some));
    fields.read("accent", &mut theme.accent, |n| {
        reader.checked(n, "wake.theme.accent", checks::colour).map(Some)
    });
    fields
        .read("page", &mut theme.page, |n| reader.checked(n, "wake.theme.page", checks::page_name).map(Some));
    theme
}

fn ignore(reader: &mut Reader<'_>, node: &Node) -> Ignore {
    let mut ignore = Ignore::default();
    let fields = reader.section(node, &fields::IGNORE);
    fields.read("paths", &mut ignore.paths, |n| {
        Some(reader.texts(n, "wake.ignore.paths", checks::path_pattern))
    });
    fields.read("methods", &mut ignore.methods, |n| {
        Some(reader.texts(n, "wake.ignore.methods", checks::method))
    });
    fields.read("userAgents", &mut ignore.user_agents, |n| {
        Some(reader.texts(n, "wake.ignore.userAgents", checks::pattern))
    });
    ignore
}

fn window(reader: &mut Reader<'_>, node: &Node) -> Option<AwakeWindow> {
    let fields = reader.section(node, &fields::AWAKE);
    let (mut from, mut to) = (None, None);
    let mut days = Days::daily();
    let mut timezone = AwakeWindow::default_timezone();
    fields.read("days", &mut days, |n| reader.parsed(n, "days", "days such as `Mon-Fri`", checks::days));
    for (name, slot) in [("from", &mut from), ("to", &mut to)] {
        fields.read(name, slot, |n| {
            let time = reader.parsed(n, name, "a time such as \"08:00\"", |text| checks::clock(name, text));
            time.map(Some)
        });
    }
    fields.read("timezone", &mut timezone, |n| reader.checked(n, "timezone", checks::timezone));
    let start = fields.first_key_span().unwrap_or(node.span.clone());
    for name in ["from", "to"] {
        // What is no mapping has been complained about.
        if matches!(node.value, Value::Map(_)) && fields.get(name).is_none() {
            let complaint =
                Complaint::new(format!("`{name}` is missing in an awake window"), "the window starts here");
            let help = format!("add a time, such as `{name}: \"08:00\"`");
            reader.error(&start, complaint.help(help));
        }
    }
    Some(AwakeWindow { days, from: from?, to: to?, timezone })
}

fn depends_on(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    name: Option<&str>,
    spec: &mut ServiceSpec,
) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let Some(node) = fields.get("dependsOn") else {
        return spans;
    };
    let mut seen = HashSet::new();
    for item in reader.items(node, "dependsOn") {
        let Some(text) = reader.checked(item, "dependsOn", checks::dependency) else {
            continue;
        };
        if Some(text.as_str()) == name {
            let complaint = Complaint::new(format!("`{text}` depends on itself"), "this is its own name");
            reader.error(&item.span, complaint);
        } else if !seen.insert(text.clone()) {
            let complaint = Complaint::new(format!("`{text}` is in `dependsOn` twice"), "the second time");
            reader.error(&item.span, complaint);
        }
        spans.push(item.span.clone());
        spec.depends_on.push(text);
    }
    spans
}
