//! The command line as the shell sees it: the built program against a server in this process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../src/testing.rs"]
#[allow(dead_code)]
mod testing;

use dormouse::api::{Options, router, serve};
use dormouse::config::Secret;
use dormouse::plane::Plane;
use dormouse::serve::Grace;
use dormouse::tokens::Tokens;
use dormouse::waker::Waker;
use dormouse_state::{ConditionType, Desired, Phase};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use testing::{FakeLogs, FakePlane, asleep, awake, wrote};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "an-api-token";

/// A server, and the program beside it.
struct Shell {
    plane: Arc<FakePlane>,
    logs: Arc<FakeLogs>,
    server: String,
    _runtime: tokio::runtime::Runtime,
}

fn shell() -> Shell {
    shell_with(None)
}

fn shell_with(token: Option<&str>) -> Shell {
    let plane = FakePlane::new([asleep("hello"), awake("up")]);
    let logs = FakeLogs::new([
        wrote(400, "up/app/0f0f0f0f0f0f", "of the wake before"),
        wrote(200, "up/app/1a2b3c4d5e6f", "listening on 9050\n"),
        wrote(100, "up/dormouse-proxy/9a8b7c6d5e4f", "serving"),
        wrote(50, "up/dormouse-service/1a2b3c4d5e6f", "the proxy is well"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port: Arc<dyn Plane> = Arc::<FakePlane>::clone(&plane);
    let options = Options {
        tokens: token.map(|token| Tokens::admin(Secret::new(token))).unwrap_or_default(),
        logs: Some(logs.reader()),
        ..Options::default()
    };
    let api = router(Arc::clone(&port), Waker::new(port), options);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(serve(listener, api, CancellationToken::new(), Grace::of(Duration::ZERO)));
    Shell { plane, logs, server, _runtime: runtime }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.env_clear().stdin(Stdio::null());
    command
}

impl Shell {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env("DORMOUSE_SERVER", &self.server).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails unless it ended so.
    #[track_caller]
    fn with(self, code: i32, stdout: &str, stderr: &str) -> Ran {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stdout.contains(stdout), "{self:?}");
        assert!(self.stderr.contains(stderr), "{self:?}");
        assert!(!stdout.is_empty() || self.stdout.is_empty() || code == 0, "data of a failure: {self:?}");
        self
    }
}

const MANIFEST: &str =
    "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {image: 'nginx:1.27'}\n";

#[test]
fn wrong_usage_ends_with_2() {
    let shell = shell();
    for (arguments, words) in [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["get", "things"], "invalid value 'things'"),
        (&["get", "-o", "xml"], "invalid value 'xml'"),
        (
            &["get", "-l", "team within (web)"],
            "\"team within (web)\" is no condition on labels: give KEY, !KEY, ",
        ),
        (&["get", "-l", "a=b", "services", "hello"], "cannot be used with"),
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

const TEMPLATE: &str = "\
apiVersion: dormouse.dev/v1
kind: ServiceTemplate
metadata: {name: preview}
spec: {match: 'preview-*', max: 3, expireAfter: 2d, template: {image: 'shop:{match}'}}
";

#[test]
fn templates_are_declared_shown_used_and_deleted() {
    let shell = shell();
    shell.run(&["get", "templates"]).with(0, "", "no template is declared");
    shell.run_with(&["validate", "-f", "-"], TEMPLATE).with(0, "template/preview is valid (stdin:3)", "");
    shell.run_with(&["apply", "-f", "-", "--dry-run"], TEMPLATE).with(
        0,
        "template/preview created (dry run)",
        "",
    );
    shell.run_with(&["apply", "-f", "-"], TEMPLATE).with(0, "template/preview created\n", "");
    shell.run_with(&["apply", "-f", "-"], TEMPLATE).with(0, "template/preview unchanged\n", "");
    let changed = TEMPLATE.replace("2d", "3d");
    shell.run_with(&["diff", "-f", "-"], &changed).with(0, "-  expireAfter: 2d\n+  expireAfter: 3d\n", "");

    let woken = shell.run(&["wake", "preview-42"]);
    woken.with(0, "service/preview-42 is woken: http://preview-42.example.com:9060", "");
    shell.run(&["wake", "other-42"]).with(3, "", "no service `other-42` is declared");
    shell.run(&["describe", "preview-42"]).with(0, "Made from:   template/preview\n", "");
    let table = shell.run(&["get", "templates"]);
    let table = table.with(0, "NAME     MATCH      SERVICES  EXPIRE-AFTER  AGE", "");
    assert!(table.stdout.contains("preview  preview-*  1/3       2d"), "{}", table.stdout);
    shell.run(&["get", "template", "preview", "-o", "yaml"]).with(0, "image: shop:{match}", "");
    shell.run(&["get", "templates", "-o", "name"]).with(0, "template/preview\n", "");
    shell.run(&["describe", "template/preview"]).with(0, "Services:     1 of 3: preview-42\n", "");
    for arguments in [&["get", "templates", "x"][..], &["describe", "template/x"], &["delete", "template/x"]]
    {
        shell.run(arguments).with(3, "", "no template `x` is declared");
    }

    // Another one for the same names is told of.
    let other = TEMPLATE.replace("{name: preview}", "{name: other}").replace("preview-*", "*-42");
    let words = "the template `preview` is for some of these names, too";
    shell.run_with(&["apply", "-f", "-", "--dry-run"], &other).with(0, "template/other created", words);

    // What a template made is nobody's manifest, and is not pruned; a template is.
    let pruned = shell.run_with(&["apply", "-f", "-", "--prune"], MANIFEST);
    let pruned = pruned.with(0, "template/preview deleted\n", "");
    assert!(pruned.stdout.contains("service/hello deleted"), "{}", pruned.stdout);
    assert!(!pruned.stdout.contains("preview-42"), "{}", pruned.stdout);
    shell.run(&["get", "services", "preview-42"]).with(0, "preview-42", "");
    shell.run_with(&["apply", "-f", "-"], TEMPLATE).with(0, "template/preview created", "");
    let deleted = shell.run(&["delete", "template/preview"]);
    deleted.with(0, "template/preview is deleted; its services stay until they expire", "");
}

#[test]
fn the_token_is_shown() {
    let shell = shell_with(Some(TOKEN));
    shell.run(&["get"]).with(1, "", "needs a token");
    shell.run(&["get", "--token", "other"]).with(1, "", "not the right one");
    shell.run(&["get", "--token", TOKEN]).with(0, "hello", "");
    let ran = shell.command(&["get"]).env("DORMOUSE_TOKEN", TOKEN).output().unwrap();
    Ran::of(ran).with(0, "hello", "");
}

#[test]
fn services_are_listed_in_every_form() {
    let shell = shell();
    let table = shell.run(&["get"]).with(0, "NAME   STATE   READY  IDLE-IN  LAST-WAKE  AGE", "");
    assert_eq!(table.stdout.lines().count(), 3, "{}", table.stdout);
    shell.run(&["get", "-o", "wide"]).with(0, "IN-FLIGHT", "");
    let names = shell.run(&["get", "-o", "name"]).with(0, "", "");
    assert_eq!(names.stdout, "service/hello\nservice/up\n");
    let json: serde_json::Value = serde_json::from_str(&shell.run(&["get", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["items"][1]["status"]["phase"], "Awake");
    let one: serde_json::Value =
        serde_json::from_str(&shell.run(&["get", "services", "up", "-o", "json"]).stdout).unwrap();
    assert_eq!(one["metadata"]["name"], "up");
    let yaml =
        shell.run(&["get", "services", "up", "-o", "yaml"]).with(0, "apiVersion: dormouse.dev/v1\n", "");
    assert!(yaml.stdout.contains("\n  phase: Awake\n"), "{}", yaml.stdout);
    shell.run(&["get", "instances"]).with(0, "i-1       InService  ACTIVE", "");
    shell.run(&["get", "events", "hello"]).with(0, "Woken", "");
    shell.run(&["events"]).with(0, "Woken", "");
    shell.run(&["describe", "up"]).with(0, "Last wake:", "");
    shell.run(&["why", "up"]).with(0, "up is awake: woken ", "");
}

#[test]
fn several_are_listed_by_their_names() {
    let shell = shell();
    let both = shell.run(&["get", "services", "up", "service/hello"]).with(0, "NAME ", "");
    let names: Vec<&str> = both.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["NAME", "up", "hello"], "in the order that was asked for");
    let json = shell.run(&["get", "services", "up", "hello", "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["kind"], &json["items"][1]["metadata"]["name"]),
        (&"ServiceList".into(), &"hello".into())
    );
    // One that is missing takes nothing from the others.
    let some = shell.run(&["get", "services", "up", "nobody", "no-one", "-o", "name"]);
    assert_eq!(
        (some.code, some.stdout.as_str(), some.stderr.as_str()),
        (
            3,
            "service/up\n",
            "error: no service `nobody` is declared\nerror: no service `no-one` is declared\n"
        )
    );
    shell.run(&["get", "services", "nobody", "no-one", "-o", "json"]).with(3, "", "no service `nobody`");
    shell.run(&["get", "services", "nobody", "up", "-w"]).with(3, "", "no service `nobody` is declared");
    shell.run(&["get", "instances", "i-1", "i-2"]).with(3, "i-1 ", "there is no instance `i-2`");
    shell.run(&["events", "hello", "up"]).with(0, "Woken", "");
    shell.run(&["events", "hello", "nobody"]).with(3, "Woken", "no service `nobody` is declared");
}

#[test]
fn labels_select() {
    let shell = shell();
    let label = |name: &str, labels: &[(&str, &str)]| {
        shell.plane.update(name, |view| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            view.metadata.labels = labels.collect();
        });
    };
    label("hello", &[("team", "web"), ("tier", "front")]);
    label("up", &[("team", "data")]);
    for (selector, names) in [
        ("team=web", "service/hello\n"),
        ("team!=web", "service/up\n"),
        ("team in (web, data)", "service/hello\nservice/up\n"),
        ("team notin (data)", "service/hello\n"),
        ("tier", "service/hello\n"),
        ("!tier", "service/up\n"),
        ("team,tier=front", "service/hello\n"),
        ("team=nobody", ""),
    ] {
        let ran = shell.run(&["get", "-l", selector, "-o", "name"]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, names, ""), "{selector}");
    }
    shell.run(&["get", "--selector=team=nobody"]).with(0, "", "nothing has these labels\n");
    shell.run(&["get", "-l", "team=nobody", "-o", "json"]).with(0, "\"items\": []", "");
    shell.run(&["get", "-l", "tier", "-o", "wide"]).with(0, "team=web,tier=front\n", "");

    // Those that get the label are shown, and nobody else.
    let mut child = shell
        .command(&["get", "-w", "-l", "tier", "-o", "name"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "service/hello");
    shell.plane.make_ready("up");
    label("up", &[("tier", "back")]);
    assert_eq!(next(), "service/up");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn wake_and_sleep() {
    let shell = shell();
    shell.run(&["wake", "hello"]).with(0, "service/hello is woken: http://hello.example.com:9060\n", "");
    assert_eq!(shell.plane.service("hello").unwrap().status.desired, Desired::Awake);
    shell.run(&["wake", "hello", "--for", "2h"]).with(0, "is woken", "");
    assert_eq!(shell.plane.asked.lock().unwrap()[1].2, Some(Duration::from_secs(7200)));
    shell.run(&["wake", "hello", "--wait", "--timeout", "10ms"]).with(
        4,
        "",
        "`hello` was not ready within 10ms",
    );
    shell.plane.make_ready("hello");
    shell.run(&["wake", "hello", "--wait"]).with(0, "service/hello is ready", "");
    shell.run(&["sleep", "hello"]).with(0, "service/hello is put to sleep", "");
    shell.run(&["sleep", "hello", "--wait", "--timeout", "10ms"]).with(4, "", "was not asleep within 10ms");
}

#[test]
fn who_waits_is_told_how_far_it_is() {
    let shell = shell();
    let mut child = shell
        .command(&["wake", "hello", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = || said.next().unwrap().unwrap();
    let step = |message: &str| {
        shell.plane.update("hello", |view| {
            view.status.phase = Phase::Waking;
            let kind = ConditionType::CapacityAvailable;
            view.status.conditions = vec![testing::condition(kind, false, "ScalingUp", message)].into();
        });
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while shell.plane.wakes() == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    step("an instance is starting");
    while next() != "hello: machine: an instance is starting" {}
    // The same again is not said again.
    step("an instance is starting");
    step("an instance joins");
    assert_eq!(next(), "hello: machine: an instance joins");
    shell.plane.make_ready("hello");
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "service/hello is ready: http://hello.example.com:9060\n");
    assert_eq!((child.wait().unwrap().code(), said.next().is_none()), (Some(0), true));
}

#[test]
fn what_the_server_cannot_do_ends_with_1() {
    let shell = shell();
    *shell.plane.refuses.lock().unwrap() =
        Some(dormouse::plane::PlaneError::Unavailable("the table is throttled".into()));
    shell.run(&["wake", "hello"]).with(1, "", "error: the table is throttled");
}

#[test]
fn manifests_are_applied() {
    let shell = shell();
    let apply = &["apply", "-f", "-"][..];
    shell.run_with(&["apply", "-f", "-", "--dry-run"], MANIFEST).with(
        0,
        "service/web created (dry run)\n",
        "",
    );
    assert!(shell.plane.service("web").is_none());
    shell.run_with(apply, MANIFEST).with(0, "service/web created\n", "");
    shell.run_with(apply, MANIFEST).with(0, "service/web unchanged\n", "");
    let changed = MANIFEST.replace("1.27", "1.28");
    let diff = shell.run_with(&["diff", "-f", "-"], &changed).with(0, "service/web\n", "");
    assert!(diff.stdout.contains("\n-  image: nginx:1.27\n+  image: nginx:1.28\n"), "{}", diff.stdout);
    shell.run_with(apply, &changed).with(0, "+  image: nginx:1.28\n", "");
    assert_eq!(shell.plane.service("web").unwrap().spec.image.as_deref(), Some("nginx:1.28"));
    shell.run_with(&["diff", "-f", "-"], &changed).with(0, "", "");
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

#[test]
fn a_bad_document_does_not_keep_its_neighbours() {
    let shell = shell();
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.yaml", MANIFEST);
    write(directory.path(), "b.yaml", &MANIFEST.replace("web", "bad").replace("image", "imgae"));
    let path = directory.path().to_str().unwrap();
    let ran = shell.run(&["apply", "-f", path, "--prune"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "service/web created\n"), "{ran:?}");
    assert!(
        ran.stderr.contains("unknown field `imgae`") && ran.stderr.contains("b.yaml:4:"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("nothing is pruned"), "{}", ran.stderr);
    let ran = shell.run(&["validate", "-f", path]);
    assert_eq!(ran.code, 2);
    assert!(ran.stdout.contains("service/web is valid"), "{ran:?}");

    write(directory.path(), "b.yaml", "");
    let ran = shell.run(&["apply", "-f", path, "--prune", "--dry-run"]).with(
        0,
        "service/hello deleted (dry run)",
        "",
    );
    assert!(ran.stdout.contains("service/web unchanged (dry run)"), "{ran:?}");
    assert!(shell.plane.service("hello").is_some());
    shell.run(&["apply", "-f", path, "--prune"]).with(0, "service/up deleted\n", "");
    assert!(shell.plane.service("hello").is_none() && shell.plane.service("web").is_some());
    Ran::of(program().args(["validate", "-f", path]).output().unwrap()).with(0, "service/web is valid", "");
}

#[test]
fn deleting() {
    let shell = shell();
    shell.run(&["delete", "hello", "--wait"]).with(0, "service/hello is deleted\n", "");
    shell.run(&["delete", "up"]).with(0, "service/up is being deleted\n", "");
}

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
    let mut child = shell
        .command(&["logs", "up", "-f", "-n", "1", "-c", "app"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "listening on 9050");
    let late = wrote(205, "up/app/1a2b3c4d5e6f", "written before, and found after");
    shell.logs.events.lock().unwrap().extend([late, wrote(1, "up/app/1a2b3c4d5e6f", "new")]);
    assert_eq!(next(), "written before, and found after");
    assert_eq!(next(), "new");
    shell.plane.remove("up");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), stderr.as_str()),
        (Some(3), "error: no service `up` is declared\n")
    );
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
fn a_watch_shows_changes_as_they_happen() {
    let shell = shell();
    let mut child =
        shell.command(&["get", "-w"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().starts_with("NAME              STATE     READY"));
    assert!(next().starts_with("hello             Asleep    False"));
    assert!(next().starts_with("up                Awake     True"));
    shell.plane.make_ready("hello");
    assert!(next().starts_with("hello             Awake     True"));
    child.kill().unwrap();
    child.wait().unwrap();
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
