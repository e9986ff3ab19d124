//! No traces.

use crate::plane::Plane;
use dormouse_core::view::ServiceView;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// Where traces begin.
#[derive(Debug, Clone, Default)]
pub struct Traces(());

impl Traces {
    /// The trace of a request that waits for a service.
    pub fn begin(&self, _: &Arc<dyn Plane>, _: &ServiceView, _: &Parts) -> Trace {
        Trace(())
    }
}

/// The trace of one request.
#[derive(Debug, Default)]
pub struct Trace(());

impl Trace {
    /// The wake that it was to begin was refused.
    pub fn not_woken(&mut self, _: &str) {}

    /// It is sent to its service from here on, with these headers.
    pub fn forward(&mut self, _: &mut HeaderMap) {}

    /// It is answered.
    pub fn answered(&mut self, _: StatusCode) {}
}
