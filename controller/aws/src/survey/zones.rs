//! Hosted zones.

use super::Survey;
use crate::error::incomplete;
use crate::ports::CloudError;
use crate::route53::plain_name;
use dormouse_core::doctor::facts::HostedZone;

const ZONE: &str = "route53:GetHostedZone";

impl Survey {
    /// A zone; `NotFound` when there is none of that id.
    pub(super) async fn zone(&self, id: &str) -> Result<HostedZone, CloudError> {
        let answer = self.calls.settle(ZONE, self.zones.get_hosted_zone().id(id).send().await)?;
        let zone = answer.hosted_zone().ok_or_else(|| incomplete(ZONE, "an answer without a zone"))?;
        let servers = answer.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
        Ok(HostedZone {
            name: plain_name(zone.name()),
            private: zone.config().is_some_and(|config| config.private_zone()),
            name_servers: servers.iter().map(|server| plain_name(server)).collect(),
        })
    }
}
