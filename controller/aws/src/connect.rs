//! All adapters over one SDK configuration, and that configuration.

use crate::autoscaling::AutoScalingGroups;
use crate::cloud::Cloud;
use crate::count::Calls;
use crate::ec2::{Ec2, Ec2Interfaces};
use crate::ecs_instances::EcsInstances;
use crate::ecs_tasks::EcsTasks;
use crate::route53::Route53Zones;
use crate::survey::group::Launching;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use std::sync::Arc;
use std::time::Duration;

/// Time limits of one call: to connect, for one try, and for all tries together.
const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(15);
/// Tries of a read. The control plane asks again by its own schedule, so the SDK only bridges a hiccup.
const READ_ATTEMPTS: u32 = 2;

/// The configuration that every client here is made for: region, credentials and endpoint from the SDK's standard
/// chain (environment, profile, task role, instance role), short time limits, two tries.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS))
        .load()
        .await
}

impl Cloud {
    /// Makes every client; nothing is called yet. Calls that change something are sent once, whatever `config`
    /// says of retries: their effect is looked for before they are sent again.
    pub fn connect(config: &SdkConfig) -> Cloud {
        let calls = Arc::new(Calls::default());
        let once = config.to_builder().retry_config(RetryConfig::disabled()).build();
        let ecs = (aws_sdk_ecs::Client::new(config), aws_sdk_ecs::Client::new(&once));
        let groups = (aws_sdk_autoscaling::Client::new(config), aws_sdk_autoscaling::Client::new(&once));
        let zones = (aws_sdk_route53::Client::new(config), aws_sdk_route53::Client::new(&once));
        let ec2 = Ec2::new(config, calls.clone());
        let launching = Launching::new(groups.0.clone(), ec2, calls.clone());
        Cloud {
            tasks: Arc::new(EcsTasks::new(ecs.0.clone(), ecs.1.clone(), calls.clone())),
            instances: Arc::new(EcsInstances::new(ecs.0, ecs.1, calls.clone())),
            groups: Arc::new(AutoScalingGroups::new(groups.0, groups.1, launching, calls.clone())),
            zones: Arc::new(Route53Zones::new(zones.0, zones.1, calls.clone())),
            interfaces: Arc::new(Ec2Interfaces::new(config, calls.clone())),
            calls,
        }
    }
}
