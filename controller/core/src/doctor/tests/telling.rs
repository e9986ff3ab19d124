use super::super::telling::{LogGroup, Receiver, Telling, check};
use super::{Level, Reading};

#[test]
fn nobody_is_told_where_nothing_is_set() {
    assert_eq!(check(&Telling::default()), []);
}

#[test]
fn a_webhook_is_reached_and_its_messages_are_nobody_elses() {
    let unreachable = || Err("connection refused".to_owned());
    for (is_private, reached, level, words) in [
        (true, Ok(()), Level::Ok, "its address takes connections, and messages to it are signed"),
        (false, Ok(()), Level::Warning, "what it is told can be read on the way, and so can its address"),
        (
            true,
            unreachable(),
            Level::Problem,
            "its address takes no connection from the controller: connection refused",
        ),
        (
            false,
            unreachable(),
            Level::Problem,
            "its address takes no connection from the controller: connection refused",
        ),
    ] {
        let webhook = Some(Receiver { is_private, reached });
        let found = check(&Telling { webhook, logs: None });
        let found: Vec<_> =
            found.iter().map(|one| (one.level, one.message.as_str(), one.fix.is_some())).collect();
        assert_eq!(found, [(level, words, level != Level::Ok)]);
    }
}

#[test]
fn a_log_group_is_there() {
    for (read, level, words) in [
        (Reading::Known(()), Level::Ok, "`/apps` is there"),
        (
            Reading::Missing,
            Level::Problem,
            "there is no log group `/apps`: no container that is to write to it starts",
        ),
        (Reading::Unread("denied".into()), Level::Warning, "not checked: denied"),
    ] {
        let logs = Some(LogGroup { name: "/apps".into(), read });
        let found = check(&Telling { webhook: None, logs });
        let found: Vec<_> = found.iter().map(|one| (one.level, one.message.as_str())).collect();
        assert_eq!(found, [(level, words)]);
    }
}
