//! What wakes a service, and what a caller sees meanwhile.

use crate::duration;
use crate::patterns;
use crate::rate::RateLimit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What wakes the service, and what a caller sees meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Wake {
    /// How long a request is held while waking; `0s` answers at once.
    #[serde(with = "duration::text")]
    #[schemars(with = "duration::DurationText")]
    pub hold: Duration,
    /// Browsers get the waiting page.
    pub page: bool,
    /// Who may wake it.
    pub access: Access,
    /// Requests that do not wake it.
    pub ignore: Ignore,
    /// Wakes per client address; `none` lifts the limit.
    #[serde(with = "crate::rate::optional")]
    #[schemars(with = "crate::rate::RateLimitText")]
    pub rate_limit: Option<RateLimit>,
    /// Wakes by all clients together; `none` lifts the limit.
    #[serde(with = "crate::rate::optional")]
    #[schemars(with = "crate::rate::RateLimitText")]
    pub service_rate_limit: Option<RateLimit>,
    /// Wakes by requests within one day, as UTC counts days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1000000))]
    pub daily_budget: Option<u32>,
    /// How its waiting page looks.
    #[serde(skip_serializing_if = "Theme::is_plain")]
    pub theme: Theme,
}

impl Default for Wake {
    fn default() -> Wake {
        Wake {
            hold: Duration::from_secs(60),
            page: true,
            access: Access::Public,
            ignore: Ignore::default(),
            rate_limit: Some(RateLimit::DEFAULT),
            service_rate_limit: None,
            daily_budget: None,
            theme: Theme::default(),
        }
    }
}

/// How a service's waiting page looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Theme {
    /// What it calls the service, in place of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 80))]
    pub title: Option<String>,
    /// Colour of what is to be noticed: `#rgb` or `#rrggbb`. It is made lighter where it is dark.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "patterns::Colour")]
    pub accent: Option<String>,
    /// The page `<page>.html` of the controller's directory of pages, in place of the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "patterns::PageName")]
    pub page: Option<String>,
}

impl Theme {
    /// Whether it says nothing.
    pub fn is_plain(&self) -> bool {
        *self == Theme::default()
    }
}

/// Who may wake a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anybody who can reach it.
    #[default]
    Public,
    /// Callers with a token.
    Token,
}

/// Requests that are answered without waking the service.
// All lists are written even when empty: an empty list of paths is not the default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ignore {
    /// Path patterns: `*` is any text, `?` one character; the case matters.
    #[schemars(with = "Vec<patterns::PathGlob>")]
    pub paths: Vec<String>,
    /// HTTP methods, such as `HEAD` or `OPTIONS`; the case matters.
    #[schemars(with = "Vec<patterns::Method>")]
    pub methods: Vec<String>,
    /// User-agent patterns: the same, the case does not matter.
    #[schemars(with = "Vec<patterns::Glob>")]
    pub user_agents: Vec<String>,
}

impl Default for Ignore {
    fn default() -> Ignore {
        Ignore {
            paths: vec!["/favicon.ico".to_owned(), "/robots.txt".to_owned()],
            methods: Vec::new(),
            user_agents: Vec::new(),
        }
    }
}
