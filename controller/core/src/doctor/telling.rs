//! Whom an installation tells of what happens: its webhook, and its log group.

use super::facts::Reading;
use super::finding::Finding;

/// Who is told, and what is known of them; nobody, where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telling {
    /// The webhook's receiver.
    pub webhook: Option<Receiver>,
    /// The log group that containers write to.
    pub logs: Option<LogGroup>,
}

/// A webhook's receiver. Its address may be a secret, and is not told. That its address and its keys can be read is
/// known: no controller starts otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Whether the way there is encrypted, or does not leave the machine.
    pub is_private: bool,
    /// Whether it takes connections, and else why not.
    pub reached: Result<(), String>,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whether it can be read.
    pub read: Reading<()>,
}

/// Whether they hear of anything.
pub fn check(telling: &Telling) -> Vec<Finding> {
    let logs = telling.logs.as_ref().map(logs);
    telling.webhook.iter().map(webhook).chain(logs).collect()
}

fn webhook(receiver: &Receiver) -> Finding {
    const ABOUT: &str = "DORMOUSE_WEBHOOK_URL";
    if let Err(why) = &receiver.reached {
        let message = format!("its address takes no connection from the controller: {why}");
        let fix = "correct the address, or let the controller out to it (security group, routes, name)";
        return Finding::problem(ABOUT, message, fix);
    }
    if !receiver.is_private {
        let message = "what it is told can be read on the way, and so can its address";
        return Finding::warning(ABOUT, message, "name one that begins with https://");
    }
    Finding::ok(ABOUT, "its address takes connections, and messages to it are signed")
}

fn logs(group: &LogGroup) -> Finding {
    const ABOUT: &str = "DORMOUSE_LOG_GROUP";
    let name = &group.name;
    match &group.read {
        Reading::Known(()) => Finding::ok(ABOUT, format!("`{name}` is there")),
        Reading::Missing => Finding::problem(
            ABOUT,
            format!("there is no log group `{name}`: no container that is to write to it starts"),
            format!("make it: aws logs create-log-group --log-group-name {name}"),
        ),
        Reading::Unread(why) => Finding::unread(ABOUT, why),
    }
}
