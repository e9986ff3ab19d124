//! How bad a world is: the fault rates of one seed.

use crate::rng::Rng;

/// Milliseconds since the start of a run, or a span of them.
pub type Ms = u64;

/// A second.
pub const SECOND: Ms = 1_000;
/// A minute.
pub const MINUTE: Ms = 60 * SECOND;

/// Rates in per mille, delays as ranges in milliseconds. Everything at zero is a calm world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// A call fails before it has any effect.
    pub call_fails: u64,
    /// A call has its effect and its answer is lost.
    pub answer_lost: u64,
    /// A call is throttled.
    pub throttled: u64,
    /// A call takes seconds.
    pub slow: u64,
    /// A call times out at the caller, and takes effect later all the same.
    pub late_effect: u64,
    /// A read is older than now, by at most the next values.
    pub stale: u64,
    /// Oldest answer of ECS about tasks.
    pub task_lag: Ms,
    /// Oldest answer of ECS about instances.
    pub fleet_lag: Ms,
    /// Oldest answer of Auto Scaling.
    pub group_lag: Ms,
    /// Oldest answer of Route 53's API.
    pub zone_lag: Ms,
    /// RunTask answers with a failure that has nothing to do with room.
    pub run_fails: u64,
    /// A task dies in its first minutes.
    pub dies_early: u64,
    /// A task stops moving in some state for up to an hour.
    pub hangs: u64,
    /// Boot time of an instance.
    pub boot: (Ms, Ms),
    /// An instance never joins the cluster.
    pub never_joins: u64,
    /// Time until a zone change is on every name server.
    pub insync: (Ms, Ms),
    /// A change that is asked about takes minutes more.
    pub insync_slow: u64,
    /// One task of an answer is of another age than the next.
    pub torn: u64,
    /// Route 53 is busy with a change before.
    pub busy: u64,
    /// The store fails before, or after, a write.
    pub store_fails: u64,
    /// A heartbeat is lost.
    pub beat_lost: u64,
    /// A heartbeat comes late, out of order.
    pub beat_late: u64,
    /// A heartbeat comes twice.
    pub beat_twice: u64,
    /// A heartbeat reaches the replica that does not lead.
    pub misrouted: u64,
    /// Share of every quota that others of the account take.
    pub neighbours: u64,
    /// Entries of a page of a listing; each page is as old as it happens to be. 0: all in one.
    pub page: u64,
    /// A task's network interface does not come up in time.
    pub eni_fails: u64,
    /// A public address is shown late.
    pub eni_late: u64,
    /// A public address that is released goes to a stranger.
    pub strangers: u64,
    /// What one controller says to another breaks their connection.
    pub link_fails: u64,
    /// It comes late, or too late.
    pub link_late: u64,
    /// The webhook's receiver refuses what it is told.
    pub receiver_refuses: u64,
    /// It is not reached.
    pub receiver_unreached: u64,
    /// It takes what it is told, and its answer is lost.
    pub receiver_lost: u64,
    /// It takes seconds, and longer than it is waited for.
    pub receiver_slow: u64,
}

impl Profile {
    /// A world without faults: only the delays that AWS has on a good day.
    pub const CALM: Profile = Profile {
        call_fails: 0,
        answer_lost: 0,
        throttled: 0,
        slow: 0,
        late_effect: 0,
        stale: 0,
        task_lag: 0,
        fleet_lag: 0,
        group_lag: 0,
        zone_lag: 0,
        run_fails: 0,
        dies_early: 0,
        hangs: 0,
        boot: (30 * SECOND, 120 * SECOND),
        never_joins: 0,
        insync: (3 * SECOND, 30 * SECOND),
        insync_slow: 0,
        torn: 0,
        busy: 0,
        store_fails: 0,
        beat_lost: 0,
        beat_late: 0,
        beat_twice: 0,
        misrouted: 0,
        neighbours: 0,
        page: 0,
        eni_fails: 0,
        eni_late: 0,
        strangers: 0,
        link_fails: 0,
        link_late: 0,
        receiver_refuses: 0,
        receiver_unreached: 0,
        receiver_lost: 0,
        receiver_slow: 0,
    };

    /// The fault rates of a seed. Each kind of fault is absent in many seeds, so that the others show.
    pub fn draw(rng: &mut Rng) -> Profile {
        let mut rate = |present: u64, most: u64| if rng.chance(present) { rng.between(1, most) } else { 0 };
        let mut profile = Profile {
            call_fails: rate(500, 120),
            answer_lost: rate(500, 120),
            throttled: rate(300, 400),
            slow: rate(400, 150),
            late_effect: rate(300, 60),
            stale: rate(500, 600),
            run_fails: rate(200, 300),
            dies_early: rate(250, 300),
            hangs: rate(150, 80),
            never_joins: rate(250, 400),
            busy: rate(300, 400),
            store_fails: rate(400, 120),
            beat_lost: rate(400, 500),
            beat_late: rate(300, 300),
            beat_twice: rate(300, 300),
            misrouted: rate(300, 200),
            neighbours: rate(200, 980),
            page: rate(300, 4),
            eni_fails: rate(200, 200),
            eni_late: rate(300, 500),
            strangers: rate(300, 800),
            ..Profile::CALM
        };
        if profile.stale > 0 {
            profile.task_lag = rng.below(60 * SECOND);
            profile.fleet_lag = rng.below(60 * SECOND);
            profile.group_lag = rng.below(10 * SECOND);
            profile.zone_lag = if rng.chance(300) { rng.below(60 * SECOND) } else { 0 };
        }
        if rng.chance(300) {
            profile.boot = (30 * SECOND, 300 * SECOND);
        }
        if rng.chance(200) {
            // Longer than what the product waits for when a change's id was lost is not promised by anybody; what it can ask
            // about may take longer.
            profile.insync = (10 * SECOND, 55 * SECOND);
        }
        profile
    }

    /// Every rate by name, to switch it off one by one.
    pub fn rates(&mut self) -> Vec<(&'static str, &mut u64)> {
        vec![
            ("call_fails", &mut self.call_fails),
            ("answer_lost", &mut self.answer_lost),
            ("throttled", &mut self.throttled),
            ("slow", &mut self.slow),
            ("late_effect", &mut self.late_effect),
            ("stale", &mut self.stale),
            ("run_fails", &mut self.run_fails),
            ("dies_early", &mut self.dies_early),
            ("hangs", &mut self.hangs),
            ("never_joins", &mut self.never_joins),
            ("insync_slow", &mut self.insync_slow),
            ("torn", &mut self.torn),
            ("busy", &mut self.busy),
            ("store_fails", &mut self.store_fails),
            ("beat_lost", &mut self.beat_lost),
            ("beat_late", &mut self.beat_late),
            ("beat_twice", &mut self.beat_twice),
            ("misrouted", &mut self.misrouted),
            ("neighbours", &mut self.neighbours),
            ("page", &mut self.page),
            ("eni_fails", &mut self.eni_fails),
            ("eni_late", &mut self.eni_late),
            ("strangers", &mut self.strangers),
            ("link_fails", &mut self.link_fails),
            ("link_late", &mut self.link_late),
            ("receiver_refuses", &mut self.receiver_refuses),
            ("receiver_unreached", &mut self.receiver_unreached),
            ("receiver_lost", &mut self.receiver_lost),
            ("receiver_slow", &mut self.receiver_slow),
            ("task_lag", &mut self.task_lag),
            ("fleet_lag", &mut self.fleet_lag),
            ("group_lag", &mut self.group_lag),
            ("zone_lag", &mut self.zone_lag),
        ]
    }
}
