//! How many sockets and files may be open: each request that is held is one, and each that is forwarded another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for what is held by default, and for the connections to services.
const WANTED: u64 = 65_536;

/// Raises the limit to what is wanted, or as far as the system lets it; answers how many there may be.
pub fn raise() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let current = before.current.unwrap_or(u64::MAX);
    for (now, maximum) in tries(before.current, before.maximum) {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(now), maximum }) {
            Ok(()) => {
                tracing::info!(from = current, to = now, "limit of open files raised");
                return now;
            }
            Err(error) => tracing::debug!(now, ?maximum, %error, "not allowed"),
        }
    }
    current
}

/// What to set, the best first: the limit, and how far it may be raised.
fn tries(current: Option<u64>, maximum: Option<u64>) -> Vec<(u64, Option<u64>)> {
    let (now, most) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    // More than the hard limit takes a privilege, which tasks seldom have.
    let (best, next) = if most >= WANTED {
        ((WANTED, maximum), None)
    } else {
        ((WANTED, Some(WANTED)), Some((most, maximum)))
    };
    [Some(best), next].into_iter().flatten().filter(|(to, _)| *to > now).collect()
}

/// Says so when fewer files may be open than requests may be held.
pub fn suffice(open: u64, held: usize) {
    if open < u64::try_from(held).unwrap_or(u64::MAX).saturating_add(1_000) {
        tracing::warn!(
            limit = open,
            held,
            "fewer files may be open than requests may be held (DORMOUSE_MAX_HELD): raise `nofile` of the task"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_as_far_as_it_goes_and_never_lowered() {
        for (current, maximum, expected) in [
            (Some(1_024), Some(1_048_576), &[(WANTED, Some(1_048_576))][..]),
            (Some(1_024), None, &[(WANTED, None)]),
            (Some(1_024), Some(4_096), &[(WANTED, Some(WANTED)), (4_096, Some(4_096))]),
            (Some(4_096), Some(4_096), &[(WANTED, Some(WANTED))]),
            (Some(WANTED), Some(WANTED), &[]),
            (Some(100_000), Some(100_000), &[]),
            (None, None, &[]),
        ] {
            assert_eq!(tries(current, maximum), expected, "{current:?} {maximum:?}");
        }
        assert!(raise() > 0);
    }
}
