//! Diagnostics as a user sees them.

use insta::assert_snapshot;

/// Everything that is wrong with a text, as it is drawn.
fn draw(text: &str) -> String {
    let mut parsed = dormouse_manifests::parse("a.yaml", text);
    parsed.check(&|_| false);
    let drawn: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
    drawn.join("\n\n")
}

#[test]
fn unknown_field_near_a_known_one() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  idleAfer: 15m
";
    assert_snapshot!(draw(text), @r"
    error: unknown field `idleAfer` in `spec`
     --> a.yaml:6:3
      |
    6 |   idleAfer: 15m
      |   ^^^^^^^^ not a field of `spec`
      |
      = help: did you mean `idleAfter`?
      = help: its fields are `image`, `taskDefinition`, `container`, `command`, `entryPoint`, `port`, `protocol`, `cpu`, `memory`, `env`, `secrets`, `taskRoleArn`, `health`, `idleAfter`, `websocketIdle`, `busyPath`, `maxAwake`, `drain`, `wake`, `awake`, `architecture`, `fallback`, `dependsOn`, `rolloutCheck` and `proxy`
    ");
}

#[test]
fn unknown_field_that_belongs_elsewhere() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
idleAfter: 15m
spec: { image: nginx }
";
    assert_snapshot!(draw(text), @r"
    error: unknown field `idleAfter` in the document
     --> a.yaml:4:1
      |
    4 | idleAfter: 15m
      | ^^^^^^^^^ not a field of the document
      |
      = help: `idleAfter` is a field of `spec`
      = help: its fields are `apiVersion`, `kind`, `metadata` and `spec`
    ");
}

#[test]
fn key_given_twice() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  port: 1
  cpu: 256
  port: 2
";
    assert_snapshot!(draw(text), @r"
    error: the key `port` is given twice
     --> a.yaml:8:3
      |
    6 |   port: 1
      |   ---- the first time
    7 |   cpu: 256
    8 |   port: 2
      |   ^^^^ the second time
    ");
}

#[test]
fn wrong_type() {
    let text = r#"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec: { image: nginx, port: "9050" }
"#;
    assert_snapshot!(draw(text), @r#"
    error: `port` must be a whole number from 1 to 65535, not the text `9050`
     --> a.yaml:4:29
      |
    4 | spec: { image: nginx, port: "9050" }
      |                             ^^^^^^ expected a whole number from 1 to 65535
      |
      = help: remove the quotes: 9050
    "#);
}

#[test]
fn number_for_a_variable() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  env:
    PORT: 8080
";
    assert_snapshot!(draw(text), @r#"
    error: `env.PORT` must be a text, not the number `8080`
     --> a.yaml:7:11
      |
    7 |     PORT: 8080
      |           ^^^^ expected a text
      |
      = help: quote it: "8080"
    "#);
}

#[test]
fn nothing_given() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  env:
";
    assert_snapshot!(draw(text), @r"
    error: `env` must be a mapping, not nothing
     --> a.yaml:6:3
      |
    6 |   env:
      |   ^^^ expected a mapping
      |
      = help: without a value, leave the field out
    ");
}

#[test]
fn name_missing() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: {}
spec: { image: nginx }
";
    assert_snapshot!(draw(text), @r"
    error: `metadata.name` is missing
     --> a.yaml:3:1
      |
    3 | metadata: {}
      | ^^^^^^^^ a service needs a name
      |
      = help: add a name such as `name: hello`: it becomes `hello.<domain>`
    ");
}

#[test]
fn image_and_definition_missing() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  port: 80
";
    assert_snapshot!(draw(text), @r"
    error: `spec` has neither `image` nor `taskDefinition`
     --> a.yaml:4:1
      |
    4 | spec:
      | ^^^^ one of the two is needed
      |
      = help: add the container's image, such as `image: public.ecr.aws/nginx/nginx:1.27`
    ");
}

#[test]
fn image_and_definition_given() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  taskDefinition: web:3
";
    assert_snapshot!(draw(text), @r"
    error: `spec` has both `image` and `taskDefinition`
     --> a.yaml:6:3
      |
    5 |   image: nginx
      |   ----- the other one
    6 |   taskDefinition: web:3
      |   ^^^^^^^^^^^^^^ only one of the two is possible
      |
      = help: `image` has the task definition written for you; `taskDefinition` uses one that exists
    ");
}

#[test]
fn name_is_no_label() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata:
  name: My_Shop
spec: { image: nginx }
";
    assert_snapshot!(draw(text), @r"
    error: the name `My_Shop` is not a DNS label
     --> a.yaml:4:9
      |
    4 |   name: My_Shop
      |         ^^^^^^^ upper case is not allowed
      |
      = help: did you mean `my-shop`?
    ");
}

#[test]
fn other_kind() {
    let text = r"apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec: { replicas: 1 }
";
    assert_snapshot!(draw(text), @r"
    error: unknown apiVersion `apps/v1`
     --> a.yaml:1:13
      |
    1 | apiVersion: apps/v1
      |             ^^^^^^^ expected `dormouse.dev/v1`

    error: unknown kind `Deployment`
     --> a.yaml:2:7
      |
    2 | kind: Deployment
      |       ^^^^^^^^^^ expected `Service` or `ServiceTemplate`
    ");
}

#[test]
fn proxy_size() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  proxy: { cpu: 2048, memory: 1024 }
";
    assert_snapshot!(draw(text), @r"
    error: Fargate has no tasks with 2048 CPU units and 1024 MiB
     --> a.yaml:6:31
      |
    6 |   proxy: { cpu: 2048, memory: 1024 }
      |                               ^^^^ with 2048 CPU units: 4096 to 16384 in steps of 1024
    ");
}

#[test]
fn timeouts_without_effect() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  protocol: tcp
  proxy: { timeouts: { connect: 1s, header: 1s } }
";
    assert_snapshot!(draw(text), @r"
    warning: `proxy.timeouts.header` has no effect with `protocol: tcp`
     --> a.yaml:7:37
      |
    7 |   proxy: { timeouts: { connect: 1s, header: 1s } }
      |                                     ^^^^^^ raw connections have no requests
    ");
    let text = text.replace("tcp", "h2c").replace("connect", "body");
    assert_snapshot!(draw(&text), @r"
    warning: `proxy.timeouts.body` has no effect with `protocol: h2c`
     --> a.yaml:7:24
      |
    7 |   proxy: { timeouts: { body: 1s, header: 1s } }
      |                        ^^^^ over HTTP/2 a body that stands still holds up nothing else
    ");
}

#[test]
fn timeout_longer_than_interval() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  health: { interval: 2s, timeout: 3s }
";
    assert_snapshot!(draw(text), @r"
    error: `health.timeout` is longer than `health.interval`
     --> a.yaml:6:36
      |
    6 |   health: { interval: 2s, timeout: 3s }
      |                                    ^^ the interval is 2s
      |
      = help: a probe must end before the next one starts
    ");
}

#[test]
fn duration_without_unit() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  idleAfter: 15
";
    assert_snapshot!(draw(text), @r"
    error: `idleAfter` cannot be `15`
     --> a.yaml:6:14
      |
    6 |   idleAfter: 15
      |              ^^ the unit is missing after `15`
      |
      = help: write `15s` or `15m`
      = help: `never` keeps the service awake
    ");
}

#[test]
fn duration_of_unknown_unit() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  drain: 5min
";
    assert_snapshot!(draw(text), @r"
    error: `drain` cannot be `5min`
     --> a.yaml:6:10
      |
    6 |   drain: 5min
      |          ^^^^ `min` is not a unit of time; the units are d, h, m, s and ms
      |
      = help: did you mean `m`?
      = help: a duration is written `500ms`, `5s`, `15m`, `1h30m`, `2h` or `1d`
    ");
}

#[test]
fn time_zone() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  awake:
    - { from: 08:00, to: 18:00, timezone: Europe/Pari }
";
    assert_snapshot!(draw(text), @r"
    error: there is no time zone `Europe/Pari`
     --> a.yaml:7:43
      |
    7 |     - { from: 08:00, to: 18:00, timezone: Europe/Pari }
      |                                           ^^^^^^^^^^^ expected an IANA name such as `Europe/Paris`
      |
      = help: did you mean `Europe/Paris`?
    ");
}

#[test]
fn tab() {
    let text = "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: { name: a }\nspec:\n\timage: nginx\n";
    assert_snapshot!(draw(text), @r"
    error: a tab cannot indent YAML
     --> a.yaml:5:1
      |
    5 |     image: nginx
      | ^^^^ a tab
      |
      = help: indent with spaces
    ");
}

#[test]
fn wide_characters() {
    let text = r#"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec: { image: nginx, env: { A: "日本語" }, prot: 1 }
"#;
    assert_snapshot!(draw(text), @r#"
    error: unknown field `prot` in `spec`
     --> a.yaml:4:42
      |
    4 | spec: { image: nginx, env: { A: "日本語" }, prot: 1 }
      |                                             ^^^^ not a field of `spec`
      |
      = help: did you mean `port`?
      = help: its fields are `image`, `taskDefinition`, `container`, `command`, `entryPoint`, `port`, `protocol`, `cpu`, `memory`, `env`, `secrets`, `taskRoleArn`, `health`, `idleAfter`, `websocketIdle`, `busyPath`, `maxAwake`, `drain`, `wake`, `awake`, `architecture`, `fallback`, `dependsOn`, `rolloutCheck` and `proxy`
    "#);
}

#[test]
fn variable_twice() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  env: { KEY: a }
  secrets: { KEY: /a/key }
";
    assert_snapshot!(draw(text), @r"
    error: the variable `KEY` is in both `env` and `secrets`
     --> a.yaml:7:14
      |
    6 |   env: { KEY: a }
      |          --- in `env`
    7 |   secrets: { KEY: /a/key }
      |              ^^^ ECS accepts a name once
    ");
}

#[test]
fn own_variable() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  image: nginx
  env:
    DORMOUSE_LOG: debug
";
    assert_snapshot!(draw(text), @r"
    warning: the variable `DORMOUSE_LOG` may be overwritten
     --> a.yaml:7:5
      |
    7 |     DORMOUSE_LOG: debug
      |     ^^^^^^^^^^^^ names that start with `DORMOUSE_` are Dormouse's own
    ");
}

#[test]
fn cycle() {
    let text = r"---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec: { image: nginx, dependsOn: [b] }
---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: b }
spec: { image: nginx, dependsOn: [c] }
---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: c }
spec: { image: nginx, dependsOn: [a] }
";
    assert_snapshot!(draw(text), @r"
    error: the dependencies form a cycle: a -> b -> c -> a
     --> a.yaml:5:35
      |
    5 | spec: { image: nginx, dependsOn: [b] }
      |                                   ^ the cycle starts here
      |
      = help: remove one of these dependencies
    ");
}

#[test]
fn name_given_twice() {
    let text = r"---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec: { image: nginx }
---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec: { image: nginx }
";
    assert_snapshot!(draw(text), @r"
    error: the name `a` is given twice
     --> a.yaml:9:19
      |
    4 | metadata: { name: a }
      |                   - the first time
    ...
    9 | metadata: { name: a }
      |                   ^ the second time
    ");
}

#[test]
fn dependency_not_declared() {
    let text = r"---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: web }
spec: { image: nginx, dependsOn: [dbb] }
---
apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: db }
spec: { image: nginx }
";
    assert_snapshot!(draw(text), @r"
    warning: `dbb` is not declared
     --> a.yaml:5:35
      |
    5 | spec: { image: nginx, dependsOn: [dbb] }
      |                                   ^^^ it cannot be woken until it is
      |
      = help: did you mean `db`?
    ");
}

#[test]
fn every_mistake_in_the_order_of_the_text() {
    let text = r"apiVersion: dormouse.dev/v1
kind: Service
metadata: { name: a }
spec:
  memory: 2
  image: nginx
  wake: { access: privat, page: yes }
  protocl: tcp
";
    assert_snapshot!(draw(text), @r"
    error: `memory` cannot be 2
     --> a.yaml:5:11
      |
    5 |   memory: 2
      |           ^ expected a whole number from 6 to 33554432

    error: `wake.access` cannot be `privat`
     --> a.yaml:7:19
      |
    7 |   wake: { access: privat, page: yes }
      |                   ^^^^^^ expected `public` or `token`

    error: `wake.page` must be `true` or `false`, not the text `yes`
     --> a.yaml:7:33
      |
    7 |   wake: { access: privat, page: yes }
      |                                 ^^^ expected `true` or `false`
      |
      = help: write `true`

    error: unknown field `protocl` in `spec`
     --> a.yaml:8:3
      |
    8 |   protocl: tcp
      |   ^^^^^^^ not a field of `spec`
      |
      = help: did you mean `protocol`?
      = help: its fields are `image`, `taskDefinition`, `container`, `command`, `entryPoint`, `port`, `protocol`, `cpu`, `memory`, `env`, `secrets`, `taskRoleArn`, `health`, `idleAfter`, `websocketIdle`, `busyPath`, `maxAwake`, `drain`, `wake`, `awake`, `architecture`, `fallback`, `dependsOn`, `rolloutCheck` and `proxy`
    ");
}
