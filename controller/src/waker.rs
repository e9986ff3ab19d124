//! Asking for wakes: once a service, however many want it, and to the end, even when they leave.

use crate::plane::{Asked, Plane, PlaneError};
use crate::rate::Rates;
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why a request does not wake a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The control plane said no.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// This client woke it too often (`spec.wake.rateLimit`).
    #[error("it was woken from this address too often (spec.wake.rateLimit)")]
    TooOften {
        /// When it may again.
        retry_after: Duration,
    },
}

/// What a wake comes to.
pub type Waking = BoxFuture<'static, Result<(), Refused>>;

/// Asks the plane for wakes on behalf of requests.
#[derive(Clone)]
pub struct Waker {
    plane: Arc<dyn Plane>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asking: HashMap<String, Shared<Waking>>,
    rates: Rates,
}

impl Waker {
    /// A waker over a plane. One is to be shared by all listeners.
    pub fn new(plane: Arc<dyn Plane>) -> Waker {
        Waker { plane, state: Arc::default() }
    }

    /// Sees to it that a service is wanted awake. What it returns need not be awaited for the wake to happen.
    pub fn wake(&self, view: &ServiceView, from: IpAddr, asked: Asked) -> Waking {
        let name = &view.metadata.name;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = state.asking.get(name) {
            return asking.clone().boxed();
        }
        // Under the lock: a wake that ended since the caller looked shows in what the plane says now.
        match self.plane.service(name) {
            Some(now) if now.status.desired == Desired::Awake => return ready(Ok(())).boxed(),
            None => return ready(Err(PlaneError::NotFound(name.clone()).into())).boxed(),
            Some(_) => {}
        }
        // Only who begins a wake pays for it.
        if let Some(rate) = view.spec.wake.rate_limit
            && let Err(retry_after) = state.rates.take(name, from, rate)
        {
            return ready(Err(Refused::TooOften { retry_after })).boxed();
        }
        let asking = self.ask(name.clone(), asked).boxed().shared();
        state.asking.insert(name.clone(), asking.clone());
        drop(state);
        // A task of its own, so that the wake does not end with the request that began it.
        tokio::spawn(asking.clone());
        asking.boxed()
    }

    fn ask(&self, name: String, asked: Asked) -> impl Future<Output = Result<(), Refused>> + Send + 'static {
        let waker = self.clone();
        async move {
            let woken = waker.plane.wake(&name, asked, None).await;
            if let Err(error) = &woken {
                tracing::warn!(service = name, %error, "cannot be woken");
            }
            waker.state.lock().unwrap_or_else(PoisonError::into_inner).asking.remove(&name);
            woken.map(|_| ()).map_err(Refused::from)
        }
    }
}
