//! Launches that failed, remembered for a while: between two tries of the group nothing shows that it cannot have any.

use crate::intent::since;
use crate::observed::Fleet;
use dormouse_state::{CapacityMemory, Lack};
use jiff::Timestamp;
use std::time::Duration;

/// A launch that failed says so much of the next ones; as long as Fargate Spot's lack is remembered.
const LACKS_FOR: Duration = crate::lifecycle::pools::SPOT_IS_SHORT_FOR;
/// A lack that goes on is written down again this often.
const AGAIN: Duration = Duration::from_secs(60);

/// Takes a failure down, and forgets it once an instance starts, none is missing, or it is long ago.
pub(super) fn remember(fleet: &Fleet, memory: &mut CapacityMemory, now: Timestamp) {
    let known = memory.lack.take().filter(|lack| since(now, lack.at) < LACKS_FOR);
    memory.lack = match &fleet.launch_failure {
        Some(why) => Some(
            known
                .filter(|lack| since(now, lack.at) < AGAIN)
                .unwrap_or_else(|| Lack { at: now, why: why.clone() }),
        ),
        None => known.filter(|_| is_short(fleet)),
    };
}

/// Whether an instance is missing, and none is starting.
fn is_short(fleet: &Fleet) -> bool {
    let there = fleet.group.members.iter().filter(|member| member.is_part());
    let starting = there.clone().any(|member| member.lifecycle.starts_with("Pending"));
    !starting && there.count() < usize::try_from(fleet.group.desired).unwrap_or(usize::MAX)
}
