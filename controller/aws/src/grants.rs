//! Which statement of the shipped policy allows an action: what to put back when AWS refuses it.

use serde_json::Value;
use std::sync::OnceLock;

/// The controller's policy, as it is deployed.
const POLICY: &str = include_str!("../../../manifests/infrastructure/policies/controller.json");
/// What users know it as.
const FILE: &str = "policies/controller.json";

/// Every action, with the name of a statement that allows it.
fn grants() -> &'static [(String, String)] {
    static GRANTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    GRANTS.get_or_init(|| {
        let policy: Value = serde_json::from_str(POLICY).unwrap_or_default();
        let statements = policy["Statement"].as_array().into_iter().flatten();
        let grants = statements.flat_map(|statement| {
            let name = statement["Sid"].as_str().unwrap_or_default();
            let actions = statement["Action"].as_array().into_iter().flatten();
            actions.filter_map(Value::as_str).map(|action| (action.to_owned(), name.to_owned()))
        });
        grants.collect()
    })
}

/// AWS's words for what it refused, and which statement would allow it. The action is the one that the words
/// name: a call may lack one that it brings along, such as `iam:PassRole`.
pub fn explained(operation: &str, message: &str) -> String {
    let named = |action: &str| {
        let rest = message.split_once(&format!("to perform: {action}")).map(|(_, rest)| rest);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    let action = grants().iter().map(|(action, _)| action.as_str()).find(|action| named(action));
    let action = action.unwrap_or(operation);
    let names: Vec<_> =
        grants().iter().filter(|(known, _)| known == action).map(|(_, name)| name.as_str()).collect();
    if names.is_empty() {
        message.to_owned()
    } else {
        format!("{message} ({action} is allowed by {} of {FILE})", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_is_named() {
        let words = |action: &str| {
            format!(
                "User: u is not authorized to perform: {action} on resource: r because no policy allows it"
            )
        };
        let run = words("ecs:RunTask");
        assert_eq!(
            explained("ecs:RunTask", &run),
            format!("{run} (ecs:RunTask is allowed by RunTasks of policies/controller.json)")
        );
        // A call that brings another action along.
        let pass = explained("ecs:RegisterTaskDefinition", &words("iam:PassRole"));
        assert!(
            pass.ends_with("(iam:PassRole is allowed by PassRolesToTasks of policies/controller.json)"),
            "{pass}"
        );
        // Words without an action: the call's own.
        let bare = explained("ecs:StopTask", "no");
        assert_eq!(bare, "no (ecs:StopTask is allowed by ReadAndStopTasks of policies/controller.json)");
        // An action whose name begins like a known one, and one that nobody knows.
        assert_eq!(explained("a:B", &words("ecs:ListTasksOfAll")), words("ecs:ListTasksOfAll"));
    }
}
