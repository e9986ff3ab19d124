//! What there is, in every form.

use super::shell::shell;

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
    let short = shell.run(&["get", "up", "hello", "-o", "name"]);
    assert_eq!(
        (short.code, short.stdout.as_str(), short.stderr.as_str()),
        (0, "service/up\nservice/hello\n", "")
    );
    let slip = shell.run(&["get", "instnces"]).with(3, "", "error: no service `instnces` is declared\n");
    assert!(slip.stderr.contains("tip: what can be listed"), "{slip:?}");
    shell.run(&["get", "hello", "-l", "team=web"]).with(2, "", "give names, or labels");
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
    let mut watch = shell.follow(&["get", "-w", "-l", "tier", "-o", "name"]);
    assert_eq!(watch.shows(), "service/hello");
    shell.plane.make_ready("up");
    label("up", &[("tier", "back")]);
    assert_eq!(watch.shows(), "service/up");
    watch.kill();
}

#[test]
fn a_watch_shows_changes_as_they_happen() {
    let shell = shell();
    let mut watch = shell.follow(&["get", "-w"]);
    assert!(watch.shows().starts_with("NAME              STATE     READY"));
    assert!(watch.shows().starts_with("hello             Asleep    False"));
    assert!(watch.shows().starts_with("up                Awake     True"));
    shell.plane.make_ready("hello");
    assert!(watch.shows().starts_with("hello             Awake     True"));
    watch.kill();
}
