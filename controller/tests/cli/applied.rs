//! Manifests and what becomes of them.

use super::shell::{Ran, program, shell};
use dormouse::plane::Plane as _;
use std::path::Path;

const MANIFEST: &str =
    "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {image: 'nginx:1.27'}\n";

const TEMPLATE: &str = "\
apiVersion: dormouse.dev/v1
kind: ServiceTemplate
metadata: {name: preview}
spec: {match: 'preview-*', max: 3, expireAfter: 2d, template: {image: 'shop:{match}'}}
";

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
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
