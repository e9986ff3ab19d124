//! The names of all fields, by the mapping that they stand in.

/// A mapping with known fields.
pub(crate) struct Section {
    /// Where it is, such as `spec.wake`; empty for the document itself.
    pub(crate) path: &'static str,
    pub(crate) fields: &'static [&'static str],
}

impl Section {
    /// How messages name it.
    pub(crate) fn title(&self) -> String {
        if self.path.is_empty() { "the document".to_owned() } else { format!("`{}`", self.path) }
    }
}

pub(crate) const DOCUMENT: Section =
    Section { path: "", fields: &["apiVersion", "kind", "metadata", "spec"] };

pub(crate) const METADATA: Section = Section { path: "metadata", fields: &["name", "labels"] };

pub(crate) const SPEC: Section = Section {
    path: "spec",
    fields: &[
        "image",
        "taskDefinition",
        "container",
        "command",
        "entryPoint",
        "port",
        "protocol",
        "cpu",
        "memory",
        "env",
        "secrets",
        "taskRoleArn",
        "health",
        "idleAfter",
        "websocketIdle",
        "busyPath",
        "maxAwake",
        "drain",
        "wake",
        "awake",
        "architecture",
        "fallback",
        "dependsOn",
        "rolloutCheck",
        "proxy",
    ],
};

pub(crate) const TEMPLATE: Section =
    Section { path: "spec", fields: &["match", "max", "expireAfter", "template"] };

pub(crate) const HEALTH: Section =
    Section { path: "spec.health", fields: &["path", "interval", "timeout", "failures", "gracePeriod"] };

pub(crate) const WAKE: Section = Section {
    path: "spec.wake",
    fields: &["hold", "page", "access", "ignore", "rateLimit", "serviceRateLimit", "dailyBudget", "theme"],
};

pub(crate) const THEME: Section = Section { path: "spec.wake.theme", fields: &["title", "accent", "page"] };

pub(crate) const IGNORE: Section =
    Section { path: "spec.wake.ignore", fields: &["paths", "methods", "userAgents"] };

pub(crate) const AWAKE: Section =
    Section { path: "spec.awake[]", fields: &["days", "from", "to", "timezone"] };

pub(crate) const PROXY: Section = Section {
    path: "spec.proxy",
    fields: &["cpu", "memory", "spot", "timeouts", "accessLog", "proxyProtocol"],
};

pub(crate) const TIMEOUTS: Section =
    Section { path: "spec.proxy.timeouts", fields: &["connect", "header", "body", "response", "idle"] };

/// Where a field belongs that stands in the wrong mapping.
pub(crate) fn home_of(field: &str) -> Option<&'static Section> {
    const ALL: [&Section; 10] =
        [&DOCUMENT, &METADATA, &SPEC, &HEALTH, &WAKE, &THEME, &IGNORE, &AWAKE, &PROXY, &TIMEOUTS];
    ALL.into_iter().find(|section| section.fields.contains(&field))
}
