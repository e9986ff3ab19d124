//! All that the control plane asks of a cloud, together.

use crate::count::Calls;
use crate::ports::{Groups, Instances, Interfaces, Tasks, Zones};
use std::sync::Arc;

/// What the control plane reaches AWS through.
#[derive(Clone)]
pub struct Cloud {
    /// Tasks and their definitions.
    pub tasks: Arc<dyn Tasks>,
    /// Container instances.
    pub instances: Arc<dyn Instances>,
    /// The Auto Scaling group.
    pub groups: Arc<dyn Groups>,
    /// Hosted zones.
    pub zones: Arc<dyn Zones>,
    /// Network interfaces.
    pub interfaces: Arc<dyn Interfaces>,
    /// How many calls were made, by operation.
    pub calls: Arc<Calls>,
}
