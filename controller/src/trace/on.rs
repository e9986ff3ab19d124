//! The spans of requests.

use super::wake;
use crate::plane::Plane;
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Where traces begin. The default traces nothing.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    tracer: Option<SdkTracer>,
    wakes: Wakes,
}

/// Wakes that are under way, by service.
#[derive(Debug, Clone, Default)]
pub(super) struct Wakes(Arc<Mutex<BTreeMap<String, SpanContext>>>);

impl Wakes {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SpanContext>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traces {
    /// Traces by a provider.
    pub fn to(provider: &SdkTracerProvider) -> Traces {
        Traces { tracer: Some(provider.tracer("dormouse")), wakes: Wakes::default() }
    }

    /// The trace of a request that waits for a service.
    pub fn begin(&self, plane: &Arc<dyn Plane>, view: &ServiceView, parts: &Parts) -> Trace {
        let Some(tracer) = &self.tracer else { return Trace(None) };
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(&parts.headers));
        let request =
            SpanBuilder::from_name(parts.method.to_string()).with_kind(SpanKind::Server).with_attributes([
                KeyValue::new("http.request.method", parts.method.to_string()),
                KeyValue::new("url.path", parts.uri.path().to_owned()),
                KeyValue::new("dormouse.service", view.metadata.name.clone()),
            ]);
        let request = caller.with_span(tracer.build_with_context(request, &caller));
        let refuse = self.wake(tracer, plane, view, &request);
        let hold = request.with_span(tracer.build_with_context(SpanBuilder::from_name("hold"), &request));
        Trace(Some(Open { tracer: tracer.clone(), request, step: hold, refuse }))
    }

    /// Joins the wake that is under way, or begins it; answers how to end one that was begun here and refused.
    fn wake(
        &self,
        tracer: &SdkTracer,
        plane: &Arc<dyn Plane>,
        view: &ServiceView,
        request: &Context,
    ) -> Option<oneshot::Sender<String>> {
        let name = &view.metadata.name;
        let mut wakes = self.wakes.lock();
        if let Some(wake) = wakes.get(name) {
            request.span().add_link(wake.clone(), Vec::new());
            return None;
        }
        let mut span =
            SpanBuilder::from_name("wake").with_attributes([KeyValue::new("dormouse.service", name.clone())]);
        // One that somebody else has asked for is no part of this request.
        let is_begun = view.status.desired == Desired::Awake;
        let parent = if is_begun { Context::new() } else { request.clone() };
        if let Some(woken) = view.status.last_wake.as_ref().filter(|_| is_begun) {
            span = span.with_start_time(wake::time(woken.at));
        }
        let wake = parent.with_span(tracer.build_with_context(span, &parent));
        let context = wake.span().span_context().clone();
        if is_begun {
            request.span().add_link(context.clone(), Vec::new());
        }
        wakes.insert(name.clone(), context);
        let (refuse, refused) = oneshot::channel();
        let follow = wake::Follow::new(plane, view, wake, tracer.clone(), self.wakes.clone());
        tokio::spawn(follow.until_it_is_over(refused));
        (!is_begun).then_some(refuse)
    }
}

/// The trace of one request.
#[derive(Debug, Default)]
pub struct Trace(Option<Open>);

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    request: Context,
    /// What it does right now: it is held, or forwarded.
    step: Context,
    refuse: Option<oneshot::Sender<String>>,
}

impl Trace {
    /// The wake that it was to begin was refused.
    pub fn not_woken(&mut self, why: &str) {
        if let Some(refuse) = self.0.as_mut().and_then(|open| open.refuse.take()) {
            // Whoever follows the wake may have seen its end already.
            let _ = refuse.send(why.to_owned());
        }
    }

    /// It is sent to its service from here on, with these headers.
    pub fn forward(&mut self, headers: &mut HeaderMap) {
        let Some(open) = &mut self.0 else { return };
        open.step.span().end();
        let forward = SpanBuilder::from_name("forward").with_kind(SpanKind::Client);
        open.step = open.request.with_span(open.tracer.build_with_context(forward, &open.request));
        TraceContextPropagator::new().inject_context(&open.step, &mut HeaderInjector(headers));
    }

    /// It is answered.
    pub fn answered(&mut self, status: StatusCode) {
        let Some(open) = self.0.take() else { return };
        open.step.span().end();
        let span = open.request.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            open.step.span().end();
            open.request.span().set_status(Status::error("the caller left"));
            open.request.span().end();
        }
    }
}
