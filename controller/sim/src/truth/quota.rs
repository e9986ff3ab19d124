//! The account's quotas of calls: the real buckets, of which others take their share.

use crate::profile::Ms;
use dormouse_core::budget::Kind;
use std::collections::BTreeMap;

/// A thousandth of a call: shares and rates come out whole.
const CALL: u64 = 1_000;

/// What is left of every bucket, and since when.
#[derive(Debug, Default)]
pub struct Quota {
    left: BTreeMap<Kind, (u64, Ms)>,
}

impl Quota {
    /// Takes a call of a kind; `false`: it is throttled. `taken`: the share of others in per mille.
    pub fn take(&mut self, kind: Kind, taken: u64, now: Ms) -> bool {
        let (burst, rate) = bucket(kind);
        let share = 1_000u64.saturating_sub(taken);
        let full = (burst * share).max(CALL);
        let (left, at) = self.left.get(&kind).copied().unwrap_or((full, now));
        // Calls a second times per mille of a share are thousandths of calls a second.
        let left = (left + rate * share * now.saturating_sub(at) / 1_000).min(full);
        let granted = left >= CALL;
        self.left.insert(kind, (if granted { left - CALL } else { left }, now));
        granted
    }
}

/// Burst and sustained rate a second of an account.
///
/// Sources: Amazon ECS API Reference, "Request throttling"; Amazon Route 53 and Amazon CloudWatch Logs, "Quotas". Auto
/// Scaling and EC2 publish none that fits: what the product assumes, twice over.
fn bucket(kind: Kind) -> (u64, u64) {
    match kind {
        Kind::Modify => (100, 40),
        Kind::RunFargate | Kind::Read => (100, 20),
        Kind::Define => (20, 1),
        Kind::Zone | Kind::Logs => (5, 5),
        Kind::Scale | Kind::Network => (40, 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate_less_the_share_of_others() {
        let calls = |taken| {
            let mut quota = Quota::default();
            let burst = (0..200).filter(|_| quota.take(Kind::Read, taken, 0)).count();
            let minute = (1..=60_000).filter(|now| quota.take(Kind::Read, taken, *now)).count();
            (burst, minute)
        };
        assert_eq!(calls(0), (100, 1_200));
        assert_eq!(calls(900), (10, 120));
        assert_eq!(calls(1_000), (1, 0), "and nobody has it all before one begins");
    }
}
