//! Clients: they look a name up, go where it leads, and get one answer.

use crate::check;
use crate::process::Process;
use crate::profile::{Ms, SECOND};
use crate::sim::World;
use crate::truth::requests::Request;
use dormouse::plane::{Asked, Plane as _, PlaneError};
use dormouse_core::naming;
use dormouse_manifests::{Service, ServiceTemplate};
use dormouse_peer::wire::Role;
use dormouse_state::Desired;
use std::time::Duration;
use tokio::time::sleep;

/// A held request looks again for its service after this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Resolvers that clients share.
const RESOLVERS: u64 = 3;

/// Declares a service until that is done.
pub fn declare(_world: &World, process: &Process, manifest: Service) {
    let plane = process.plane.clone();
    process.spawn(async move {
        while let Err(PlaneError::Unavailable(_) | PlaneError::Conflict(_)) =
            plane.declare(manifest.clone()).await
        {
            sleep(Duration::from_secs(1)).await;
        }
    });
}

/// Declares a template until that is done.
pub fn declare_template(process: &Process, manifest: ServiceTemplate) {
    let plane = process.plane.clone();
    process.spawn(async move {
        while let Err(PlaneError::Unavailable(_) | PlaneError::Conflict(_)) =
            plane.declare_template(manifest.clone()).await
        {
            sleep(Duration::from_secs(1)).await;
        }
    });
}

/// Asks a service once. `front`: the controller that answers at the activator's address.
pub fn ask(world: &World, front: Option<&Process>, service: usize, takes: Ms) {
    let name = crate::script::name_of(service);
    let address = {
        let mut sim = world.sim();
        let resolver = sim.rng.below(RESOLVERS);
        let host = naming::record_name(&name, &sim.settings.domain.clone());
        sim.resolve(resolver, &host)
    };
    let Some(address) = address else {
        world.sim().audit.answers.unreachable += 1;
        return;
    };
    if address == world.sim().truth.activator {
        match front {
            Some(process) => at_activator(world, process, name, takes),
            None => world.sim().audit.answers.unreachable += 1,
        }
    } else {
        at_proxy(world, &name, &address, takes);
    }
}

/// A request that comes to a proxy's address.
fn at_proxy(world: &World, name: &str, address: &str, takes: Ms) {
    let mut sim = world.sim();
    let sim = &mut *sim;
    let owner = sim.truth.network.public.get(address).cloned();
    let proxy = owner.filter(|arn| {
        sim.truth.tasks.get(arn).is_some_and(|task| task.runs() && task.service() == Some(name))
    });
    let Some(proxy) = proxy else { return check::unreachable(sim, name, address) };
    let answers = sim.service_of(&proxy);
    let sent = answers.is_some();
    let request = Request {
        service: name.to_owned(),
        proxy: Some(proxy),
        activator: None,
        answers,
        since: sim.now,
        takes: if sent { takes } else { 1 },
    };
    let id = sim.accept(request);
    if !sent {
        // The service does not answer: a 503 at once.
        sim.refuse(id);
    }
}

/// A request that comes to the activator: held until the service answers, or until its time is up.
fn at_activator(world: &World, process: &Process, name: String, takes: Ms) {
    let plane = process.plane.clone();
    let world = world.clone();
    let Some(view) = plane.wakeable(&name) else {
        world.sim().audit.answers.refused += 1;
        return;
    };
    let in_use = plane.in_use(&name);
    let id = {
        let mut sim = world.sim();
        let request = Request {
            service: name.clone(),
            proxy: None,
            activator: Some(process.controller),
            answers: None,
            since: sim.now,
            takes,
        };
        sim.accept(request)
    };
    process.spawn(async move {
        if view.status.desired == Desired::Asleep {
            let asked = Asked { origin: "request", reason: "GET /".to_owned() };
            if plane.wake(&name, asked, None).await.is_err() {
                world.sim().refuse(id);
                return;
            }
        }
        let backend = plane.backend(&name);
        let until = world.now() + Ms::try_from(view.spec.wake.hold.as_millis()).unwrap_or(60 * SECOND);
        loop {
            let address = *backend.borrow();
            if let Some(address) = address {
                let mut sim = world.sim();
                let owner = sim.truth.network.private.get(&address.ip().to_string()).cloned();
                let task = owner.and_then(|arn| sim.truth.tasks.get(&arn)).filter(|task| task.runs());
                if let Some(task) = task {
                    let (arn, role, service, answers) = (
                        task.seen.arn.clone(),
                        task.role(),
                        task.service().map(str::to_owned),
                        task.sidecar.answers_at <= sim.now,
                    );
                    if role == Some(Role::Service) && service.as_deref() != Some(&name) {
                        sim.trace.remark(0, format_args!("a request of {name} is led to {arn}"));
                    } else if role == Some(Role::Service) && answers {
                        sim.send(id, &arn);
                        drop(sim);
                        world.planned.notify_one();
                        break;
                    }
                }
            }
            if world.now() >= until {
                world.sim().refuse(id);
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
        // The service counts as in use until it has answered.
        while world.sim().truth.requests.contains_key(&id) {
            sleep(LOOK_AGAIN).await;
        }
        drop(in_use);
    });
}

impl crate::sim::Sim {
    /// The service task that a proxy forwards to, when that answers.
    fn service_of(&self, proxy: &str) -> Option<String> {
        let peer = self.truth.tasks.get(proxy)?.sidecar.peer()?;
        let arn = self.truth.network.private.get(peer)?;
        let task = self.truth.tasks.get(arn)?;
        let own = self.truth.tasks.get(proxy)?.service();
        (task.runs()
            && task.role() == Some(Role::Service)
            && task.service() == own
            && task.sidecar.answers_at <= self.now)
            .then(|| arn.clone())
    }
}
