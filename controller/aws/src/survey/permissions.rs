//! Whether calls that change something would be let through. ECS, Auto Scaling and Route 53 have no dry run; but they ask
//! IAM first, and only then look at what the call is about. So each is made for what is not there: it is refused either
//! way, and which way tells.

use super::Survey;
use crate::ports::CloudError;
use crate::route53;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, ContainerInstanceStatus, LaunchType, NetworkConfiguration,
};
use dormouse_core::dns::Change;
use dormouse_core::doctor::{Reading, Site};
use dormouse_core::observed::RecordSet;
use std::collections::BTreeMap;

/// Id of no task, and of no container instance.
const NOTHING: &str = "00000000000000000000000000000000";
/// Id of no instance.
const NO_INSTANCE: &str = "i-00000000000000000";
/// In a family of this installation's; a service's family ends with the role.
const NO_FAMILY: &str = "nothing-at-all:1";
/// An address of nobody. Source: RFC 5737.
const NO_ADDRESS: &str = "192.0.2.1";

impl Survey {
    /// Calls that change something, and whether the controller may make them: `Unread` when not, with AWS's words.
    pub(super) async fn permissions(
        &self,
        site: &Site,
        install: &str,
    ) -> Result<BTreeMap<&'static str, Reading<()>>, CloudError> {
        let definition = format!("dormouse-{install}-{NO_FAMILY}");
        Ok(BTreeMap::from([
            ("ecs:RunTask", allowed(self.run_nothing(site, &definition).await)?),
            ("ecs:StopTask", allowed(self.stop_nothing(site).await)?),
            ("ecs:DeregisterTaskDefinition", allowed(self.deregister_nothing(&definition).await)?),
            ("ecs:UpdateContainerInstancesState", allowed(self.drain_nothing(site).await)?),
            ("autoscaling:SetInstanceProtection", allowed(self.protect_nothing(site).await)?),
            ("route53:ChangeResourceRecordSets", allowed(self.delete_nothing(site).await)?),
        ]))
    }

    async fn run_nothing(&self, site: &Site, definition: &str) -> Result<(), CloudError> {
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(site.proxy_subnets.clone()))
            .set_security_groups(Some(site.security_groups.clone()))
            .assign_public_ip(AssignPublicIp::Enabled)
            .build();
        let Ok(network) = network else { return Ok(()) };
        let run = self
            .ecs
            .run_task()
            .cluster(&site.proxy_cluster)
            .task_definition(definition)
            .launch_type(LaunchType::Fargate)
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build());
        self.calls.settle("ecs:RunTask", run.send().await).map(drop)
    }

    async fn stop_nothing(&self, site: &Site) -> Result<(), CloudError> {
        for cluster in [&site.proxy_cluster, &site.service_cluster] {
            let stop = self.ecs.stop_task().cluster(cluster).task(NOTHING);
            let answer = self.calls.settle("ecs:StopTask", stop.send().await);
            if let Err(CloudError::Denied { .. }) = &answer {
                return answer.map(drop);
            }
        }
        Ok(())
    }

    async fn deregister_nothing(&self, definition: &str) -> Result<(), CloudError> {
        let deregister = self.ecs.deregister_task_definition().task_definition(definition);
        self.calls.settle("ecs:DeregisterTaskDefinition", deregister.send().await).map(drop)
    }

    async fn drain_nothing(&self, site: &Site) -> Result<(), CloudError> {
        let drain = self
            .ecs
            .update_container_instances_state()
            .cluster(&site.service_cluster)
            .container_instances(NOTHING)
            .status(ContainerInstanceStatus::Draining);
        self.calls.settle("ecs:UpdateContainerInstancesState", drain.send().await).map(drop)
    }

    async fn protect_nothing(&self, site: &Site) -> Result<(), CloudError> {
        let protect = self
            .groups
            .set_instance_protection()
            .auto_scaling_group_name(&site.group)
            .instance_ids(NO_INSTANCE)
            .protected_from_scale_in(true);
        self.calls.settle("autoscaling:SetInstanceProtection", protect.send().await).map(drop)
    }

    async fn delete_nothing(&self, site: &Site) -> Result<(), CloudError> {
        // No service's name begins like this.
        let name = format!("_nothing._dormouse.{}", site.domain);
        let values = vec![NO_ADDRESS.to_owned()];
        let set = RecordSet { name, kind: "A".to_owned(), ttl: Some(1), values, special: false };
        let batch = route53::batch(&[Change::Delete(set)], "dormouse: may records be changed?")?;
        let delete = self.zones.change_resource_record_sets().hosted_zone_id(&site.zone).change_batch(batch);
        self.calls.settle("route53:ChangeResourceRecordSets", delete.send().await).map(drop)
    }
}

/// What the refusal of an impossible call tells.
fn allowed(answer: Result<(), CloudError>) -> Result<Reading<()>, CloudError> {
    match answer {
        Ok(()) | Err(CloudError::NotFound { .. } | CloudError::Refused { .. }) => Ok(Reading::Known(())),
        Err(error @ CloudError::Denied { .. }) => Ok(Reading::Unread(error.to_string())),
        Err(error @ (CloudError::Throttled { .. } | CloudError::Unknown { .. })) => Err(error),
    }
}
