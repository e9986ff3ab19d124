//! What containers wrote, as it is read back.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;

/// The seed's log group, and the role of tasks that the controller may pass.
const SETTINGS: [(&str, &str); 2] = [
    ("DORMOUSE_LOG_GROUP", "/dormouse/services"),
    ("TASK_EXECUTION_ROLE_ARN", "arn:aws:iam::123456789012:role/execution"),
];

#[test]
fn lines_of_both_tasks_are_read_while_it_is_awake_and_asleep() {
    let options =
        SETTINGS.iter().fold(Options::default(), |options, (name, value)| options.controller(name, value));
    run(options, |world| {
        let controller = world.controller();
        let logs = |arguments: &[&str]| cli::with(&controller, &[&["logs", "hello"], arguments].concat());
        controller.declare(&Manifest::app("hello"));
        let never = logs(&[]);
        assert_eq!((never.code, never.out.as_str()), (0, ""), "{never}");
        assert!(never.err.contains("hello is asleep, and was never awake"), "{never}");

        controller.wake("hello");
        assert_eq!(world.get("hello", "/?id=first").status, 200);
        let of = |role| world.task("hello", role).id()[..8].to_owned();
        let (service, proxy) = (of(Role::Service), of(Role::Proxy));
        let first = format!("[app/{service}] request first\n");
        eventually("all three have written", SOON, || {
            let all = logs(&[]).fine();
            let begins =
                [&first, &format!("[dormouse-service/{service}] "), &format!("[dormouse-proxy/{proxy}] ")];
            holds(begins.iter().all(|begin| all.contains(*begin)), all)
        });
        let own = logs(&["-c", "app", "-n", "1", "--timestamps"]).fine();
        assert!(own.starts_with("20") && own.ends_with("Z request first\n"), "{own}");

        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        let asleep = logs(&[]);
        assert!(asleep.code == 0 && asleep.out.contains(&first), "{asleep}");
        assert!(asleep.err.starts_with("hello is asleep since 20"), "{asleep}");

        controller.wake("hello");
        assert_eq!(world.get("hello", "/?id=second").status, 200);
        eventually("it has written anew", SOON, || {
            let lines = logs(&["-c", "app"]).fine();
            holds(lines == "request second\n", lines)
        });
        assert_eq!(logs(&["-c", "app", "--previous"]).fine(), "request first\n");
        assert_eq!(cli::with(&controller, &["logs", "nobody"]).code, 3);
    });
}

#[test]
fn without_a_log_group_it_is_said_what_to_set() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let refused = cli::with(&controller, &["logs", "hello"]);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused}");
        assert!(refused.err.contains("set DORMOUSE_LOG_GROUP, and TASK_EXECUTION_ROLE_ARN"), "{refused}");
    });
}
