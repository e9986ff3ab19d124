//! A service that falls asleep and is woken again and again, under load that comes in bursts.
//!
//! A burst ends, the service idles, and the next burst meets it at whatever moment of its way down. Now and then an
//! operator puts it to sleep in the middle of one.

use crate::controller::Controller;
use crate::load::{Load, Outcome};
use crate::manifest::Manifest;
use crate::world::World;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Clients; each sends a request and pauses, which makes 50 requests a second together.
const CLIENTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// Milliseconds of a burst, and of the pause after it. The service idles after one second, and its proxy is stopped some
/// three seconds later: the pauses end before, while and after it goes.
const BURSTS: &[(u64, u64)] = &[
    (1500, 1200),
    (2500, 4200),
    (1000, 3300),
    (3000, 6000),
    (1500, 2200),
    (2000, 3700),
    (500, 4700),
    (2500, 8000),
    (1000, 4000),
];
/// Each so-many-th burst is put to sleep in its middle.
const OPERATOR: usize = 3;

/// What came of it.
#[derive(Debug)]
pub struct Flapped {
    /// Every request.
    pub outcomes: Vec<Outcome>,
    /// How often it was woken.
    pub wakes: u64,
    /// How often an operator put it to sleep.
    pub slept: u64,
}

/// Declares `flap` and keeps it flapping for this long.
///
/// # Panics
/// When the controller does not do as it is told.
#[track_caller]
pub fn flap(world: &World, controller: &Controller, during: Duration) -> Flapped {
    controller.declare(&Manifest::app("flap").idle_after("1s").drain("3s"));
    controller.wake("flap");
    let begin = Instant::now();
    let load = Load::start(world, "flap", CLIENTS, PAUSE);
    let mut slept = 0;
    for (number, (burst, pause)) in BURSTS.iter().cycle().enumerate() {
        if begin.elapsed() >= during {
            break;
        }
        load.quiet(false);
        sleep(Duration::from_millis(burst / 2));
        if number % OPERATOR == OPERATOR - 1 {
            controller.api.sleep("flap");
            slept += 1;
        }
        sleep(Duration::from_millis(burst / 2));
        load.quiet(true);
        sleep(Duration::from_millis(*pause));
    }
    load.quiet(false);
    let outcomes = load.stop();
    let wakes = controller.api.service("flap").epoch();
    Flapped { outcomes, wakes, slept }
}
