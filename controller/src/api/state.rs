//! What all calls share.

use crate::config::Secret;
use crate::doctor::Examine;
use crate::logs::LogReader;
use crate::metrics::Metrics;
use crate::pages::{Custom, Live};
use crate::passes::Passes;
use crate::plane::Plane;
use crate::rate::Rates;
use crate::tokens::Tokens;
use crate::trust::TrustedProxies;
use crate::waker::Waker;
use dormouse_core::cost::Tariff;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What the API is told at its start.
#[derive(Clone, Default)]
pub struct Options {
    /// The bearer tokens; none: nobody is asked for one.
    pub tokens: Tokens,
    /// Links and cookies that stand in for it at the activator.
    pub passes: Option<Arc<Passes>>,
    /// The proxies in front whose word counts.
    pub trusted: TrustedProxies,
    /// Pages of one's own.
    pub pages: Arc<Custom>,
    /// Whoever has numbers for `/metrics`.
    pub metrics: Vec<Arc<dyn Metrics>>,
    /// What services are reckoned by.
    pub tariff: Tariff,
    /// Who examines the installation.
    pub doctor: Option<Arc<dyn Examine>>,
    /// Who reads what containers wrote; none: they write nowhere.
    pub logs: Option<Arc<LogReader>>,
    /// What controllers of the installation prove themselves to each other with. Without it each answers for itself.
    pub secret: Option<Secret>,
    /// From here on waiting calls and event streams end.
    pub stop: CancellationToken,
}

#[derive(Clone)]
pub(super) struct Api {
    pub(super) plane: Arc<dyn Plane>,
    pub(super) waker: Waker,
    pub(super) tokens: Tokens,
    /// What the dashboard's calls prove themselves with.
    pub(super) proof: Arc<Secret>,
    /// Tries to log in.
    pub(super) logins: Arc<Mutex<Rates>>,
    pub(super) live: Live,
    pub(super) passes: Option<Arc<Passes>>,
    pub(super) trusted: TrustedProxies,
    pub(super) pages: Arc<Custom>,
    pub(super) metrics: Arc<[Arc<dyn Metrics>]>,
    pub(super) tariff: Arc<Tariff>,
    pub(super) doctor: Option<Arc<dyn Examine>>,
    pub(super) logs: Option<Arc<LogReader>>,
    pub(super) secret: Option<Secret>,
    pub(super) stop: CancellationToken,
}
