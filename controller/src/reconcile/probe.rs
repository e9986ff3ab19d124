//! Trying the path that users take, when that is all that is missing.

use super::{Controller, Key};
use dormouse_core::naming;
use dormouse_manifests::Protocol;
use std::time::Duration;
use tracing::debug;

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// Port of the proxy's traffic and, for HTTP, of its `/health`.
const PORT: u16 = 9060;
/// Port of `/health` when the traffic is raw TCP.
const TCP_HEALTH_PORT: u16 = 9061;

impl Controller {
    /// Tries a service's proxy and plans the service again.
    pub(super) async fn probe(&self, name: &str, address: &str) {
        let Some(known) = self.records.get(name) else { return };
        let port = match known.record.spec.protocol {
            Protocol::Http | Protocol::H2c => PORT,
            Protocol::Tcp => TCP_HEALTH_PORT,
        };
        let host = naming::record_name(name, &self.settings.domain);
        match self.prober.probe(address, port, &host).await {
            Ok(()) => {
                self.world().probes.insert(name.to_owned(), (self.now(), address.to_owned()));
                self.schedule(name);
            }
            Err(why) => {
                debug!(service = name, address, why, "the proxy is not reached");
                self.due(Key::Service(name.to_owned()), AGAIN);
            }
        }
    }
}
