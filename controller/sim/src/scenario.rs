//! Named scenarios without random faults: in each everything that can go wrong once is tried
//! ([`systematic`](crate::systematic)).

use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::script::{Act, Aws, MADE, Other, Script};
use dormouse_peer::wire::Role;

/// Every scenario by name.
pub const NAMES: [&str; 55] = [
    "wake-cold",
    "wake-warm",
    "wake-by-request",
    "wake-with-dependency",
    "dependency-without-use",
    "wake-full-group",
    "wake-two-at-once",
    "wake-unanswered",
    "wake-at-a-standby",
    "use-at-a-standby",
    "sleep-idle",
    "sleep-by-container",
    "request-during-rest",
    "request-to-a-resting-proxy",
    "delete",
    "delete-while-waking",
    "redeclare-while-waking",
    "redeclare-between-wakes",
    "rollout-under-load",
    "rollout-with-requests-in-flight",
    "rollout-that-fails",
    "rollout-bereaved",
    "rollout-put-to-sleep",
    "service-crash",
    "proxy-crash",
    "proxy-stopped-by-hand",
    "spot-interruption",
    "pair-hangs-at-its-end",
    "service-deaf",
    "instance-removal",
    "instance-never-joins",
    "instances-lacking",
    "fargate-lacking",
    "minimum-raised",
    "instance-breaks",
    "agent-disconnected",
    "rebalance",
    "foreign-record",
    "foreign-private-record",
    "another-installation",
    "row-lost",
    "row-lost-with-its-tasks",
    "lease-lost",
    "zone-outage",
    "addresses-outage",
    "outage-for-hours",
    "made-and-expired",
    "takeover",
    "takeover-without-the-group",
    "called-back-without-the-group",
    "takeover-by-another-clock",
    "split-brain",
    "poisoned-neighbour",
    "told-of-a-life",
    "told-through-takeovers",
];

/// The scenarios whose crashes are tried in pairs.
pub const PAIRED: [&str; 2] = ["wake-cold", "request-during-rest"];

/// A scenario: what happens, and to whom.
pub fn scenario(name: &str) -> Option<Script> {
    let wake = (20 * SECOND, Act::Wake(0));
    // Ready since a while, and not asleep for idleness yet: of these the first falls asleep after two minutes.
    let up = 3 * MINUTE;
    let ask = |at: Ms, count: u64, gap: Ms| (at, Act::Ask { service: 0, count, gap, takes: 200 });
    let (mut services, mut made, mut controllers, mut chained, mut private) = (1, 0, 1, false, false);
    let mut skew = 0;
    let mut profile = Profile::CALM;
    let acts = match name {
        "wake-cold" => vec![wake, ask(21 * SECOND, 3, 10 * SECOND)],
        "wake-warm" => vec![wake, (up, Act::Sleep(0)), (up + 100 * SECOND, Act::Wake(0))],
        "wake-by-request" => vec![ask(20 * SECOND, 10, 5 * SECOND)],
        "wake-with-dependency" => {
            (services, chained) = (2, true);
            vec![(20 * SECOND, Act::Wake(1)), (up, Act::Sleep(1))]
        }
        "dependency-without-use" => {
            (services, chained) = (2, true);
            let used = Act::Ask { service: 1, count: 80, gap: 5 * SECOND, takes: 200 };
            vec![(20 * SECOND, Act::Wake(1)), (100 * SECOND, used)]
        }
        "wake-full-group" => {
            services = 7;
            (0..7)
                .map(|service| (20 * SECOND + 100, Act::Wake(service)))
                .chain([(up, Act::Sleep(1))])
                .collect()
        }
        "wake-two-at-once" => {
            services = 2;
            vec![wake, (20 * SECOND, Act::Wake(1)), (up, Act::Sleep(1))]
        }
        // Taken back a moment after its tasks were asked for, of which neither an answer nor a listing tells.
        "wake-unanswered" => {
            services = 4;
            profile = Profile { answer_lost: 300, stale: 1000, task_lag: 20 * SECOND, ..Profile::CALM };
            let turns = (0..12).flat_map(|turn: usize| {
                let (service, nth) = (turn % services, u64::try_from(turn).unwrap_or(0));
                let at = MINUTE + nth * 10 * SECOND;
                [(at, Act::Wake(service)), (at + 1_500 + nth * 300, Act::Sleep(service))]
            });
            turns.collect()
        }
        "wake-at-a-standby" => {
            controllers = 2;
            vec![(MINUTE, Act::Wake(0)), (up, Act::Sleep(0)), (up + 100 * SECOND, Act::Wake(0))]
        }
        "use-at-a-standby" => {
            controllers = 2;
            // Held in turn; who is held when it is ready is forwarded for longer than it is awake without use.
            let held = Act::Ask { service: 0, count: 2, gap: 20 * SECOND, takes: 4 * MINUTE };
            vec![(MINUTE, Act::Wake(0)), (105 * SECOND, held)]
        }
        "sleep-idle" => vec![wake, ask(up, 5, 5 * SECOND)],
        "sleep-by-container" => vec![wake, (up, Act::Wish(0))],
        "request-during-rest" => vec![wake, (up, Act::Sleep(0)), ask(up + 2 * SECOND, 10, 3 * SECOND)],
        "request-to-a-resting-proxy" => vec![
            wake,
            ask(100 * SECOND, 80, SECOND),
            (up, Act::Sleep(0)),
            (up + 4 * SECOND, Act::Ask { service: 0, count: 1, gap: 0, takes: 200 }),
        ],
        "delete" => vec![wake, (up, Act::Delete(0))],
        "delete-while-waking" => vec![wake, (40 * SECOND, Act::Delete(0))],
        "redeclare-while-waking" => vec![wake, (25 * SECOND, Act::Declare(0)), (up, Act::Declare(0))],
        "redeclare-between-wakes" => vec![
            wake,
            (up, Act::Declare(0)),
            (up + 5 * SECOND, Act::Sleep(0)),
            (up + 30 * SECOND, Act::Wake(0)),
        ],
        "rollout-under-load" => vec![wake, ask(100 * SECOND, 230, SECOND), (up, Act::Declare(0))],
        // Some of them when nobody new is led to the first pair any more.
        "rollout-with-requests-in-flight" => vec![
            wake,
            (up, Act::Ask { service: 0, count: 110, gap: 2 * SECOND, takes: 25 * SECOND }),
            (up, Act::Declare(0)),
        ],
        "rollout-that-fails" => vec![
            wake,
            ask(100 * SECOND, 230, SECOND),
            (up, Act::Declare(0)),
            (up + 50 * SECOND, Act::Deaf(0, 20 * MINUTE)),
        ],
        "rollout-bereaved" => vec![
            wake,
            ask(100 * SECOND, 230, SECOND),
            (up, Act::Declare(0)),
            (up + 40 * SECOND, Act::Kill(0, Role::Service)),
        ],
        "rollout-put-to-sleep" => vec![
            wake,
            ask(100 * SECOND, 150, SECOND),
            (up, Act::Declare(0)),
            (up + 25 * SECOND, Act::Sleep(0)),
            (up + 40 * SECOND, Act::Wake(0)),
        ],
        "service-crash" => vec![wake, (up, Act::Kill(0, Role::Service)), ask(up, 20, 2 * SECOND)],
        "proxy-crash" => vec![wake, (up, Act::Kill(0, Role::Proxy)), ask(up, 20, 2 * SECOND)],
        "proxy-stopped-by-hand" => vec![wake, ask(up - SECOND, 5, SECOND), (up, Act::Stop(0, Role::Proxy))],
        "spot-interruption" => vec![wake, ask(up - SECOND, 5, SECOND), (up, Act::Spot(0))],
        // What runs in them is gone, and ECS shows for minutes that they end.
        "pair-hangs-at-its-end" => vec![
            wake,
            ask(up - SECOND, 20, 5 * SECOND),
            (up, Act::Kill(0, Role::Proxy)),
            (up, Act::Hang(0, Role::Proxy, 5 * MINUTE)),
            (up, Act::Hang(0, Role::Service, 5 * MINUTE)),
        ],
        "service-deaf" => vec![wake, (up, Act::Deaf(0, 3 * MINUTE)), ask(up, 5, 10 * SECOND)],
        "instance-removal" => vec![
            wake,
            (up, Act::Sleep(0)),
            (up + 250 * SECOND, Act::Wake(0)),
            (up + 8 * MINUTE, Act::Sleep(0)),
        ],
        "instance-never-joins" => vec![wake, (up, Act::Wake(0))],
        "instances-lacking" => {
            services = 2;
            let lack = (10 * SECOND, Act::Barren(12 * MINUTE));
            let short = (30 * SECOND, Act::Wake(1));
            vec![lack, wake, short, ask(5 * MINUTE, 3, 20 * SECOND), (6 * MINUTE, Act::Sleep(1))]
        }
        "fargate-lacking" => vec![(10 * SECOND, Act::Scarce(false, 3 * MINUTE)), wake, (up, Act::Sleep(0))],
        // Between its Drain and its Terminate, and after that.
        "minimum-raised" => vec![
            wake,
            (up, Act::Sleep(0)),
            (up + 4 * MINUTE, Act::Least(1, 4 * MINUTE)),
            (up + 9 * MINUTE, Act::Wake(0)),
        ],
        "instance-breaks" => vec![wake, (up, Act::Break(0)), ask(up, 5, 10 * SECOND)],
        "agent-disconnected" => {
            services = 2;
            vec![wake, (up, Act::Disconnect(0, 5 * MINUTE)), (up + SECOND, Act::Wake(1))]
        }
        "rebalance" => vec![wake, (up, Act::Rebalance), (up + 2 * MINUTE, Act::Sleep(0))],
        "foreign-record" => vec![wake, (up, Act::Record(0, true)), (up + 2 * MINUTE, Act::Record(0, false))],
        "foreign-private-record" => {
            private = true;
            vec![
                wake,
                (up, Act::PrivateRecord(0, true)),
                (up + MINUTE, Act::PrivateRecord(0, false)),
                (up + 2 * MINUTE, Act::Sleep(0)),
            ]
        }
        // It has our service's name before we have, and for a while one of ours that is asleep.
        "another-installation" => {
            (services, private) = (2, true);
            vec![
                (SECOND, Act::Other(Other::SetsUp)),
                (10 * SECOND, Act::Other(Other::Claims(1, 5 * MINUTE))),
                wake,
                (30 * SECOND, Act::Wake(1)),
                (2 * MINUTE, Act::Other(Other::Task(Role::Service, 20 * MINUTE))),
                ask(up, 5, 5 * SECOND),
                (up + 6 * MINUTE, Act::Sleep(0)),
                (up + 8 * MINUTE, Act::Sleep(1)),
                (up + 10 * MINUTE, Act::Other(Other::Claims(0, MINUTE))),
                (up + 16 * MINUTE, Act::Wake(0)),
                (up + 20 * MINUTE, Act::Sleep(0)),
                (up + 23 * MINUTE, Act::Other(Other::Claims(0, MINUTE))),
                (up + 23 * MINUTE, Act::Wake(0)),
            ]
        }
        "row-lost" => vec![wake, (up, Act::LoseRow(0)), (up + 2 * MINUTE, Act::Declare(0))],
        "row-lost-with-its-tasks" => vec![
            wake,
            (up, Act::Crash(0, 3 * MINUTE)),
            (up + SECOND, Act::LoseRow(0)),
            (up + SECOND, Act::Kill(0, Role::Proxy)),
            (up + SECOND, Act::Kill(0, Role::Service)),
        ],
        "lease-lost" => vec![
            wake,
            (up, Act::LoseLease),
            (up + 2 * MINUTE, Act::Sleep(0)),
            (up + 4 * MINUTE, Act::Wake(0)),
        ],
        "zone-outage" => vec![wake, (up, Act::Outage(Aws::Zone, 2 * MINUTE)), (up + SECOND, Act::Sleep(0))],
        // What ends while ECS does not answer is forgotten by the time it does.
        "outage-for-hours" => {
            services = 2;
            let over = up + 90 * MINUTE;
            vec![
                wake,
                (30 * SECOND, Act::Wake(1)),
                (up, Act::Outage(Aws::Ecs, 90 * MINUTE)),
                (up + SECOND, Act::Kill(0, Role::Proxy)),
                (up + 2 * SECOND, Act::Kill(1, Role::Service)),
                (up + MINUTE, Act::Sleep(1)),
                (over + 10 * MINUTE, Act::Sleep(0)),
            ]
        }
        // What is woken waits for its address, and holds up nobody.
        "addresses-outage" => {
            services = 2;
            vec![
                wake,
                (up, Act::Outage(Aws::Ec2, 3 * MINUTE)),
                (up + SECOND, Act::Wake(1)),
                (up + 20 * SECOND, Act::Sleep(0)),
                (up + 4 * MINUTE, Act::Sleep(1)),
            ]
        }
        "made-and-expired" => {
            let asked = |nth: usize, at: Ms| {
                (at, Act::Ask { service: MADE + nth, count: 3, gap: 5 * SECOND, takes: 200 })
            };
            made = 3;
            vec![
                asked(0, 20 * SECOND),
                asked(1, MINUTE),
                asked(0, 12 * MINUTE),
                (13 * MINUTE, Act::DeleteTemplate),
            ]
        }
        "takeover" => {
            controllers = 2;
            vec![
                wake,
                (25 * SECOND, Act::Replace(0)),
                (up, Act::Freeze(0, MINUTE)),
                (up, Act::Freeze(1, 30 * SECOND)),
            ]
        }
        // There is an instance with a place, and of its group nothing is known.
        "takeover-without-the-group" => {
            (services, controllers) = (2, 2);
            vec![
                wake,
                (up, Act::Outage(Aws::Scaling, 3 * MINUTE)),
                (up + SECOND, Act::Replace(0)),
                (up + 40 * SECOND, Act::Wake(1)),
                (up + 4 * MINUTE, Act::Sleep(1)),
            ]
        }
        // It drains already, and ECS alone can keep it.
        "called-back-without-the-group" => vec![
            wake,
            (up, Act::Sleep(0)),
            (up + 235 * SECOND, Act::Outage(Aws::Scaling, 5 * MINUTE)),
            (up + 4 * MINUTE, Act::Wake(0)),
            (up + 10 * MINUTE, Act::Sleep(0)),
        ],
        "takeover-by-another-clock" => {
            (controllers, skew) = (2, 10 * MINUTE);
            // Name servers and resolvers are done after 22 to 25 s. So 27 s on, the drain has begun, and its 10 s are
            // not over: a request is in flight for longer. From the one to the other clock, and back.
            profile.insync = (12 * SECOND, 15 * SECOND);
            let long = |at| (at, Act::Ask { service: 0, count: 1, gap: 0, takes: 2 * MINUTE });
            let again = up + 4 * MINUTE;
            vec![
                wake,
                long(up - 5 * SECOND),
                (up, Act::Sleep(0)),
                (up + 27 * SECOND, Act::Replace(0)),
                (again - MINUTE, Act::Wake(0)),
                long(again - 5 * SECOND),
                (again, Act::Sleep(0)),
                (again + 27 * SECOND, Act::Replace(1)),
            ]
        }
        "split-brain" => {
            (services, controllers) = (2, 2);
            vec![
                wake,
                (25 * SECOND, Act::Split(2 * MINUTE)),
                (40 * SECOND, Act::Wake(1)),
                (up, Act::Split(2 * MINUTE)),
                (up + 10 * SECOND, Act::Kill(0, Role::Service)),
                (up + 20 * SECOND, Act::Sleep(1)),
                (up + 30 * SECOND, Act::Ask { service: 1, count: 10, gap: 5 * SECOND, takes: 200 }),
            ]
        }
        "poisoned-neighbour" => {
            services = 5;
            let wakes = (1..5).flat_map(|service| {
                let at = 3 * MINUTE + u64::try_from(service).unwrap_or(0) * 700;
                [(at, Act::Wake(service)), (at + 5 * MINUTE, Act::Sleep(service))]
            });
            let again = (1..5).map(|service| (10 * MINUTE, Act::Wake(service)));
            let first = [(10 * SECOND, Act::Poison(0)), (20 * SECOND, Act::Wake(0))];
            first.into_iter().chain(wakes).chain(again).chain([(14 * MINUTE, Act::Sleep(0))]).collect()
        }
        "told-of-a-life" => vec![
            wake,
            ask(2 * MINUTE, 3, 10 * SECOND),
            (up, Act::Kill(0, Role::Service)),
            (up + 3 * MINUTE, Act::Sleep(0)),
            (up + 5 * MINUTE, Act::Delete(0)),
        ],
        "told-through-takeovers" => {
            (services, controllers) = (2, 2);
            profile = Profile {
                receiver_refuses: 200,
                receiver_unreached: 200,
                receiver_lost: 300,
                receiver_slow: 300,
                ..Profile::CALM
            };
            vec![
                wake,
                (25 * SECOND, Act::Replace(0)),
                (40 * SECOND, Act::Wake(1)),
                (up, Act::Split(MINUTE)),
                (up + 5 * SECOND, Act::Kill(0, Role::Service)),
                (up + 90 * SECOND, Act::Sleep(1)),
                (up + 92 * SECOND, Act::Replace(1)),
            ]
        }
        _ => return None,
    };
    let calm_at = acts.iter().map(|(at, _)| *at).max().unwrap_or(0) + 2 * MINUTE;
    Some(Script {
        seed: 5,
        profile: Profile {
            never_joins: if name == "instance-never-joins" { 1000 } else { 0 },
            misrouted: if name.ends_with("-at-a-standby") { 1000 } else { 0 },
            ..profile
        },
        services,
        made,
        controllers,
        max_instances: 2,
        skew,
        drift: 0,
        private,
        chained,
        told: name.starts_with("told-"),
        acts,
        calm_at,
        end_at: calm_at + 62 * MINUTE,
    })
}
