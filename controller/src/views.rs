//! Questions that are asked of a service's view in more than one place.

use dormouse_core::view::ServiceView;
use dormouse_state::{Condition, ConditionType};

/// A condition, when it is known.
pub fn condition(view: &ServiceView, kind: ConditionType) -> Option<&Condition> {
    view.status.conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether a condition is known and true.
pub fn holds(view: &ServiceView, kind: ConditionType) -> bool {
    condition(view, kind).is_some_and(|condition| condition.status)
}

/// Whether a request through the service's own record is answered.
pub fn is_ready(view: &ServiceView) -> bool {
    holds(view, ConditionType::Ready)
}
