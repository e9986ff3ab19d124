//! The scenarios on the simulated AWS, in its own time.

use crate::{Bench, scenarios};
use dormouse_core::settings::Settings;
use dormouse_sim::check::Audit;
use dormouse_sim::ports::Port;
use dormouse_sim::profile::{Ms, Profile};
use dormouse_sim::queue::Queue;
use dormouse_sim::rng::Rng;
use dormouse_sim::sim::{Sim, World};
use dormouse_sim::trace::Trace;
use dormouse_sim::truth::Truth;
use std::time::Duration;
use tokio::time::sleep_until;

/// A world on a good day, without controllers.
fn world(settings: &Settings) -> World {
    let mut truth = Truth::default();
    truth.fleet.max = 10;
    World::new(Sim {
        now: 0,
        rng: Rng::new(7),
        profile: Profile::CALM,
        calm: false,
        truth,
        queue: Queue::default(),
        trace: Trace::new(false),
        audit: Audit::new(0, 0),
        settings: settings.clone(),
        strokes: None,
        read: None,
        backward: false,
    })
}

/// Lets everything happen when it is due.
async fn goes_on(world: World) {
    loop {
        let due = {
            let mut sim = world.sim();
            let now = sim.now;
            while let Some(event) = sim.queue.take(now) {
                sim.happen(event);
            }
            sim.queue.due().unwrap_or(now + Ms::from(u32::MAX))
        };
        tokio::select! {
            () = world.planned.notified() => {}
            () = sleep_until(world.instant(due)) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_the_simulated_aws() {
    let settings = Settings::example();
    let world = world(&settings);
    let going = tokio::spawn(goes_on(world.clone()));
    let bench = Bench {
        cloud: Port { world, controller: 0 }.cloud(),
        proxy_cluster: settings.proxy_cluster,
        service_cluster: settings.service_cluster,
        group: settings.group,
        zone: settings.zone,
        domain: settings.domain,
        subnet: "subnet".into(),
        security_group: "group".into(),
        install: "conformance".into(),
        patience: Duration::from_secs(600),
        number: Default::default(),
    };
    scenarios::all(&bench).await;
    going.abort();
}
