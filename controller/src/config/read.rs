//! The table's values to a [`ControllerConfig`]. Every problem is found, not just the first.

use super::parse::{self, Parsed};
use super::table::{SECRETS, SETTINGS};
use super::{ApiBudget, ControllerConfig, Installation, Log, Policy, PublicIp, Secret, WebhookConfig};
use crate::activator::Limits;
use crate::tokens::{Bearer, Role, Tokens};
use crate::webhook::Keys;
use std::fmt;
use std::time::Duration;

/// A setting that cannot be used: which, its value, and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The variable.
    pub variable: &'static str,
    /// The flag that sets the same, without dashes.
    pub flag: &'static str,
    /// Its value; `None` when it is unset.
    pub value: Option<String>,
    /// What is accepted, as a noun phrase.
    pub accepted: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { variable, flag, value, accepted } = self;
        match value {
            None => write!(f, "{variable} (--{flag}) is missing: give {accepted}"),
            Some(_) if SECRETS.contains(variable) => {
                write!(f, "{variable} (--{flag}) is not accepted: give {accepted}")
            }
            Some(value) => write!(f, "{variable}={value:?} (--{flag}) is not accepted: give {accepted}"),
        }
    }
}

impl std::error::Error for Wrong {}

/// Reads the settings from wherever they are: flags and environment, or a test's table.
///
/// # Errors
/// Everything that is missing or wrong, in the order of `--help`.
pub fn read(source: impl Fn(&str) -> Option<String>) -> Result<ControllerConfig, Vec<Wrong>> {
    let mut reader = Reader { source: &source, wrong: Vec::new() };
    let config = assemble(&mut reader);
    match config {
        Some(config) if reader.wrong.is_empty() => Ok(config),
        _ => {
            reader.wrong.sort_by_key(|wrong| position(wrong.variable));
            Err(reader.wrong)
        }
    }
}

fn position(variable: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.variable == variable)
}

struct Reader<'a> {
    source: &'a dyn Fn(&str) -> Option<String>,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    /// The text that was given, or else the default. Blank is as good as unset: compose files and task
    /// definitions set such.
    fn text(&self, variable: &str) -> Option<String> {
        let given =
            (self.source)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let default = || SETTINGS.iter().find(|setting| setting.variable == variable)?.default;
        given.or_else(|| default().map(str::to_owned))
    }

    fn complain(&mut self, variable: &'static str, value: Option<String>, accepted: String) {
        let flag =
            SETTINGS.iter().find(|setting| setting.variable == variable).map_or("", |setting| setting.flag);
        self.wrong.push(Wrong { variable, flag, value, accepted });
    }

    /// The value if there is one and it is right.
    fn optional<T>(&mut self, variable: &'static str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        let text = self.text(variable)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(accepted) => {
                self.complain(variable, Some(text), accepted);
                None
            }
        }
    }

    /// The value; it is a problem when there is none.
    fn required<T>(&mut self, variable: &'static str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        if self.text(variable).is_some() {
            return self.optional(variable, parse);
        }
        // What is accepted is known from asking for nothing.
        let accepted = parse("").err().unwrap_or_else(|| "a value".to_owned());
        self.complain(variable, None, accepted);
        None
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn secret(text: &str) -> Parsed<Secret> {
    match text.len() {
        32.. => Ok(Secret::new(text)),
        0 => Err("a random text of at least 32 bytes".to_owned()),
        bytes => Err(format!("a random text of at least 32 bytes (this has {bytes})")),
    }
}

/// Tokens of a role, comma-separated, each with a name before it or none.
fn tokens(role: Role, text: &str) -> Parsed<Vec<(Bearer, Secret)>> {
    let one = |text: &str| {
        let (name, token) = text.split_once(':').unwrap_or((role.word(), text));
        let is_name = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        let fits = is_name && !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| (Bearer { name: name.into(), role }, Secret::new(token)))
    };
    text.split(',').map(|text| one(text.trim())).collect::<Option<_>>().ok_or_else(|| {
        "a token of printable ASCII characters without spaces, `:` and `,`; or several, comma-separated; \
         NAME:TOKEN names one in the audit log"
            .to_owned()
    })
}

/// Every token. A role above another is of no use without one that may everything.
fn all_tokens(reader: &mut Reader<'_>) -> Tokens {
    let roles = [Role::Admin, Role::Wake, Role::Read];
    let mut all: Vec<(Bearer, Secret)> = Vec::new();
    for role in roles {
        let given = reader.optional(role.variable(), |text| tokens(role, text)).unwrap_or_default();
        for (bearer, secret) in given {
            if all.iter().any(|(_, known)| known.matches(secret.expose())) {
                let twice = "tokens of which none is given twice".to_owned();
                reader.complain(role.variable(), Some(String::new()), twice);
            }
            all.push((bearer, secret));
        }
    }
    if !all.is_empty() && reader.text(Role::Admin.variable()).is_none() {
        let accepted = "a token that may declare and delete: with tokens of other roles alone nobody could";
        reader.complain(Role::Admin.variable(), None, accepted.to_owned());
    }
    Tokens::new(all)
}

fn keys(text: &str) -> Parsed<Keys> {
    let accepted = "whsec_ and base64 of 24 to 64 random bytes, such as \
                    `echo whsec_$(openssl rand -base64 32)` gives; or several, comma-separated";
    Keys::parse(text).ok_or_else(|| accepted.to_owned())
}

/// Neither is of use without the other.
fn webhook(reader: &mut Reader<'_>) -> Option<WebhookConfig> {
    const BOTH: [&str; 2] = ["DORMOUSE_WEBHOOK_URL", "DORMOUSE_WEBHOOK_SECRET"];
    if BOTH.iter().all(|variable| reader.text(variable).is_none()) {
        return None;
    }
    let url = reader.required(BOTH[0], parse::webhook_url);
    let keys = reader.required(BOTH[1], keys);
    Some(WebhookConfig { url: Secret::new(url?), keys: keys? })
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// `None` as soon as one value is missing, but only after all were looked at.
fn assemble(reader: &mut Reader<'_>) -> Option<ControllerConfig> {
    let installation = installation(reader);
    let table = reader.required("LAUNCH_LOCKS_TABLE_NAME", parse::name);
    let api_listen = reader.required("DORMOUSE_API_LISTEN", parse::listen);
    let activator_listen = reader.required("DORMOUSE_ACTIVATOR_LISTEN", parse::listen);
    let secret = reader.required("DORMOUSE_SECRET", secret);
    let tokens = all_tokens(reader);
    let webhook = webhook(reader);
    // What is wrong with them was told above.
    let trusted_proxies = reader
        .text("DORMOUSE_TRUSTED_PROXIES")
        .and_then(|text| parse::networks(&text).ok())
        .unwrap_or_default();
    let total = reader.required("DORMOUSE_MAX_HELD", |text| parse::number(text, 1..=100_000));
    let per_service =
        reader.required("DORMOUSE_MAX_HELD_PER_SERVICE", |text| parse::number(text, 1..=100_000));
    let manifests = reader.optional("DORMOUSE_MANIFESTS", parse::directory);
    let pages = reader.optional("DORMOUSE_PAGES", parse::directory);
    let policy = reader.optional("DORMOUSE_POLICY", parse::policy).unwrap_or(Policy::Enforce);
    let lease = reader.required("DORMOUSE_LEASE", |text| parse::duration(text, seconds(1)..=seconds(600)));
    let stop_timeout =
        reader.required("DORMOUSE_STOP_TIMEOUT", |text| parse::duration(text, seconds(6)..=seconds(3600)));
    let api_budget = reader.optional("DORMOUSE_API_BUDGET", parse::api_budget).unwrap_or(ApiBudget::Default);
    let filter = reader.required("DORMOUSE_LOG", parse::log_filter);
    let format = reader.optional("DORMOUSE_LOG_FORMAT", parse::log_format);
    Some(ControllerConfig {
        installation: installation?,
        table: table?,
        api_listen: api_listen?,
        activator_listen: activator_listen?,
        secret: secret?,
        tokens,
        webhook,
        trusted_proxies,
        held: Limits { per_service: count(per_service?), total: count(total?) },
        manifests,
        pages,
        policy,
        lease: lease?,
        stop_timeout: stop_timeout?,
        api_budget,
        log: Log { filter: filter?, format },
    })
}

fn installation(reader: &mut Reader<'_>) -> Option<Installation> {
    let domain = reader.required("DOMAIN", parse::domain);
    let zone = reader.required("HOSTED_ZONE_ID", parse::zone_id);
    let proxy_cluster = reader.required("PROXY_CLUSTER", parse::name);
    let service_cluster = reader.required("SERVICE_CLUSTER", parse::name);
    let group = reader.required("SERVICE_ASG_NAME", parse::name);
    let proxy_subnets = reader.required("PROXY_SUBNET_IDS", |text| parse::ids(text, "subnet-"));
    let service_subnets = reader.required("SERVICE_SUBNET_IDS", |text| parse::ids(text, "subnet-"));
    let security_groups = reader.required("SECURITY_GROUP_ID", |text| parse::ids(text, "sg-"));
    let max_tasks = reader.required("MAX_TASKS_PER_INSTANCE", |text| parse::number(text, 1..=1000));
    let headroom = reader.required("DORMOUSE_HEADROOM", |text| parse::number(text, 0..=1000));
    let architecture = reader.optional("DORMOUSE_ARCHITECTURE", parse::architecture);
    let proxy_image = reader.required("PROXY_IMAGE", parse::image);
    let sidecar_image = reader.required("SERVICE_SIDECAR_IMAGE", parse::image);
    let poll_fast = reader.required("DORMOUSE_POLL_FAST", |text| {
        parse::duration(text, Duration::from_millis(100)..=seconds(60))
    });
    let poll_slow =
        reader.required("DORMOUSE_POLL_SLOW", |text| parse::duration(text, seconds(1)..=seconds(3600)));
    let dns_ttl = reader.required("DORMOUSE_DNS_TTL", parse::ttl);
    let scale_in_delay = reader
        .required("DORMOUSE_SCALE_IN_DELAY", |text| parse::duration(text, seconds(0)..=seconds(86_400)));
    let drain_wait =
        reader.required("DORMOUSE_DRAIN_WAIT", |text| parse::duration(text, seconds(0)..=seconds(3600)));
    let execution_role = reader.optional("TASK_EXECUTION_ROLE_ARN", parse::role_arn);
    let log_group = reader.optional("DORMOUSE_LOG_GROUP", parse::log_group);
    // Source: Amazon ECS Developer Guide, "Using the awslogs log driver": Fargate writes under the execution role.
    if log_group.is_some() && execution_role.is_none() {
        let value = reader.text("DORMOUSE_LOG_GROUP");
        let accepted = "it together with TASK_EXECUTION_ROLE_ARN, under whose rights Fargate writes to it";
        reader.complain("DORMOUSE_LOG_GROUP", value, accepted.to_owned());
    }
    let private_zone = reader.optional("PRIVATE_HOSTED_ZONE_ID", parse::zone_id);
    let install = reader.optional("DORMOUSE_INSTALL_ID", parse::install_id);
    let controller_url = reader.optional("DORMOUSE_CONTROLLER_URL", parse::controller_url);
    let trusted_proxies = reader.optional("DORMOUSE_TRUSTED_PROXIES", parse::networks).unwrap_or_default();
    let public_ip = reader.optional("DORMOUSE_PUBLIC_IP", parse::public_ip).unwrap_or(PublicIp::Own);
    if let (Some(fast), Some(slow)) = (poll_fast, poll_slow)
        && slow < fast
    {
        let value = reader.text("DORMOUSE_POLL_SLOW");
        reader.complain("DORMOUSE_POLL_SLOW", value, "no less than DORMOUSE_POLL_FAST".to_owned());
    }
    Some(Installation {
        install,
        domain: domain?,
        zone: zone?,
        private_zone,
        proxy_cluster: proxy_cluster?,
        service_cluster: service_cluster?,
        group: group?,
        proxy_subnets: proxy_subnets?,
        service_subnets: service_subnets?,
        security_groups: security_groups?,
        proxy_image: proxy_image?,
        sidecar_image: sidecar_image?,
        execution_role,
        log_group,
        trusted_proxies: trusted_proxies.texts(),
        controller_url,
        public_ip,
        architecture,
        max_tasks_per_instance: max_tasks?,
        headroom: headroom?,
        dns_ttl: dns_ttl?,
        scale_in_delay: scale_in_delay?,
        drain_wait: drain_wait?,
        poll_fast: poll_fast?,
        poll_slow: poll_slow?,
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
