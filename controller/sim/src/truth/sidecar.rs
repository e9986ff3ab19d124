//! What runs inside a task: the sidecar, its watch over the other half, its heartbeats, its reasons to end.

use crate::profile::{MINUTE, Ms, SECOND};
use crate::queue::{Event, Place, Report};
use crate::sim::{SECRET, Sim};
use dormouse_manifests::IdleAfter;
use dormouse_peer::jitter::Jitter;
use dormouse_peer::pace::Pace;
use dormouse_peer::watch::{Settings, Verdict, Watch};
use dormouse_peer::wire::{Activity, Answer, Heartbeat, Role, SidecarState};
use std::time::Duration;

/// The proxy outlives a silent controller by this much beyond its idle time.
const IDLE_MARGIN: Ms = MINUTE;
/// A wish to sleep is told for so long.
const WISH: Ms = 5 * SECOND;

/// A sidecar and the user's container beside it.
#[derive(Debug)]
pub struct Sidecar {
    seed: u64,
    /// What its heartbeats call this process.
    boot: String,
    /// Its containers have ended.
    pub exited: bool,
    /// Since when it runs.
    pub started_at: Ms,
    /// When the user's container answers.
    pub answers_at: Ms,
    /// Told to be a lame duck.
    pub draining: bool,
    /// Requests right now.
    pub in_flight: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Last use.
    pub used_at: Ms,
    /// When a request last came.
    pub asked_at: Ms,
    /// When the controller last answered.
    pub told_at: Ms,
    /// When it was last told to drain.
    pub drained_at: Ms,
    /// The user's container wishes to sleep; since when that was first answered.
    pub wish: Option<Option<Ms>>,
    seq: u64,
    /// Where the other half is.
    peer: Option<String>,
    watch: Option<Watch>,
    pace: Pace,
    /// Its next report.
    next_beat: Option<Place>,
    early: bool,
}

impl Sidecar {
    /// One that does not run yet.
    pub fn new(seed: u64, now: Ms) -> Sidecar {
        Sidecar {
            seed,
            boot: format!("{seed:016x}"),
            exited: false,
            started_at: now,
            answers_at: Ms::MAX,
            draining: false,
            in_flight: 0,
            requests: 0,
            used_at: now,
            asked_at: 0,
            told_at: now,
            drained_at: 0,
            wish: None,
            seq: 0,
            peer: None,
            watch: None,
            pace: Pace::new(Jitter::seeded(seed)),
            next_beat: None,
            early: false,
        }
    }

    /// Where its other half is.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// Whether it has ever reached its other half.
    pub fn knows_peer(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.health().ever_healthy)
    }
}

impl Sim {
    /// Its task runs now.
    pub fn start_sidecar(&mut self, arn: &str) {
        let up = self.rng.between(300, 15 * SECOND);
        let now = self.now;
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        task.sidecar.started_at = now;
        task.sidecar.used_at = now;
        task.sidecar.told_at = now;
        if task.role() == Some(Role::Service) {
            task.sidecar.answers_at = now + up;
        }
        self.plan_beat(arn, 100);
        self.plan(120, Event::Check(arn.to_owned()));
    }

    /// How long a proxy goes on after SIGTERM for what it has in flight.
    pub fn drain_of(&self, arn: &str) -> (Ms, Ms) {
        let Some(task) = self.truth.tasks.get(arn) else { return (0, 0) };
        if task.sidecar.in_flight == 0 {
            return (200, SECOND);
        }
        let drain = task
            .service()
            .and_then(|name| self.audit.spec(name))
            .map_or(30 * SECOND, |spec| millis(spec.drain));
        (drain, drain)
    }

    /// Its containers are gone.
    pub fn containers_end(&mut self, arn: &str) {
        let Some(task) = self.truth.tasks.get_mut(arn).filter(|task| !task.sidecar.exited) else { return };
        task.sidecar.exited = true;
        self.cut_off(arn);
    }

    /// How far a sidecar is.
    pub fn state_of(&self, arn: &str) -> Option<SidecarState> {
        let task = self.truth.tasks.get(arn).filter(|task| task.runs())?;
        let sidecar = &task.sidecar;
        Some(match task.role()? {
            Role::Proxy if sidecar.draining || task.seen.stopping => SidecarState::Draining,
            Role::Proxy if sidecar.knows_peer() => SidecarState::Serving,
            Role::Service if self.now >= sidecar.answers_at => SidecarState::Serving,
            _ => SidecarState::Starting,
        })
    }

    /// Reports, and plans the next report.
    pub fn beat(&mut self, arn: &str) {
        let Some(state) = self.state_of(arn) else { return };
        let now = self.now;
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        let Some(identity) = task.seen.identity.clone() else { return };
        let sidecar = &mut task.sidecar;
        sidecar.seq += 1;
        sidecar.early = false;
        let activity = (identity.role == Role::Proxy).then(|| Activity {
            in_flight: sidecar.in_flight,
            open_sockets: 0,
            requests: sidecar.requests,
            bytes: sidecar.requests * 100,
            idle_for_ms: if sidecar.in_flight > 0 { 0 } else { now - sidecar.used_at },
        });
        let wished = match sidecar.wish {
            Some(None) => true,
            Some(Some(heard)) => now < heard + WISH,
            None => false,
        };
        let beat = Heartbeat {
            boot: sidecar.boot.clone(),
            seq: sidecar.seq,
            state,
            peer: sidecar.watch.as_ref().map(Watch::health),
            activity,
            sleep_requested: wished.then(|| "done for today".to_owned()),
            busy: None,
            detail: None,
        };
        // Until the answer comes: the pace of errors.
        let fallback = millis(sidecar.pace.failed());
        self.plan_beat(arn, fallback.max(3 * SECOND));
        let report = Report { arn: arn.to_owned(), identity, beat, forged: false };
        if self.rng.chance(self.profile.beat_lost) {
            return;
        }
        let takes = if self.rng.chance(self.profile.beat_late) {
            self.rng.between(SECOND, 20 * SECOND)
        } else {
            self.rng.between(1, 20)
        };
        if self.rng.chance(self.profile.beat_twice) {
            let later = takes + self.rng.between(1, 30 * SECOND);
            let forged = self.rng.chance(300);
            self.plan(later, Event::Report(Box::new(Report { forged, ..report.clone() })));
        }
        self.plan(takes, Event::Report(Box::new(report)));
    }

    /// The proof of a report.
    pub fn token_of(&mut self, report: &Report) -> String {
        if report.forged {
            return dormouse_peer::token::sign(b"another", &report.identity);
        }
        let tokens = &mut self.truth.task_tokens;
        tokens
            .entry(report.arn.clone())
            .or_insert_with(|| dormouse_peer::token::sign(SECRET, &report.identity))
            .clone()
    }

    /// The controller's answer came.
    pub fn told(&mut self, arn: &str, answer: Answer) {
        let now = self.now;
        let Some(task) = self.truth.tasks.get_mut(arn).filter(|task| task.runs()) else { return };
        let sidecar = &mut task.sidecar;
        sidecar.told_at = now;
        if answer.drain {
            sidecar.drained_at = now;
        }
        if let Some(wish @ None) = &mut sidecar.wish {
            *wish = Some(now);
        }
        if let Some(peer) = answer.peer.map(|peer| peer.host)
            && sidecar.peer.as_ref() != Some(&peer)
        {
            sidecar.peer = Some(peer);
            if let Some(watch) = &mut sidecar.watch {
                watch.replaced(Duration::from_millis(now));
            }
        }
        let turned = sidecar.draining != answer.drain;
        sidecar.draining = answer.drain;
        let next = millis(sidecar.pace.answered(answer.interval_ms));
        if turned {
            self.trace.note(now, format_args!("{arn} drains: {}", answer.drain));
        }
        self.plan_beat(arn, if turned { 50 } else { next });
    }

    /// Plans the next heartbeat in place of the one that was planned before.
    fn plan_beat(&mut self, arn: &str, after: Ms) {
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if let Some(place) = task.sidecar.next_beat.take() {
            self.queue.cancel(place);
        }
        task.sidecar.next_beat = Some(self.queue.plan(self.now + after, Event::Beat(arn.to_owned())));
    }

    /// Something changed that the controller should hear of now.
    pub fn beat_soon(&mut self, arn: &str) {
        if let Some(task) = self.truth.tasks.get_mut(arn).filter(|task| task.runs() && !task.sidecar.early) {
            task.sidecar.early = true;
            self.plan_beat(arn, 50);
        }
    }

    /// Checks the other half, and itself; plans the next check.
    pub fn check(&mut self, arn: &str) {
        let now = self.now;
        let Some(task) = self.truth.tasks.get(arn).filter(|task| task.runs() && !task.seen.stopping) else {
            return;
        };
        let (Some(role), Some(name)) = (task.role(), task.service()) else { return };
        let Some(spec) = self.audit.spec(name) else { return };
        let settings = Settings {
            base: spec.health.interval,
            max_failures: spec.health.failures,
            grace: spec.health.grace_period,
        };
        let idle_after = spec.idle_after;
        if role == Role::Service && now >= task.sidecar.answers_at && now < task.sidecar.answers_at + 400 {
            self.beat_soon(arn);
        }
        if role == Role::Proxy && self.is_abandoned(arn, idle_after) {
            return self.exit_task(arn, "dormouse-proxy", 11);
        }
        let Some(task) = self.truth.tasks.get(arn) else { return };
        let Some(peer) = task.sidecar.peer.clone() else {
            let stranded = now - task.sidecar.started_at > millis(settings.grace);
            let container = if role == Role::Proxy { "dormouse-proxy" } else { "dormouse-service" };
            // Nobody says where the other half is, and for the whole grace period nobody did.
            if stranded && now - task.sidecar.told_at > millis(settings.grace) {
                return self.exit_task(arn, container, 10);
            }
            return self.plan(200, Event::Check(arn.to_owned()));
        };
        let other = self
            .truth
            .network
            .private
            .get(&peer)
            .and_then(|arn| self.truth.tasks.get(arn))
            .filter(|task| task.runs());
        let healthy = other.is_some_and(|other| match role {
            Role::Proxy => other.role() == Some(Role::Service) && now >= other.sidecar.answers_at,
            Role::Service => other.role() == Some(Role::Proxy),
        });
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        let seed = task.sidecar.seed;
        let watch = task
            .sidecar
            .watch
            .get_or_insert_with(|| Watch::new(settings, Duration::from_millis(now), Jitter::seeded(seed)));
        let before = watch.health();
        let (verdict, next) = watch.record(healthy, Duration::from_millis(now));
        let news = before != watch.health();
        if verdict == Verdict::Lost {
            let container = if role == Role::Proxy { "dormouse-proxy" } else { "dormouse-service" };
            return self.exit_task(arn, container, 10);
        }
        if news {
            self.beat_soon(arn);
        }
        self.plan(millis(next).max(1), Event::Check(arn.to_owned()));
    }

    fn is_abandoned(&self, arn: &str, idle_after: IdleAfter) -> bool {
        let IdleAfter::After(limit) = idle_after else { return false };
        self.truth.tasks.get(arn).is_some_and(|task| {
            let limit = millis(limit) + IDLE_MARGIN;
            task.sidecar.in_flight == 0
                && self.now - task.sidecar.used_at > limit
                && self.now - task.sidecar.told_at > limit
        })
    }
}

/// A duration in milliseconds.
pub fn millis(span: Duration) -> Ms {
    span.as_millis().try_into().unwrap_or(Ms::MAX)
}
