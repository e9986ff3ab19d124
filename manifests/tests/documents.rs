//! Texts of several documents, files and directories, and the bounds on them.

use std::fs;

use dormouse_manifests::{Diagnostic, Parsed, check_set, load, parse};

fn document(name: &str, more: &str) -> String {
    format!(
        "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec: {{ image: a{more} }}\n"
    )
}

fn names(parsed: &Parsed) -> Vec<&str> {
    parsed.services.iter().map(|service| service.value.metadata.name.as_str()).collect()
}

#[test]
fn a_bad_document_leaves_its_neighbours_alone() {
    for bad in [
        "a: [1, 2\n",
        "a: \"unclosed\n",
        "a: 'unclosed\n",
        "a: {b: c\n",
        "\ta: b\n",
        "a: b: c\n",
        "a\nb: c\n",
        "a: *nowhere\n",
        "a: &x [*x]\n",
        "a: @b\n",
        "%YAML 9.9\n",
        "a: 1\na: 2\n",
        "? [a]\n: b\n",
        "a: \u{7}\n",
        "]\n",
        "- a\nb: c\n",
    ] {
        let text = format!("{}---\n{bad}---\n{}", document("one", ""), document("two", ""));
        let parsed = parse("a.yaml", &text);
        assert_eq!(names(&parsed), ["one", "two"], "{bad:?}");
        assert!(parsed.has_errors(), "{bad:?}");
        for diagnostic in &parsed.diagnostics {
            assert!((5..=9).contains(&diagnostic.line), "{bad:?}: {diagnostic}");
        }
    }
}

#[test]
fn documents_with_nothing_in_them_are_skipped() {
    for text in
        ["", "\n\n", "---\n", "---\n---\n", "# only this\n", "---\n# and this\n---\n~\n", "\u{feff}", "...\n"]
    {
        assert_eq!(parse("a.yaml", text), Parsed::default(), "{text:?}");
    }
    let text = format!("---\n# first\n---\n{}---\n\n", document("one", ""));
    assert_eq!(names(&parse("a.yaml", &text)), ["one"]);
    let windows = format!("\u{feff}{}", document("one", "")).replace('\n', "\r\n");
    assert_eq!(names(&parse("a.yaml", &windows)), ["one"]);
}

#[test]
fn json_is_read_too() {
    let text = r#"{"apiVersion": "dormouse.dev/v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"image": "a", "port": 80, "wake": {"page": false}, "prot": 1}}"#;
    let parsed = parse("body", text);
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!((parsed.diagnostics[0].line, parsed.diagnostics[0].column), (2, 69));
    assert_eq!(names(&parse("body", &text.replace(", \"prot\": 1", ""))), ["a"]);
}

fn only(parsed: &Parsed) -> &Diagnostic {
    match parsed.diagnostics.as_slice() {
        [diagnostic] => diagnostic,
        other => unreachable!("one diagnostic, not {other:?}"),
    }
}

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let text = format!("{text}---\n{}", document("one", ""));
    let parsed = parse("a.yaml", &text);
    assert!(only(&parsed).message.contains("too many values"), "{parsed:?}");
    assert_eq!(names(&parsed), ["one"]);
}

#[test]
fn nesting_is_bounded() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
        let parsed = parse("a.yaml", &format!("a: 1\n---\n{text}\n---\n{}", document("one", "")));
        assert_eq!(names(&parsed), ["one"]);
    }
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..200 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(only(&parse("a.yaml", &chain)).message.contains("too many values"));
}

#[test]
fn sizes_are_bounded() {
    let huge = format!("a: {}\n", "x".repeat(2 << 20));
    let parsed = parse("a.yaml", &format!("{huge}---\n{}", document("one", "")));
    assert!(only(&parsed).message.contains("too large"));
    assert_eq!(names(&parsed), ["one"]);
    assert!(only(&parsed).to_string().len() < 10_000, "the line is cut");

    let parsed = parse("a.yaml", &" ".repeat(17 << 20));
    assert!(only(&parsed).message.contains("16 MiB"));

    let parsed = parse("a.yaml", &"a\n---\n".repeat(1 << 20));
    assert_eq!(parsed.diagnostics.len(), 1001);
    assert!(parsed.diagnostics[1000].message.contains("too many mistakes"));

    let many: String = (0..5000).map(|n| format!("x{n}: 1\n")).collect();
    let parsed = parse("a.yaml", &format!("{}{many}", document("one", "")));
    assert_eq!(parsed.diagnostics.len(), 50);
    assert!(parsed.diagnostics[49].help.join(" ").contains("4950 more mistakes"));
}

#[test]
fn sets_are_checked() {
    let text = [
        document("web", ", dependsOn: [db, cache, gone]"),
        document("db", ", dependsOn: [db2]"),
        document("db2", ", dependsOn: [db]"),
        document("web", ""),
        document("free", ""),
    ]
    .join("---\n");
    let mut parsed = parse("a.yaml", &text);
    assert!(!parsed.has_errors(), "each by itself is right");
    let found = check_set(&parsed.services, &|name| name == "cache");
    let messages: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the name `web` is given twice",
            "`gone` is not declared",
            "the dependencies form a cycle: db -> db2 -> db",
        ]
    );
    parsed.check(&|name| name == "cache");
    assert_eq!(parsed.diagnostics, found);
    assert_eq!(names(&parsed), ["web", "free"]);
}

#[test]
fn long_chains_are_no_cycles() {
    let text: Vec<String> =
        (0..2000).map(|n| document(&format!("s{n}"), &format!(", dependsOn: [s{}]", n + 1))).collect();
    let parsed = parse("a.yaml", &text.join("---\n"));
    assert_eq!(parsed.services.len(), 2000);
    let found = check_set(&parsed.services, &|_| false);
    assert_eq!(found.len(), 1, "only s2000 is missing");
    assert_eq!(found[0].message, "`s2000` is not declared");
}

#[test]
fn directories_are_read_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("b.yml"), document("b", "")).unwrap();
    fs::write(at("a.yaml"), document("a", "")).unwrap();
    fs::write(at("c.json"), r#"{"apiVersion": "dormouse.dev/v1"}"#).unwrap();
    fs::write(at("notes.txt"), "not: [a manifest").unwrap();
    fs::write(at(".hidden.yaml"), document("hidden", "")).unwrap();
    fs::create_dir(at("deeper")).unwrap();
    fs::write(at("deeper/d.yaml"), document("d", "")).unwrap();
    let parsed = load(&[directory.path().to_owned()]);
    assert_eq!(names(&parsed), ["a", "b"]);
    assert!(parsed.diagnostics.iter().all(|diagnostic| diagnostic.file.ends_with("c.json")));
    assert_eq!(parsed.services[0].file, at("a.yaml").display().to_string());

    let parsed = load(&[at("deeper/d.yaml"), at("a.yaml"), at("a.yaml")]);
    assert_eq!(names(&parsed), ["d", "a", "a"]);
    let found = check_set(&parsed.services, &|_| true);
    assert!(found[0].help[0].contains("a.yaml:3:19"), "{}", found[0]);
}

#[test]
fn unreadable_files_are_diagnostics() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.yaml");
    let parsed = load(&[missing, directory.path().to_owned()]);
    let [missing, empty] = parsed.diagnostics.as_slice() else {
        panic!("{parsed:?}");
    };
    assert!(missing.is_error() && missing.message.contains("cannot be read"));
    assert!(missing.to_string().contains("missing.yaml"), "{missing}");
    assert!(!empty.is_error() && empty.message.contains("no *.yaml"));

    let latin = directory.path().join("latin.yaml");
    fs::write(&latin, b"apiVersion: dormouse.dev/v1\nkind: caf\xe9\n").unwrap();
    let parsed = load(&[latin]);
    let diagnostic = only(&parsed);
    assert_eq!(diagnostic.message, "the file is not UTF-8");
    assert_eq!((diagnostic.line, diagnostic.column), (2, 10));
}
