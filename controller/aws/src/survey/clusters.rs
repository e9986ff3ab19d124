//! ECS clusters.

use super::Survey;
use crate::error::incomplete;
use crate::ports::CloudError;
use dormouse_core::doctor::facts::Cluster;

const DESCRIBE: &str = "ecs:DescribeClusters";
/// `failures[].reason` of a cluster that is not there.
const MISSING: &str = "MISSING";

impl Survey {
    /// A cluster by its name or ARN; `NotFound` when there is none.
    pub(super) async fn cluster(&self, name: &str) -> Result<Cluster, CloudError> {
        let answer = self.calls.settle(DESCRIBE, self.ecs.describe_clusters().clusters(name).send().await)?;
        if let Some(cluster) = answer.clusters().first() {
            return Ok(Cluster {
                status: cluster.status().unwrap_or_default().to_owned(),
                providers: cluster.capacity_providers().iter().cloned().collect(),
            });
        }
        match answer.failures().first().and_then(|failure| failure.reason()) {
            Some(MISSING) => Err(CloudError::NotFound { operation: DESCRIBE, message: name.to_owned() }),
            other => Err(incomplete(DESCRIBE, other.unwrap_or("an answer without the cluster"))),
        }
    }
}
