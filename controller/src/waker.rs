//! Asking for wakes: once a service, however many want it, and to the end, even when they leave.

use crate::metrics::{Metrics, Page};
use crate::plane::{Asked, Plane, PlaneError};
use crate::rate::Rates;
use crate::refusals::{Reason, Refusals};
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why a request does not wake a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The control plane said no.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// It was woken too often.
    #[error("{}", too_often(*.reason))]
    TooOften {
        /// By whom: one client, or all of them.
        reason: Reason,
        /// When it may again.
        retry_after: Duration,
    },
}

fn too_often(reason: Reason) -> &'static str {
    match reason {
        Reason::ServiceRate => "it was woken too often (spec.wake.serviceRateLimit)",
        _ => "it was woken from this address too often (spec.wake.rateLimit)",
    }
}

/// What a wake comes to.
pub type Waking = BoxFuture<'static, Result<(), Refused>>;

/// Asks the plane for wakes on behalf of requests.
#[derive(Clone)]
pub struct Waker {
    plane: Arc<dyn Plane>,
    state: Arc<Mutex<State>>,
    refusals: Arc<Refusals>,
}

#[derive(Default)]
struct State {
    asking: HashMap<String, Shared<Waking>>,
    rates: Rates,
}

impl Waker {
    /// A waker over a plane. One is to be shared by all listeners.
    pub fn new(plane: Arc<dyn Plane>) -> Waker {
        Waker { plane, state: Arc::default(), refusals: Arc::default() }
    }

    /// Sees to it that a service is wanted awake. What it returns need not be awaited for the wake to happen.
    pub fn wake(&self, view: &ServiceView, from: IpAddr, asked: Asked) -> Waking {
        let name = &view.metadata.name;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = state.asking.get(name) {
            return asking.clone().boxed();
        }
        // Under the lock: a wake that ended since the caller looked shows in what the plane says now.
        match self.plane.wakeable(name) {
            Some(now) if now.status.desired == Desired::Awake => return ready(Ok(())).boxed(),
            None => return ready(Err(PlaneError::NotFound(name.clone()).into())).boxed(),
            Some(_) => {}
        }
        // Only who begins a wake pays for it.
        if let Err(refused) = state.rates.admit(&self.account(name), from, &view.spec.wake) {
            drop(state);
            if let Refused::TooOften { reason, .. } = refused {
                self.refused(name, reason, &asked.reason);
            }
            return ready(Err(refused)).boxed();
        }
        let asking = self.ask(name.clone(), asked).boxed().shared();
        state.asking.insert(name.clone(), asking.clone());
        drop(state);
        // What is known at once is told at once, even to those who will not wait.
        if let Some(known) = asking.clone().now_or_never() {
            return ready(known).boxed();
        }
        // A task of its own, so that the wake does not end with the request that began it.
        tokio::spawn(asking.clone());
        asking.boxed()
    }

    /// A request did not wake its service: counted, and told in the service's history at most once a minute.
    pub fn refused(&self, name: &str, reason: Reason, request: &str) {
        let name = &*self.account(name);
        let Some(untold) = self.refusals.count(name, reason) else { return };
        let more = match untold {
            0 => Cow::Borrowed(""),
            untold => format!("; {untold} more since the last such event").into(),
        };
        let message = format!("a request did not wake it ({}): {request}{more}", reason.word());
        tracing::info!(service = name, reason = reason.word(), "{message}");
        self.plane.note(name, "Refused", message);
    }

    /// On whose account a wake goes: whoever thinks of a new name each time has all services of a template made on one.
    fn account<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let is_there = self.plane.service(name).is_some();
        let prospect = if is_there { None } else { self.plane.prospect(name) };
        match prospect.and_then(|view| view.status.made_from.clone()) {
            Some(from) => format!("template/{}", from.template).into(),
            None => name.into(),
        }
    }

    fn ask(&self, name: String, asked: Asked) -> impl Future<Output = Result<(), Refused>> + Send + 'static {
        let waker = self.clone();
        async move {
            let request = asked.reason.clone();
            let woken = waker.plane.wake_by_request(&name, asked).await;
            match &woken {
                Ok(_) => {}
                Err(PlaneError::Spent { .. }) => waker.refused(&name, Reason::DailyBudget, &request),
                Err(PlaneError::Full(_)) => waker.refused(&name, Reason::TemplateFull, &request),
                Err(error) => tracing::warn!(service = name, %error, "cannot be woken"),
            }
            waker.state.lock().unwrap_or_else(PoisonError::into_inner).asking.remove(&name);
            woken.map(|_| ()).map_err(Refused::from)
        }
    }
}

impl Metrics for Waker {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        self.refusals.write(page)
    }
}
