//! Asking for wakes: once a service, however many want it, and to the end, even when they leave.

use crate::plane::{Asked, Plane, PlaneError};
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Asking = Shared<BoxFuture<'static, Result<(), PlaneError>>>;

/// Asks the plane for wakes on behalf of requests.
#[derive(Clone)]
pub struct Waker {
    plane: Arc<dyn Plane>,
    asking: Arc<Mutex<HashMap<String, Asking>>>,
}

impl Waker {
    /// A waker over a plane. One is enough for all listeners.
    pub fn new(plane: Arc<dyn Plane>) -> Waker {
        Waker { plane, asking: Arc::default() }
    }

    /// Sees to it that a service is wanted awake. What it returns need not be awaited for the wake to happen.
    pub fn wake(&self, view: &ServiceView, asked: Asked) -> BoxFuture<'static, Result<(), PlaneError>> {
        let name = &view.metadata.name;
        let mut under_way = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = under_way.get(name) {
            return asking.clone().boxed();
        }
        // Under the lock: a wake that ended since the caller looked shows in what the plane says now.
        match self.plane.service(name) {
            Some(now) if now.status.desired == Desired::Awake => {
                return futures::future::ready(Ok(())).boxed();
            }
            None => return futures::future::ready(Err(PlaneError::NotFound(name.clone()))).boxed(),
            Some(_) => {}
        }
        let asking = self.ask(name.clone(), asked).boxed().shared();
        under_way.insert(name.clone(), asking.clone());
        drop(under_way);
        // A task of its own, so that the wake does not end with the request that began it.
        tokio::spawn(asking.clone());
        asking.boxed()
    }

    fn ask(
        &self,
        name: String,
        asked: Asked,
    ) -> impl Future<Output = Result<(), PlaneError>> + Send + 'static {
        let waker = self.clone();
        async move {
            let woken = waker.plane.wake(&name, asked, None).await;
            if let Err(error) = &woken {
                tracing::warn!(service = name, %error, "cannot be woken");
            }
            waker.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            woken.map(|_| ())
        }
    }
}
