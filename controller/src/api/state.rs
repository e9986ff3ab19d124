//! What all calls share.

use crate::config::Secret;
use crate::metrics::Metrics;
use crate::plane::Plane;
use crate::waker::Waker;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the API is told at its start.
#[derive(Clone, Default)]
pub struct Options {
    /// The bearer token, when one is asked for.
    pub token: Option<Secret>,
    /// Whoever has numbers for `/metrics`.
    pub metrics: Vec<Arc<dyn Metrics>>,
    /// From here on waiting calls and event streams end.
    pub stop: CancellationToken,
}

#[derive(Clone)]
pub(super) struct Api {
    pub(super) plane: Arc<dyn Plane>,
    pub(super) waker: Waker,
    pub(super) token: Option<Secret>,
    pub(super) metrics: Arc<[Arc<dyn Metrics>]>,
    pub(super) stop: CancellationToken,
}
