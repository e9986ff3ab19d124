//! The watch over the user's container: every 200 ms until it first answers, then steadily.
//!
//! A container that *ends* takes the task with it, because it is essential. One that lives but answers no
//! more is lost in the same way as a peer: the sidecar ends, and with it the task, rather than have a proxy
//! send people to it.

use crate::settings::Container;
use dormouse_peer::jitter::Jitter;
use dormouse_peer::patrol::say;
use dormouse_peer::probe;
use dormouse_peer::watch::{self, Verdict, Watch};
use dormouse_peer::wire::PeerHealth;
use std::net::IpAddr;
use tokio::time::{Instant, sleep_until};

/// Checks once, at each address until one answers.
///
/// # Errors
/// The last one's error, in words.
pub async fn check(container: &Container, addresses: &[IpAddr]) -> Result<IpAddr, String> {
    let mut error = String::new();
    for address in addresses {
        let host = address.to_string();
        match probe::check(&container.check, &host, container.port, container.timeout).await {
            Ok(()) => return Ok(*address),
            Err(failure) => error = format!("the container at {host}:{}: {failure}", container.port),
        }
    }
    Err(error)
}

/// Watches until it is lost; returns the last check's error. `tell` hears of each check.
pub async fn keep(
    container: &Container,
    settings: watch::Settings,
    tell: impl Fn(PeerHealth, Option<String>, Option<IpAddr>),
) -> String {
    let start = Instant::now();
    let mut watch = Watch::new(settings, start.elapsed(), Jitter::new());
    let mut addresses = container.addresses.clone();
    let mut last = None;
    loop {
        let began = Instant::now();
        let result = check(container, &addresses).await;
        let (verdict, delay) = watch.record(result.is_ok(), start.elapsed());
        let error = match result {
            Ok(answered) => {
                // From here on this one is the container; the other may be anybody.
                addresses = vec![answered];
                None
            }
            Err(error) => Some(error),
        };
        say("the container", verdict, last, error.as_deref());
        last = Some(verdict);
        tell(watch.health(), error.clone(), addresses.first().copied().filter(|_| error.is_none()));
        if verdict == Verdict::Lost {
            return error.unwrap_or_default();
        }
        sleep_until(began + delay).await;
    }
}
