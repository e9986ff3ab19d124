//! The loop that joins a watch with its checks.

use crate::jitter::Jitter;
use crate::link::Link;
use crate::probe::{self, Check};
use crate::watch::{Settings, Verdict, Watch};
use crate::wire::{PeerAddress, PeerHealth};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

/// Watches whoever listens at the address, once there is one; returns when it is lost, with the last
/// check's error. `tell` hears of each check: how it is, and what is wrong.
///
/// Another address is another process, which starts anew. Cancel safe.
pub async fn keep(
    what: &str,
    settings: Settings,
    check: Check,
    mut address: Receiver<Option<PeerAddress>>,
    tell: impl Fn(PeerHealth, Option<String>),
) -> String {
    let start = Instant::now();
    let mut watch = Watch::new(settings, start.elapsed(), Jitter::new());
    let mut last = None;
    loop {
        let Some(peer) = address.borrow_and_update().clone() else {
            if address.changed().await.is_err() {
                // Whoever knew addresses is gone, and so will be this process.
                std::future::pending::<()>().await;
            }
            watch.replaced(start.elapsed());
            continue;
        };
        let began = Instant::now();
        let result = tokio::select! {
            result = probe::check(&check, &peer.host, peer.port, settings.timeout()) => result,
            true = moved(&mut address, &peer) => {
                tracing::info!("{what} moved from {}:{}", peer.host, peer.port);
                watch.replaced(start.elapsed());
                continue;
            }
        };
        let (verdict, delay) = watch.record(result.is_ok(), start.elapsed());
        let error = result.err().map(|e| format!("{what} at {}:{}: {e}", peer.host, peer.port));
        say(what, verdict, last, error.as_deref());
        last = Some(verdict);
        tell(watch.health(), error.clone());
        if verdict == Verdict::Lost {
            return error.unwrap_or_default();
        }
        tokio::select! {
            () = sleep_until(began + delay) => {}
            true = moved(&mut address, &peer) => {
                tracing::info!("{what} moved from {}:{}", peer.host, peer.port);
                watch.replaced(start.elapsed());
            }
        }
    }
}

/// Waits until the address is another one. `false`, at once, when nobody can change it any more.
async fn moved(address: &mut Receiver<Option<PeerAddress>>, from: &PeerAddress) -> bool {
    address.wait_for(|now| now.as_ref().is_some_and(|now| now != from)).await.is_ok()
}

/// Waits until nobody can help any more: no address is known, and the controller, which knows addresses, has
/// been silent for the whole grace period. Without this an orphan would run, and cost, for ever. Cancel safe.
pub async fn stranded(link: Option<&Link>, address: Receiver<Option<PeerAddress>>, grace: Duration) {
    let Some(link) = link else { return std::future::pending().await };
    loop {
        let silent = link.silent_for();
        if silent >= grace && address.borrow().is_none() {
            return;
        }
        sleep(grace.saturating_sub(silent).clamp(Duration::from_millis(20), Duration::from_secs(5))).await;
    }
}

/// Logs what changed.
pub fn say(what: &str, verdict: Verdict, last: Option<Verdict>, error: Option<&str>) {
    let error = error.unwrap_or_default();
    match verdict {
        Verdict::Lost => tracing::error!(error, "{what} is lost"),
        Verdict::Failing => tracing::warn!(error, "{what} fails its health check"),
        Verdict::Healthy if last != Some(Verdict::Healthy) => tracing::info!("{what} is healthy"),
        Verdict::Awaited if last.is_none() => tracing::info!(error, "waiting for {what}"),
        Verdict::Awaited | Verdict::Healthy => {}
    }
}
