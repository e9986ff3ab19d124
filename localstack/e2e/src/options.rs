//! What a test's world is like.

use serde_json::{Value, json};
use std::time::Duration;

/// The world, and the controllers that start in it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fields of the seed in place of the usual ones.
    pub seed: Value,
    /// More options of the local AWS.
    pub local: Vec<String>,
    /// More variables of the controllers.
    pub controller: Vec<(String, String)>,
    /// More variables of the proxies.
    pub proxy: Vec<(String, String)>,
    /// Health commands of containers do nothing.
    pub no_health_commands: bool,
    /// What a controller's log may complain about, as a part of the line.
    pub expected_errors: Vec<String>,
    /// The CloudFormation template makes the world, in place of the seed.
    pub stack: bool,
    /// Instances may be terminated while busy, because the test kills them.
    pub instances_fail: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: json!({}),
            local: Vec::new(),
            controller: Vec::new(),
            proxy: Vec::new(),
            no_health_commands: false,
            expected_errors: Vec::new(),
            stack: false,
            instances_fail: false,
        }
    }
}

impl Options {
    /// With a field of the seed.
    #[must_use]
    pub fn seed(mut self, field: &str, value: Value) -> Options {
        self.seed[field] = value;
        self
    }

    /// With another group of instances.
    #[must_use]
    pub fn group(self, min: u32, max: u32, desired: u32) -> Options {
        self.seed("asg", json!({"min": min, "max": max, "desired": desired}))
    }

    /// With a world that the CloudFormation template makes.
    #[must_use]
    pub fn stack(mut self) -> Options {
        self.stack = true;
        self.seed("empty", json!(true))
    }

    /// With an option of the local AWS, such as `--eni-limit=1`.
    #[must_use]
    pub fn local(mut self, option: &str) -> Options {
        self.local.push(option.to_owned());
        self
    }

    /// With a controller's variable.
    #[must_use]
    pub fn controller(mut self, name: &str, value: &str) -> Options {
        self.controller.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a proxy's variable.
    #[must_use]
    pub fn proxy(mut self, name: &str, value: &str) -> Options {
        self.proxy.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line with this in a controller's log is no failure.
    #[must_use]
    pub fn expect_error(mut self, part: &str) -> Options {
        self.expected_errors.push(part.to_owned());
        self
    }
}

/// Delays of the local AWS: short, and none of them zero.
pub const DELAYS: &[(&str, Duration)] = &[
    ("provision-delay", Duration::from_millis(50)),
    ("pull-delay", Duration::from_millis(50)),
    ("deprovision-delay", Duration::from_millis(50)),
    ("launch-delay", Duration::from_millis(100)),
    ("boot-delay", Duration::from_millis(500)),
    ("terminate-grace", Duration::from_millis(1000)),
    ("dns-sync-delay", Duration::from_millis(200)),
    ("capacity-retry", Duration::from_millis(500)),
];

/// Settings of the controllers: everything that waits, waits briefly.
pub const SETTINGS: &[(&str, &str)] = &[
    ("PROXY_IMAGE", "dormouse-proxy:e2e"),
    ("SERVICE_SIDECAR_IMAGE", "dormouse-service:e2e"),
    ("DORMOUSE_SECRET", "a secret of the end-to-end tests, 32 bytes or more"),
    ("DORMOUSE_INSTALL_ID", "e2e"),
    ("DORMOUSE_LEASE", "3s"),
    ("DORMOUSE_POLL_FAST", "200ms"),
    ("DORMOUSE_POLL_SLOW", "2s"),
    ("DORMOUSE_DNS_TTL", "1s"),
    ("DORMOUSE_SCALE_IN_DELAY", "2s"),
    ("DORMOUSE_DRAIN_WAIT", "1s"),
    ("DORMOUSE_LOG", "info"),
    ("DORMOUSE_LOG_FORMAT", "json"),
];
