//! The controller's policy, as it is shipped: what it does not allow, the local AWS refuses.

use crate::control::Control;
use crate::paths::infrastructure;
use serde_json::{Value, json};
use std::fs;

/// Gives a controller's key of a seeded world the shipped policy, for the names of this world.
///
/// # Panics
/// When the policy names something that this world does not have.
pub fn enforce(control: &Control, ids: &Value, install: &str) {
    enforce_without(control, ids, install, &[]);
}

/// The same, less some actions.
///
/// # Panics
/// When the policy names something that this world does not have.
pub fn enforce_without(control: &Control, ids: &Value, install: &str, actions: &[&str]) {
    let path = infrastructure().join("policies/controller.json");
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (name, value) in names(ids, install) {
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    assert!(!text.contains("${"), "a name of the policy that a seeded world does not have: {text}");
    let policy: Value = serde_json::from_str(&text).expect("the policy is JSON");
    let denied = json!({"Statement": [{"Effect": "Deny", "Action": actions, "Resource": "*"}]});
    control.post("iam", &json!({"key": ids["env"]["AWS_ACCESS_KEY_ID"], "policy": [policy, denied]}));
}

/// What the template's names are here.
fn names(ids: &Value, install: &str) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let (region, account) = (text(&ids["region"]), text(&ids["account"]));
    let (proxies, services) = (text(&ids["clusters"][0]), text(&ids["clusters"][1]));
    // One cluster may be both.
    let services = if services == "none" { proxies.clone() } else { services };
    let arn = |what: &str, name: &str| format!("arn:aws:{what}:{region}:{account}:{name}");
    vec![
        ("AWS::Partition", "aws".to_owned()),
        ("AWS::Region", region.clone()),
        ("AWS::AccountId", account.clone()),
        ("ProxyCluster.Arn", arn("ecs", &format!("cluster/{proxies}"))),
        ("ServiceCluster.Arn", arn("ecs", &format!("cluster/{services}"))),
        ("ProxyCluster", proxies),
        ("ServiceCluster", services),
        ("ServiceAsg", text(&ids["asg"])),
        ("ServiceLogs.Arn", arn("logs", &format!("log-group:{}:*", text(&ids["logGroup"])))),
        ("Table.Arn", arn("dynamodb", &format!("table/{}", text(&ids["table"])))),
        ("HostedZoneId", text(&ids["hostedZone"])),
        ("PrivateHostedZoneId", text(&ids["privateHostedZone"])),
        ("Domain", text(&ids["domain"])),
        ("InstallId", install.to_owned()),
        ("TaskExecutionRole.Arn", format!("arn:aws:iam::{account}:role/execution")),
    ]
}
