//! The controller's clock beside AWS's.

use super::finding::Finding;
use jiff::Timestamp;
use std::time::Duration;

const ABOUT: &str = "AWS's clock";
/// A signature is accepted within it.
///
/// Source: AWS Identity and Access Management User Guide, "Troubleshoot Signature Version 4 signing", on the time of a
/// request.
pub const SKEW: Duration = Duration::from_secs(300);
/// Clocks that are kept are together within this, with what an answer takes on its way.
const KEPT: Duration = Duration::from_secs(30);

/// What time it is, by whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The controller's.
    pub own: Timestamp,
    /// AWS's, as it dates its answers; `None` when none was dated.
    pub aws: Option<Timestamp>,
}

pub(super) fn check(clocks: Clocks) -> Finding {
    const FIX: &str = "have the controller's machine keep its clock (chrony and the Amazon Time Sync Service); of a \
                       task on Fargate, stop the task: ECS starts another one elsewhere";
    let Some(aws) = clocks.aws else {
        return Finding::unread(ABOUT, "no answer of AWS was dated");
    };
    let apart = clocks.own.duration_since(aws).unsigned_abs();
    let message = format!("AWS's and the controller's are {} s apart", apart.as_secs());
    if apart >= SKEW {
        return Finding::problem(
            ABOUT,
            format!("{message}: signatures are refused from {} s on", SKEW.as_secs()),
            FIX,
        );
    }
    if apart >= KEPT {
        return Finding::warning(ABOUT, message, FIX);
    }
    Finding::ok(ABOUT, message)
}
