//! Requests on their way: each is answered once, or cut off by the end of something that carries it.

use crate::profile::Ms;
use crate::queue::Event;
use crate::sim::Sim;

/// A request that was accepted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The service that it is for.
    pub service: String,
    /// The proxy task that carries it; none at the activator.
    pub proxy: Option<String>,
    /// The controller whose activator carries it.
    pub activator: Option<usize>,
    /// The service task that answers it; none while it is held.
    pub answers: Option<String>,
    /// When it was accepted.
    pub since: Ms,
    /// How long the service takes.
    pub takes: Ms,
}

/// What became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    /// Accepted by a proxy or an activator.
    pub accepted: u64,
    /// Answered by the service.
    pub answered: u64,
    /// Answered with 404, 503 or 504.
    pub refused: u64,
    /// Cut off by a crash.
    pub cut: u64,
    /// Never accepted: nobody listens at the address.
    pub unreachable: u64,
}

impl Sim {
    /// A request was accepted.
    pub fn accept(&mut self, request: Request) -> u64 {
        let id = self.truth.number();
        self.audit.answers.accepted += 1;
        let sent = request.answers.is_some();
        let takes = request.takes;
        if let Some(proxy) = request.proxy.as_ref().and_then(|arn| self.truth.tasks.get_mut(arn)) {
            proxy.sidecar.in_flight += 1;
            proxy.sidecar.requests += 1;
            proxy.sidecar.used_at = self.now;
            proxy.sidecar.asked_at = self.now;
            let (arn, requests) = (proxy.seen.arn.clone(), proxy.sidecar.requests);
            crate::check::taken(self, &arn, requests);
        }
        self.used_at_activator(&request);
        self.truth.requests.insert(id, request);
        if sent {
            self.plan(takes, Event::Answered(id));
        }
        id
    }

    /// A held request is sent to a service task.
    pub fn send(&mut self, id: u64, answers: &str) {
        let Some(request) = self.truth.requests.get_mut(&id) else { return };
        request.answers = Some(answers.to_owned());
        let takes = request.takes;
        self.plan(takes, Event::Answered(id));
    }

    /// The service has answered.
    pub fn answered(&mut self, id: u64) {
        if self.end_request(id).is_some() {
            self.audit.answers.answered += 1;
        }
    }

    /// Whoever carries it gave another answer in the service's place.
    pub fn refuse(&mut self, id: u64) {
        if self.end_request(id).is_some() {
            self.audit.answers.refused += 1;
        }
    }

    fn end_request(&mut self, id: u64) -> Option<Request> {
        let request = self.truth.requests.remove(&id)?;
        self.used_at_activator(&request);
        if let Some(proxy) = request.proxy.as_ref().and_then(|arn| self.truth.tasks.get_mut(arn)) {
            proxy.sidecar.in_flight = proxy.sidecar.in_flight.saturating_sub(1);
            proxy.sidecar.used_at = self.now;
        }
        Some(request)
    }

    fn used_at_activator(&mut self, request: &Request) {
        if request.activator.is_some() {
            self.truth.used_at_activator.insert(request.service.clone(), self.now);
        }
    }

    /// A task's containers are gone: what it carried is cut off, what it was to answer gets a 503.
    pub fn cut_off(&mut self, arn: &str) {
        let carried = |request: &Request| request.proxy.as_deref() == Some(arn);
        let asked = |request: &Request| request.answers.as_deref() == Some(arn);
        let cut: Vec<u64> =
            self.truth.requests.iter().filter(|(_, request)| carried(request)).map(|(id, _)| *id).collect();
        for id in cut {
            if let Some(request) = self.end_request(id) {
                self.audit.answers.cut += 1;
                crate::check::cut(self, arn, &request);
            }
        }
        let lost: Vec<u64> =
            self.truth.requests.iter().filter(|(_, request)| asked(request)).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(request) = self.truth.requests.get(&id).cloned() {
                crate::check::unanswered(self, arn, &request);
            }
            self.refuse(id);
        }
    }

    /// A controller is gone, and with it what its activator carried.
    pub fn cut_activator(&mut self, controller: usize) {
        let carried: Vec<u64> = self
            .truth
            .requests
            .iter()
            .filter(|(_, request)| request.activator == Some(controller))
            .map(|(id, _)| *id)
            .collect();
        for id in carried {
            self.end_request(id);
            self.audit.answers.cut += 1;
        }
    }
}
