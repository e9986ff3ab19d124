//! How it is called, and what it ends with.

use super::shell::{Ran, TOKEN, program, shell, shell_with};
use std::io::Read as _;
use std::process::Stdio;

#[test]
fn wrong_usage_ends_with_2() {
    let shell = shell();
    for (arguments, words) in [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["get", "no_things"], "invalid value 'no_things'"),
        (&["get", "-o", "xml"], "invalid value 'xml'"),
        (
            &["get", "-l", "team within (web)"],
            "\"team within (web)\" is no condition on labels: give KEY, !KEY, ",
        ),
        (&["get", "-l", "a=b", "services", "hello"], "give names, or labels"),
        (&["get", "-l", "a=b", "hello"], "give names, or labels"),
        (&["get", "instances", "-l", "a=b"], "only services and templates have labels (-l)"),
        (&["get", "instances", "-w"], "only services can be watched"),
        (&["describe"], "<NAME>"),
        (&["describe", "Hello"], "\"Hello\" is no service's name"),
        (&["wake", "hello", "--for", "soon"], "give a duration such as 30s, 5m or 2h"),
        (&["wake", "hello", "--for", "300d"], "for cannot be \"300d\""),
        (&["logs", "up", "-c", "web"], "possible values: all, app, proxy, service"),
        (&["logs", "up", "-n", "-2"], "give a number of lines, 10000 at most"),
        (&["cost", "--month", "2026"], "give a year and a month, such as 2026-11"),
        (&["cost", "--month", "2026-13"], "give a year and a month, such as 2026-11"),
        (&["logs", "up", "-f", "-p"], "cannot be used with"),
        (&["logs", "up", "--since", "1h", "--since-time", "2026-01-01T12:00:00Z"], "cannot be used with"),
        (&["apply"], "--file <FILE|DIR|->"),
        (&["apply", "-f", "/no/such/file.yaml"], "the file cannot be read"),
        (&["--server", "https://example.com", "get"], "asks for TLS"),
        (&["--server", "example.com", "get"], "give http://host:port"),
        (&["controller"], "DOMAIN (--domain) is missing: give a domain name such as apps.example.com"),
        (
            &["controller", "--lease", "x"],
            "DORMOUSE_LEASE=\"x\" (--lease) is not accepted: give a duration from 1s to 10m",
        ),
    ] {
        shell.run(arguments).with(2, "", words);
    }
    assert_eq!(shell.plane.wakes(), 0);
}

#[test]
fn help_and_version_are_data() {
    let help = Ran::of(program().arg("--help").output().unwrap()).with(0, "Usage: dormouse", "");
    let words: Vec<&str> = help.stdout.split_whitespace().collect();
    assert!(words.join(" ").contains("4 timed out waiting, 5 the server is unreachable"), "{}", help.stdout);
    Ran::of(program().arg("--version").output().unwrap()).with(0, "dormouse 0.1.0", "");
    let help =
        Ran::of(program().args(["controller", "--help"]).env("DORMOUSE_SECRET", "hush").output().unwrap());
    let help = help.with(0, "DORMOUSE_SCALE_IN_DELAY", "");
    assert!(!help.stdout.contains("hush") && help.stdout.contains("[default: 3m]"), "{}", help.stdout);
}

#[test]
fn nobody_there_ends_with_5() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{nobody}");
    for arguments in [&["get"][..], &["wake", "a"], &["get", "-w"], &["describe", "a"]] {
        let ran = program().args(arguments).env("DORMOUSE_SERVER", &server).output().unwrap();
        Ran::of(ran).with(5, "", "is unreachable");
    }
}

#[test]
fn the_health_of_the_controller_needs_no_token() {
    shell_with(Some(TOKEN)).run(&["healthcheck"]).with(0, "", "");
    let nobody =
        program().args(["healthcheck"]).env("DORMOUSE_SERVER", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn no_such_service_ends_with_3() {
    let shell = shell();
    for arguments in [
        &["get", "services", "nobody"][..],
        &["get", "events", "nobody"],
        &["describe", "nobody"],
        &["why", "nobody"],
        &["wake", "nobody"],
        &["sleep", "nobody", "--wait"],
        &["delete", "nobody"],
    ] {
        shell.run(arguments).with(3, "", "no service `nobody` is declared");
    }
    shell.run(&["get", "instances", "i-2"]).with(3, "", "there is no instance `i-2`");
}

#[test]
fn the_token_is_shown() {
    let shell = shell_with(Some(TOKEN));
    shell.run(&["get"]).with(1, "", "needs a token");
    shell.run(&["get", "--token", "other"]).with(1, "", "--token or DORMOUSE_TOKEN");
    shell.run(&["get", "--token", TOKEN]).with(0, "hello", "");
    let ran = shell.command(&["get"]).env("DORMOUSE_TOKEN", TOKEN).output().unwrap();
    Ran::of(ran).with(0, "hello", "");
}

#[test]
fn what_the_server_cannot_do_ends_with_1() {
    let shell = shell();
    *shell.plane.refuses.lock().unwrap() =
        Some(dormouse::plane::PlaneError::Unavailable("the table is throttled".into()));
    shell.run(&["wake", "hello"]).with(1, "", "error: the table is throttled");
}

#[test]
fn what_one_command_tells_another_one_takes() {
    let shell = shell();
    let told = shell.run(&["get", "-o", "name"]).with(0, "service/hello\nservice/up\n", "");
    for name in told.stdout.lines() {
        for command in ["describe", "why", "events", "logs", "wake", "sleep", "delete"] {
            let ran = shell.run(&[command, name]);
            assert_eq!(ran.code, 0, "{command} {name}: {ran:?}");
            assert!(!ran.stdout.contains("service/service/"), "{command} {name}: {ran:?}");
        }
    }
    shell.run(&["why", "service/a/b"]).with(2, "", "\"a/b\" is no service's name");
}

#[test]
fn what_needs_no_server() {
    let schema = Ran::of(program().arg("schema").output().unwrap()).with(0, "$schema", "");
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert!(schema["properties"]["spec"].is_object() || schema["$defs"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        Ran::of(program().args(["completions", shell]).output().unwrap()).with(0, "dormouse", "");
    }
}

#[test]
fn who_reads_enough_ends_it_quietly() {
    let shell = shell();
    let mut child = shell.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}
