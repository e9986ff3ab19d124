//! What is to happen, by time; at the same time in the order in which it was planned.

use crate::profile::Ms;
use crate::sim::Sim;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Answer;
use std::collections::BTreeMap;

/// Something that is to happen.
pub enum Event {
    /// An effect that arrives late, or an answer.
    Do(Box<dyn FnOnce(&mut Sim) + Send>),
    /// A task's life goes on, if it is still at this step of it.
    Task(String, u32),
    /// A task dies by itself.
    Dies(String),
    /// An instance's life goes on.
    Instance(String, u32),
    /// The group compares what it has with what is desired.
    Group,
    /// A change has reached every name server.
    Insync(String),
    /// A sidecar reports.
    Beat(String),
    /// A heartbeat reaches a controller.
    Report(Box<Report>),
    /// A heartbeat's answer reaches its sidecar.
    Told(String, Answer),
    /// A sidecar checks its other half.
    Check(String),
    /// A client asks a service.
    Ask {
        /// Which service.
        service: usize,
        /// How long the answer takes.
        takes: Ms,
        /// How many more follow.
        left: u64,
        /// Time between them.
        gap: Ms,
    },
    /// A request is answered.
    Answered(u64),
    /// An entry of the script.
    Act(usize),
    /// A controller (re)starts.
    Start(usize),
    /// A frozen controller goes on.
    Thaw(usize),
    /// A stranger's task ends, or a task is over for an hour.
    Forget(String),
    /// Faults cease.
    Calm,
    /// Invariants that time alone can break.
    Audit,
}

/// A heartbeat on its way.
#[derive(Debug, Clone)]
pub struct Report {
    /// The task that it comes from.
    pub arn: String,
    /// The identity that its token proves.
    pub identity: Identity,
    /// What it says.
    pub beat: dormouse_peer::wire::Heartbeat,
    /// Its token was not made by this installation's secret.
    pub forged: bool,
}

/// Where an event stands in the queue.
pub type Place = (Ms, u64);

/// Events in order.
#[derive(Default)]
pub struct Queue {
    events: BTreeMap<Place, Event>,
    planned: u64,
}

impl Queue {
    /// Plans an event; answers where it stands.
    pub fn plan(&mut self, at: Ms, event: Event) -> Place {
        self.planned += 1;
        let place = (at, self.planned);
        self.events.insert(place, event);
        place
    }

    /// Takes an event out that is not to happen any more.
    pub fn cancel(&mut self, place: Place) {
        self.events.remove(&place);
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Ms> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next one that is due by `now`.
    pub fn take(&mut self, now: Ms) -> Option<Event> {
        let entry = self.events.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
