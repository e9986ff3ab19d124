//! Where searches begin: what has happened, and what may still happen.

use crate::moves::Move;
use crate::start::asleep;
use crate::world::{Left, World};
use dormouse_peer::wire::Role;
use dormouse_state::Phase;

/// Makes the world that a search begins with.
type Start = fn() -> World;

/// Every scenario by its name.
pub const SCENARIOS: &[(&str, Start)] = &[
    ("a wake", || waking(Left { leads: 1, ..Left::NOTHING })),
    ("a wake, an answer is lost", || waking(Left { leads: 1, losses: 1, ..Left::NOTHING })),
    ("a wake, one crashes", || waking(Left { leads: 2, crashes: 1, ..Left::NOTHING })),
    ("a wake that is taken back", || waking(Left { leads: 1, sleeps: 1, passes: 1, ..Left::NOTHING })),
    ("a wake, tasks show late", || unlisted(Left { leads: 1, ..Left::NOTHING })),
    ("a takeover in the middle of a wake", taken_over),
    ("a sleep", || drowsy(Left { leads: 1, passes: 1, ..Left::NOTHING })),
    ("a sleep, a request comes", || drowsy(Left { leads: 1, requests: 1, ..Left::NOTHING })),
    ("a sleep, the record is gone", forgotten),
    ("a wake while it drains", || drowsy(Left { leads: 1, wakes: 1, ..Left::NOTHING })),
    ("the proxy dies", || bereft(Role::Proxy, Left { leads: 1, ..Left::NOTHING })),
    ("the service dies", || bereft(Role::Service, Left { leads: 1, ..Left::NOTHING })),
];

/// Woken, and A has read it; B may take the lease.
fn waking(left: Left) -> World {
    let mut world = asleep();
    world.left.wakes = 1;
    world.go(Move::Wake).reads(0);
    World { left, ..world }
}

/// The same, and ECS does not list what it has just made.
fn unlisted(left: Left) -> World {
    let mut world = waking(left);
    world.cloud.change(|cloud| cloud.shows_at_once = false);
    world
}

/// A has intended the pair and called for neither task when B, which has read that, takes the lease.
fn taken_over() -> World {
    let mut world = waking(Left { leads: 1, ..Left::NOTHING });
    world.go(Move::Plan(0)).reads(1);
    world.go(Move::Lead(1));
    World { left: Left { sleeps: 1, ..Left::NOTHING }, ..world }
}

/// Ready, published, and both know it.
fn awake() -> World {
    let mut world = asleep();
    world.left.wakes = 1;
    world.go(Move::Wake).until(Phase::Awake);
    world
}

/// Put to sleep a moment ago; both know it.
fn drowsy(left: Left) -> World {
    let mut world = awake();
    world.left.sleeps = 1;
    world.go(Move::Sleep).reads(0);
    world.reads(1);
    World { left, ..world }
}

/// On the way to sleep, its record is gone, resolvers are to forget it, and a request came before that.
fn forgotten() -> World {
    let mut world = awake();
    (world.left.requests, world.left.sleeps) = (1, 1);
    world.go(Move::Request).go(Move::Sleep).reads(0);
    world.works();
    world.reads(0);
    world.reads(1);
    World { left: Left { leads: 1, wakes: 1, passes: 1, ..Left::NOTHING }, ..world }
}

/// Awake, and one half has just died; both know it.
fn bereft(role: Role, left: Left) -> World {
    let mut world = awake();
    world.left.deaths = 1;
    let arn = world.row.record.pair.as_ref().unwrap().task(role).task_arn.clone().unwrap();
    world.go(Move::Dies(arn)).reads(0);
    world.reads(1);
    World { left, ..world }
}
