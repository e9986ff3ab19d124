//! A lease that two hold: for a while each controller sees of it only what it wrote itself, and takes it for its own.
//!
//! No table does this. It is what a leader believes that was stopped together with its clock, made as long as one likes:
//! what stands between two that lead is then the fence of each row, and nothing else.

use crate::profile::Ms;
use crate::sim::Sim;
use dormouse_state::{Lease, StoreError};
use std::collections::BTreeMap;

/// Two leases of one name.
#[derive(Debug, Default)]
pub struct Split {
    /// Until then.
    pub until: Ms,
    /// What each controller wrote.
    own: BTreeMap<usize, Lease>,
}

impl Split {
    /// Whether it is still split.
    pub fn lasts(&self, now: Ms) -> bool {
        now < self.until
    }
}

impl Sim {
    /// From now on nobody sees what others write of the lease.
    pub fn split_lease(&mut self, span: Ms, lease: Option<Lease>) {
        let (until, leader) = (self.now + span, self.truth.leader.map(|(controller, _)| controller));
        let own = leader.zip(lease).into_iter().collect();
        self.truth.split = Some(Split { until, own });
    }

    /// The lease as a controller sees it while it is split: its own, or one that is free. `None`: it is whole.
    pub fn own_lease(&self, controller: usize, lease: Option<&Lease>) -> Option<Lease> {
        let split = self.truth.split.as_ref().filter(|split| split.lasts(self.now))?;
        // No epoch is given twice, whatever is believed.
        let epoch = split.own.values().chain(lease).map(|lease| lease.epoch).max()?;
        Some(match split.own.get(&controller) {
            Some(own) => Lease { epoch, ..own.clone() },
            None => Lease { holder: String::new(), nonce: String::new(), epoch, url: None, at: None },
        })
    }

    /// A controller writes it while it is split. Answers what stood there for it, and whether this is the lease that
    /// stands when it is whole again. `None`: it is whole.
    pub fn write_own_lease(
        &mut self,
        controller: usize,
        whole: Option<&Lease>,
        next: &Lease,
        expected: Option<&str>,
    ) -> Option<Result<(Lease, bool), StoreError>> {
        let seen = self.own_lease(controller, whole)?;
        let own = &mut self.truth.split.as_mut()?.own;
        let mut others = own.iter().filter(|(other, _)| **other != controller);
        if Some(seen.nonce.as_str()) != expected || others.any(|(_, lease)| lease.epoch == next.epoch) {
            return Some(Err(StoreError::Conflict { key: "lease".to_owned() }));
        }
        let before = own.insert(controller, next.clone()).unwrap_or(seen);
        Some(Ok((before, own.values().all(|other| other.epoch <= next.epoch))))
    }
}
