//! The container's wish to sleep, from the file to the controller's order: pure.
//!
//! It is told in every heartbeat until one was answered, and for a little longer, so that no reader misses it.
//! Then the controller sleeps the service in order, or keeps it because somebody wants it: either way it is
//! the controller's. Only when it falls silent meanwhile does the sidecar act on its own.

use std::time::Duration;

/// How long a wish that was heard is still repeated.
const REPEATED: Duration = Duration::from_secs(5);
/// The controller may be silent for so long before the sidecar ends by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long the controller has sleep refused: somebody woke the service again.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// What the container wants. Times are since any fixed instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wish {
    /// Nothing.
    #[default]
    None,
    /// To sleep, and the controller does not know yet.
    Asked(String),
    /// To sleep, and the controller knows since then.
    Told(String, Duration),
}

impl Wish {
    /// What to say in a heartbeat.
    pub fn words(&self, now: Duration) -> Option<&str> {
        match self {
            Wish::None => None,
            Wish::Asked(words) => Some(words),
            Wish::Told(words, at) => (now.saturating_sub(*at) < REPEATED).then_some(words),
        }
    }

    /// A heartbeat with these words was answered; `true` the first time.
    pub fn heard(&mut self, told: &str, now: Duration) -> bool {
        match self {
            Wish::Asked(words) if words == told => {
                *self = Wish::Told(std::mem::take(words), now);
                true
            }
            _ => false,
        }
    }

    /// Whether to end without an order, with a controller that has been silent for so long.
    pub fn acts_alone(&self, silent: Duration, now: Duration) -> bool {
        match self {
            Wish::None => false,
            Wish::Asked(_) => silent > PATIENCE,
            Wish::Told(_, at) => silent > PATIENCE && now.saturating_sub(*at) < FORGOTTEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_wish_is_told_until_heard_and_a_little_longer() {
        let mut wish = Wish::Asked("done".into());
        assert_eq!(wish.words(secs(99)), Some("done"));
        assert!(!wish.heard("something else", secs(100)));
        assert!(wish.heard("done", secs(100)));
        assert!(!wish.heard("done", secs(101)), "only once");
        assert_eq!(wish.words(secs(104)), Some("done"));
        assert_eq!(wish.words(secs(105)), None);
    }

    #[test]
    fn silence_makes_it_act_alone() {
        let asked = Wish::Asked("done".into());
        assert!(!asked.acts_alone(secs(30), secs(40)));
        assert!(asked.acts_alone(secs(31), secs(40)));
        let told = Wish::Told("done".into(), secs(100));
        assert!(told.acts_alone(secs(31), secs(140)));
        assert!(!told.acts_alone(secs(31), secs(400)), "somebody woke it again, long ago");
        assert!(!Wish::None.acts_alone(secs(9999), secs(9999)));
    }
}
