//! One service, and what is observed of it, to be changed by hand.

use super::at;
use crate::capacity::Room;
use crate::idle::AtActivator;
use crate::intent;
use crate::lifecycle::{self, Plan, Refusal, Step, View, identity, outcome};
use crate::observed::{Beat, Task, TaskStatus, Tasks};
use crate::settings::Settings;
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Activity, PeerHealth, Role, SidecarState};
use dormouse_state::{Condition, ConditionType, DnsMemory, Pair, ServiceRecord};
use jiff::Timestamp;

/// Public address of the proxy of attempt `n`.
pub(crate) fn public(attempt: u32) -> String {
    format!("198.51.100.{attempt}")
}

/// One service, `hello`, as a controller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub settings: Settings,
    pub record: ServiceRecord,
    pub tasks: Tasks,
    pub beats: Vec<(Identity, Beat)>,
    pub activator: AtActivator,
    pub room: Room,
    pub dependents_awake: bool,
    pub probed: Option<(Timestamp, String)>,
    pub conflict: Option<String>,
    pub refusal: Option<Refusal>,
    pub stop_refusal: Option<Refusal>,
    pub unanswered: Option<Identity>,
    pub spot_is_short: bool,
    pub now: Timestamp,
}

impl Scene {
    /// Declared, asleep, its task definitions registered, everything read, room for its task.
    pub fn asleep() -> Scene {
        Scene::with(|_| {})
    }

    /// The same with another spec.
    pub fn with(change: impl FnOnce(&mut ServiceSpec)) -> Scene {
        let mut spec = ServiceSpec::defaults_for("demo");
        change(&mut spec);
        let mut scene = Scene {
            settings: Settings::example(),
            record: intent::declare(None, &Service::new("hello", spec), at(0)).unwrap(),
            tasks: Tasks { listed_at: Some(at(0)), ..Tasks::default() },
            beats: Vec::new(),
            activator: AtActivator::default(),
            room: Room::Yes,
            dependents_awake: false,
            probed: None,
            conflict: None,
            refusal: None,
            stop_refusal: None,
            unanswered: None,
            spot_is_short: false,
            now: at(0),
        };
        scene.register();
        scene
    }

    /// Woken, its pair intended.
    pub fn waking() -> Scene {
        Scene::asleep().woken()
    }

    /// Ready and published, at second 30.
    pub fn ready() -> Scene {
        Scene::asleep().woken().made_ready()
    }

    pub fn woken(mut self) -> Scene {
        self.wake();
        self.step();
        self
    }

    pub fn made_ready(mut self) -> Scene {
        self.start_both();
        self.pass(30);
        self.serve();
        self.publish();
        self.probed = Some((self.now, public(self.pair().id.attempt)));
        self.step();
        assert!(self.is(ConditionType::Ready), "{:?}", self.record.conditions);
        self
    }

    pub fn view(&self) -> View<'_> {
        View {
            tasks: &self.tasks,
            beats: &self.beats,
            activator: self.activator,
            room: &self.room,
            dependents_awake: self.dependents_awake,
            probed: self.probed.as_ref().map(|(at, address)| (*at, address.as_str())),
            conflict: self.conflict.as_deref(),
            refusal: self.refusal.as_ref(),
            stop_refusal: self.stop_refusal.as_ref(),
            unanswered: self.unanswered.as_ref(),
            spot_is_short: self.spot_is_short,
            compared: false,
        }
    }

    pub fn plan(&self) -> Plan {
        let plan = lifecycle::plan(&self.settings, &self.record, &self.view(), self.now);
        let again = lifecycle::plan(&self.settings, &plan.record, &self.view(), self.now);
        assert_eq!(again.record, plan.record, "one plan is enough: a second adds nothing");
        plan
    }

    /// Plans and remembers.
    pub fn step(&mut self) -> Vec<Step> {
        let plan = self.plan();
        self.record = plan.record;
        plan.steps
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
        self.tasks.listed_at = Some(self.now);
    }

    /// Registers what is to be registered.
    pub fn register(&mut self) {
        for step in self.step() {
            if let Step::Register { role, content } = step {
                let arn = format!("definition/{role}/{}", content.hash());
                outcome::registered(&mut self.record, role, &content.hash(), &arn);
            }
        }
    }

    pub fn wake(&mut self) {
        self.record = intent::wake(&self.record, "api", "", None, self.now).unwrap().unwrap();
    }

    pub fn sleep(&mut self) {
        let beat = self.record.pair.as_ref().and_then(|pair| self.view().beat(pair, Role::Proxy).cloned());
        let requests = beat.and_then(|beat| beat.activity).map(|activity| activity.requests);
        self.record = intent::sleep(&self.record, "api", "", requests, self.now).unwrap();
    }

    pub fn delete(&mut self) {
        self.record = intent::delete(&self.record, self.now).unwrap();
    }

    pub fn pair(&self) -> &Pair {
        self.record.pair.as_ref().unwrap()
    }

    pub fn arn(&self, role: Role) -> String {
        self.pair().task(role).task_arn.clone().unwrap()
    }

    /// A task of the serving pair is made in the cloud, but nobody is told.
    pub fn make(&mut self, role: Role) -> Task {
        let pair = self.pair();
        let task = Task {
            private_address: Some(format!("10.0.{}.{}", u8::from(role == Role::Service), pair.id.attempt)),
            interface: Some(format!("eni-{role}")),
            public_address: (role == Role::Proxy).then(|| public(pair.id.attempt)),
            container_instance: (role == Role::Service).then(|| "instance/a".to_owned()),
            ..Task::made(
                format!("task/{role}/{}", pair.id),
                &pair.task(role).parameters.cluster,
                Some(identity("hello", pair.id, role)),
            )
        };
        self.tasks.by_arn.insert(task.arn.clone(), task.clone());
        task
    }

    /// RunTask answers for one half.
    pub fn start(&mut self, role: Role) {
        let task = self.make(role);
        let identity = task.identity.unwrap();
        outcome::started(&mut self.record, &identity, &task.arn, self.now);
    }

    pub fn start_both(&mut self) {
        Role::ALL.into_iter().for_each(|role| self.start(role));
    }

    pub fn task(&mut self, arn: &str) -> &mut Task {
        self.tasks.by_arn.get_mut(arn).unwrap()
    }

    pub fn set(&mut self, arn: &str, status: TaskStatus) {
        self.task(arn).status = status;
    }

    /// A task of the serving pair is over.
    pub fn end(&mut self, role: Role, codes: &[(&str, i32)]) {
        let arn = self.arn(role);
        let task = self.task(&arn);
        task.status = TaskStatus::Stopped;
        task.stop_code = Some("EssentialContainerExited".into());
        task.stopped_reason = Some("Essential container in task exited".into());
        task.exit_codes = codes.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect();
    }

    /// A heartbeat of the serving pair comes in.
    pub fn beat(&mut self, role: Role, state: SidecarState) -> &mut Beat {
        let identity = identity("hello", self.pair().id, role);
        let health = PeerHealth { healthy: true, ever_healthy: true, failures: 0 };
        let activity = (role == Role::Proxy).then(Activity::default);
        let beat = Beat { peer: Some(health), activity, ..Beat::new(self.now, state) };
        let known = self.beats.iter().find(|(own, _)| *own == identity).map(|(_, beat)| beat);
        let beat = beat.after(known);
        self.beats.retain(|(own, _)| *own != identity);
        self.beats.push((identity, beat));
        self.beats.last_mut().map(|(_, beat)| beat).unwrap()
    }

    /// The proxy reports these counts.
    pub fn count(&mut self, requests: u64, in_flight: u64, idle_seconds: u64) {
        let state = self.view().beat(self.pair(), Role::Proxy).map_or(SidecarState::Serving, |b| b.state);
        let activity =
            Activity { requests, in_flight, idle_for_ms: idle_seconds * 1000, ..Activity::default() };
        self.beat(Role::Proxy, state).activity = Some(activity);
    }

    /// Both halves run and serve.
    pub fn serve(&mut self) {
        for role in Role::ALL {
            let arn = self.arn(role);
            self.set(&arn, TaskStatus::Running);
            self.beat(role, SidecarState::Serving);
        }
    }

    /// The zone holds the serving pair's record, INSYNC.
    pub fn publish(&mut self) {
        let address = public(self.pair().id.attempt);
        self.record.dns = DnsMemory { published: Some(address), ..DnsMemory::default() };
    }

    /// The zone holds none any more, since now.
    pub fn withdraw(&mut self) {
        self.record.dns = DnsMemory { withdrawn_at: Some(self.now), ..DnsMemory::default() };
    }

    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.record.conditions.iter().find(|condition| condition.kind == kind)
    }

    pub fn is(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status)
    }

    pub fn reason(&self, kind: ConditionType) -> Option<&str> {
        self.condition(kind).map(|condition| condition.reason.as_str())
    }

    pub fn events(&self, reason: &str) -> usize {
        self.record.events.iter().filter(|event| event.reason == reason).count()
    }
}

/// The ARNs that steps stop.
pub(crate) fn stops(steps: &[Step]) -> Vec<&str> {
    steps
        .iter()
        .filter_map(|step| match step {
            Step::Stop { arn, .. } => Some(arn.as_str()),
            _ => None,
        })
        .collect()
}

/// The roles that steps run.
pub(crate) fn runs(steps: &[Step]) -> Vec<Role> {
    steps
        .iter()
        .filter_map(|step| match step {
            Step::Run { identity, .. } => Some(identity.role),
            _ => None,
        })
        .collect()
}
