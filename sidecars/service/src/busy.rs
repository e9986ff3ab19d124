//! Asks the user's container whether it is busy.
//!
//! `GET BUSY_PATH`: status 200 and the word `busy` keep the service from falling asleep for idleness; any other answer
//! does not. No answer says nothing: what was known stays, and the health checks find out what is wrong.

use crate::settings::Settings;
use crate::sidecar::Sidecar;
use dormouse_peer::probe;
use std::net::IpAddr;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Asks at every base interval while the container answers; `container` is where. Never ends.
pub async fn ask(sidecar: &Sidecar, settings: &Settings, mut container: watch::Receiver<Option<IpAddr>>) {
    let Some(path) = &settings.busy_path else { return std::future::pending().await };
    loop {
        let began = Instant::now();
        let address = container.wait_for(Option::is_some).await.ok().and_then(|address| *address);
        // Whoever could tell is gone only when the sidecar ends.
        let Some(address) = address else { return std::future::pending().await };
        let (host, at) = (address.to_string(), &settings.container);
        match probe::fetch(&host, at.port, path, at.timeout).await {
            Ok((status, text)) => sidecar.is_busy(status == 200 && says_busy(&text)),
            Err(error) => tracing::debug!("the container does not say whether it is busy: {error}"),
        }
        sleep_until(began + settings.common.watch.base).await;
    }
}

fn says_busy(text: &[u8]) -> bool {
    text.trim_ascii().eq_ignore_ascii_case(b"busy")
}

#[cfg(test)]
mod tests {
    use super::says_busy;

    #[test]
    fn one_word() {
        for (text, busy) in
            [("busy", true), (" Busy\r\n", true), ("not busy", false), ("busybox", false), ("", false)]
        {
            assert_eq!(says_busy(text.as_bytes()), busy, "{text}");
        }
    }
}
