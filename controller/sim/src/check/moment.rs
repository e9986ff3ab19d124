//! The moments at which invariants look.

use crate::profile::Ms;
use crate::truth::requests::Request;
use dormouse_aws::ports::RunCall;
use dormouse_core::budget::Kind;
use dormouse_core::dns::Change;
use dormouse_state::{CapacityMemory, Lease, ServiceRecord};

/// Something that has just been done, or is just about to be.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// A controller makes a call.
    Call {
        /// Which controller.
        controller: usize,
        /// The operation.
        operation: &'a str,
        /// What AWS counts it as.
        kind: Kind,
        /// It changes something.
        changes: bool,
    },
    /// RunTask is called.
    Run(usize, &'a RunCall),
    /// RegisterTaskDefinition is called for a content of this hash.
    Register(&'a str),
    /// DeregisterTaskDefinition is called.
    Deregister(&'a str),
    /// SetDesiredCapacity is called.
    Desire(u32),
    /// SetDesiredCapacity takes effect.
    Desired {
        /// To what.
        desired: u32,
        /// Its caller was overtaken while it was on its way.
        overtaken: bool,
    },
    /// UpdateContainerInstancesState takes effect, to DRAINING or to ACTIVE.
    Drain(&'a [String]),
    /// SetInstanceProtection takes effect.
    Protect(&'a [String]),
    /// TerminateInstance takes effect.
    Terminate(&'a str),
    /// StopTask is called.
    StopCalled(usize, &'a str),
    /// StopTask takes effect.
    Stop(&'a str),
    /// A task has changed.
    Task(&'a str),
    /// A batch of ours is about to take effect in the zone.
    Batch(&'a [Change]),
    /// The zone has changed; by us, with this batch.
    Zone(Option<&'a [Change]>),
    /// A client was led to an address where nobody answers for the service.
    Unreachable(&'a str, &'a str),
    /// A request was cut off at the end of the task that carried it.
    Cut(&'a str, &'a Request),
    /// A request lost the task that was to answer it.
    Unanswered(&'a str, &'a Request),
    /// A service's row was written.
    Row {
        /// By which controller.
        controller: usize,
        /// Under which lease epoch, by a leader.
        fence: Option<u64>,
        /// The row before.
        before: Option<&'a ServiceRecord>,
        /// The row.
        row: &'a ServiceRecord,
    },
    /// A service's row was removed, by this controller or by hand.
    Removed(Option<usize>, &'a str),
    /// The capacity row was written.
    Capacity(&'a CapacityMemory),
    /// The webhook's receiver is told something, by its id.
    Told(&'a str),
    /// The lease was written.
    Lease {
        /// By which controller.
        controller: usize,
        /// When its write began.
        began: Ms,
        /// The lease before.
        before: Option<&'a Lease>,
        /// The lease.
        next: &'a Lease,
    },
    /// Time has passed.
    Tick,
    /// The run is over.
    End,
}
