//! Links that wake a service which asks for a token, each good once and for ten minutes, and the cookies they set.
//!
//! Both are texts with an HMAC: nothing of them is kept but the links that were used and are not over yet.

use crate::clock::Clock;
use crate::config::Secret;
use dormouse_peer::token::{seal, unseal};
use jiff::Timestamp;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a link is good.
pub const LINK_LASTS: Duration = Duration::from_secs(600);
/// How long a browser may wake the service with what a link gave it.
pub const PASS_LASTS: Duration = Duration::from_secs(7 * 86_400);
/// So many used links are remembered. Only links that were made here get that far.
const MAX_USED: usize = 10_000;

/// Why a link is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPass {
    /// It was not made here, or for another service.
    #[error("the link is none of this service's")]
    Wrong,
    /// Its time is over.
    #[error("the link is too old: it is good for ten minutes")]
    Old,
    /// It was opened before.
    #[error("the link was used before: it is good once")]
    Used,
}

/// Makes links and passes, and checks them.
pub struct Passes {
    secret: Secret,
    clock: Arc<dyn Clock>,
    /// Nonce → when its link is over.
    used: Mutex<HashMap<String, i64>>,
}

impl Passes {
    /// With the key of the sidecars' tokens.
    pub fn new(secret: Secret, clock: Arc<dyn Clock>) -> Arc<Passes> {
        Arc::new(Passes { secret, clock, used: Mutex::default() })
    }

    /// A link's token, and until when it is good.
    pub fn link(&self, service: &str) -> (String, Timestamp) {
        let until = self.now().saturating_add(i64::try_from(LINK_LASTS.as_secs()).unwrap_or(i64::MAX));
        // It need not be secret, only new: two keyed hashes with keys from the system's randomness.
        let (one, two) = (RandomState::new().hash_one(until), RandomState::new().hash_one(service));
        let text = format!("link1:{service}:{until}:{one:016x}{two:016x}");
        (self.seal(&text), Timestamp::from_second(until).unwrap_or(Timestamp::MAX))
    }

    /// Uses a link up; answers the pass that its browser gets.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(&self, service: &str, token: &str) -> Result<String, NoPass> {
        let text = self.open(token).ok_or(NoPass::Wrong)?;
        let ["link1", own, until, nonce] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(NoPass::Wrong);
        };
        let until: i64 = until.parse().ok().filter(|_| own == service).ok_or(NoPass::Wrong)?;
        let now = self.now();
        if until <= now {
            return Err(NoPass::Old);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(nonce) {
            return Err(NoPass::Used);
        }
        if used.len() >= MAX_USED {
            used.retain(|_, until| *until > now);
        }
        // Nobody opens so many in ten minutes; whoever does has to wait.
        if used.len() >= MAX_USED {
            return Err(NoPass::Old);
        }
        used.insert(nonce.to_owned(), until);
        let ends = now.saturating_add(i64::try_from(PASS_LASTS.as_secs()).unwrap_or(i64::MAX));
        Ok(self.seal(&format!("pass1:{service}:{ends}")))
    }

    /// Whether a pass lets its bearer wake this service.
    pub fn admits(&self, service: &str, pass: &str) -> bool {
        let Some(text) = self.open(pass) else { return false };
        match text.split(':').collect::<Vec<_>>()[..] {
            ["pass1", own, ends] => own == service && ends.parse::<i64>().is_ok_and(|ends| ends > self.now()),
            _ => false,
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    fn seal(&self, text: &str) -> String {
        seal(self.secret.expose().as_bytes(), text)
    }

    fn open<'a>(&self, sealed: &'a str) -> Option<&'a str> {
        unseal(self.secret.expose().as_bytes(), sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
        }
    }

    fn passes() -> (Arc<Passes>, Arc<Hand>) {
        let hand = Arc::new(Hand(AtomicI64::new(1_000)));
        (Passes::new(Secret::new("a secret"), Arc::<Hand>::clone(&hand)), hand)
    }

    #[test]
    fn a_link_is_good_once() {
        let (passes, _) = passes();
        let (link, until) = passes.link("hello");
        assert_eq!(until.as_second(), 1_600);
        let pass = passes.enter("hello", &link).unwrap();
        assert!(passes.admits("hello", &pass));
        assert_eq!(passes.enter("hello", &link), Err(NoPass::Used));
        assert!(passes.enter("hello", &passes.link("hello").0).is_ok(), "each link by itself");
    }

    #[test]
    fn both_end() {
        let (passes, hand) = passes();
        let (link, _) = passes.link("hello");
        let pass = passes.enter("hello", &passes.link("hello").0).unwrap();
        hand.0.store(1_600, Ordering::SeqCst);
        assert_eq!(passes.enter("hello", &link), Err(NoPass::Old));
        hand.0.store(1_000 + 7 * 86_400 - 1, Ordering::SeqCst);
        assert!(passes.admits("hello", &pass));
        hand.0.store(1_000 + 7 * 86_400, Ordering::SeqCst);
        assert!(!passes.admits("hello", &pass));
    }

    #[test]
    fn neither_is_made_elsewhere_or_for_others() {
        let (passes, _) = passes();
        let other = Passes::new(Secret::new("another secret"), Arc::new(Hand(AtomicI64::new(1_000))));
        let (link, _) = passes.link("hello");
        let pass = passes.enter("hello", &passes.link("hello").0).unwrap();
        for wrong in
            ["", ":", "link1:hello:9999:0", &other.link("hello").0, &pass, &link.replace("hello", "other")]
        {
            assert_eq!(passes.enter("hello", wrong), Err(NoPass::Wrong), "{wrong}");
        }
        assert_eq!(passes.enter("other", &link), Err(NoPass::Wrong));
        assert!(!passes.admits("other", &pass));
        assert!(!passes.admits("hello", &link), "a link is no pass");
        assert!(!passes.admits("hello", &pass.replace("pass1:hello:", "pass1:hello:9")));
        // Nor is a task's token, which has the same key.
        let identity = dormouse_peer::token::Identity::parse("hello:proxy:1:1").unwrap();
        let token = dormouse_peer::token::sign(b"a secret", &identity);
        assert!(!passes.admits("hello", &token));
        assert_eq!(passes.enter("hello", &token), Err(NoPass::Wrong));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (passes, hand) = passes();
        for _ in 0..MAX_USED {
            passes.enter("hello", &passes.link("hello").0).unwrap();
        }
        assert!(passes.enter("hello", &passes.link("hello").0).is_err());
        hand.0.store(2_000, Ordering::SeqCst);
        assert!(passes.enter("hello", &passes.link("hello").0).is_ok());
        assert_eq!(passes.used.lock().unwrap().len(), 1);
    }
}
