//! What Dormouse remembers: service records, capacity notes and the leader's lease, behind one small trait.
//!
//! # Layout
//!
//! - [`record`]: a service's remembered intention, intents and status
//! - [`pair`]: the intents of a proxy task and a service task that live and die together
//! - [`condition`]: conditions and events, as users read them
//! - [`months`]: time in use, month by month
//! - [`capacity`]: what must survive a restart while instances are removed
//! - [`lease`]: who leads
//! - [`rollout`]: a changed manifest until a pair of it was ready
//! - [`template`]: templates, and what their services remember of them
//! - [`shared`]: what copies of a record have in common
//! - [`store`]: the [`Store`] trait: conditional writes only
//! - [`memory`]: the store in memory
//! - [`counted`]: a store that counts what it is asked
//! - [`planted`](mod@planted): faults that can be planted into decisions (feature `mutants`)
//! - [`dynamodb`]: the store in one DynamoDB table (feature `dynamodb`)

pub mod capacity;
pub mod condition;
pub mod counted;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod lease;
pub mod memory;
pub mod months;
pub mod pair;
pub mod planted;
pub mod record;
pub mod rollout;
pub mod shared;
pub mod store;
pub mod template;

pub use capacity::{CapacityMemory, InstanceSize, Lack, Removal};
pub use condition::{Condition, ConditionType, Event};
pub use counted::{Access, Counted};
pub use lease::Lease;
pub use memory::MemoryStore;
pub use months::Months;
pub use pair::{Launch, Pair, PairId, RunParameters, Runs, TaskEnd, TaskIntent};
pub use record::{
    Cause, Definition, Definitions, Desired, DnsChange, DnsMemory, Phase, Rest, ServiceRecord, WakeCount,
};
pub use rollout::{Good, Rollout};
pub use shared::Shared;
pub use store::{IsKnown, Listed, Store, StoreError, Version, Versioned, admit};
pub use template::{KnownTemplate, MadeFrom, Templates};
