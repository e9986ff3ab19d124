//! What containers wrote.

use super::shell::shell;
use super::testing::wrote;

#[test]
fn logs() {
    let shell = shell();
    let all = "\
[app/1a2b3c4d] listening on 9050
[dormouse-proxy/9a8b7c6d] serving
[dormouse-service/1a2b3c4d] the proxy is well
";
    let dated = "2026-01-01T11:53:20.000Z of the wake before\n2026-01-01T11:56:40.000Z listening on 9050\n";
    for (arguments, code, stdout, stderr) in [
        (&["logs", "up"][..], 0, all, ""),
        (&["logs", "up", "--tail=-1"], 0, all, ""),
        (&["logs", "up", "-c", "app"], 0, "listening on 9050\n", ""),
        (&["logs", "up", "-n", "1"], 0, "[dormouse-service/1a2b3c4d] the proxy is well\n", ""),
        (&["logs", "up", "-c", "app", "--since", "1h", "--timestamps"], 0, dated, ""),
        (&["logs", "up", "--since-time", "2026-01-01T12:00:00+01:00", "-c", "proxy"], 0, "serving\n", ""),
        (&["logs", "up", "--since", "1s"], 0, "", "nothing was written in that time\n"),
        (
            &["logs", "up", "--previous"],
            0,
            "",
            "the wake before the last one is not remembered: ask for a time instead\n",
        ),
        (&["logs", "hello"], 0, "", "hello is asleep, and was never awake\n"),
        (&["logs", "nobody"], 3, "", "error: no service `nobody` is declared\n"),
        (
            &["logs", "Hello"],
            2,
            "",
            "error: \"Hello\" is no service's name: give 1 to 63 of a-z, 0-9 and -, no hyphen at its ends\n",
        ),
    ] {
        let ran = shell.run(arguments);
        let said = (ran.code, ran.stdout.as_str(), ran.stderr.as_str());
        assert_eq!(said, (code, stdout, stderr), "{arguments:?}");
    }
}

#[test]
fn logs_are_followed() {
    let shell = shell();
    let mut logs = shell.follow(&["logs", "up", "-f", "-n", "1", "-c", "app"]);
    assert_eq!(logs.shows(), "listening on 9050");
    let late = wrote(205, "up/app/1a2b3c4d5e6f", "written before, and found after");
    shell.logs.events.lock().unwrap().extend([late, wrote(1, "up/app/1a2b3c4d5e6f", "new")]);
    assert_eq!(logs.shows(), "written before, and found after");
    assert_eq!(logs.shows(), "new");
    shell.plane.remove("up");
    let ran = logs.ends();
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            3,
            "error: no service `up` is declared
"
        )
    );
}
