//! What is accepted and what is not, field by field: the place, the message and the help.

use dormouse_manifests::{Architecture, Fallback, IdleAfter, ProxyProtocol, RateLimit, ServiceSpec, parse};

const HEADER: &str = "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: { name: a }\n";

/// Line 4 column 9 is where the given fields start.
fn document(fields: &str) -> String {
    format!("{HEADER}spec: {{ {fields} }}\n")
}

#[test]
fn mistakes_are_found_where_they_are() {
    // Fields; the column of the complaint; part of its message or label; part of its help.
    let cases: &[(&str, usize, &str, &str)] = &[
        ("image: ''", 16, "not a container image", "docker pull"),
        ("image: 'a b'", 16, "not a container image", "docker pull"),
        ("image: [a]", 16, "must be a text, not a list", ""),
        ("image: ~", 16, "not nothing", "leave the field out"),
        ("image: true", 16, "not the boolean `true`", "quote it: \"true\""),
        ("image: 1.5", 16, "not the number `1.5`", "quote it: \"1.5\""),
        ("taskDefinition: 'a:0'", 25, "not a number from 1 on", "family:revision"),
        ("taskDefinition: 'a:b:c'", 25, "not a number from 1 on", "family:revision"),
        ("taskDefinition: 'arn:aws:ecs:eu-west-3:1:task-definition/a:1'", 25, "not one of a task", ""),
        ("taskDefinition: a, container: 'x y'", 39, "not the name of a container", ""),
        ("image: a, container: b", 19, "only for `taskDefinition`", "remove `container`"),
        ("image: a, command: nginx", 28, "must be a list", "[nginx]"),
        ("image: a, command: [1]", 29, "must be a text", "quote it: \"1\""),
        ("image: a, port: 0", 25, "cannot be 0", ""),
        ("image: a, port: 65536", 25, "cannot be 65536", ""),
        ("image: a, port: -1", 25, "cannot be -1", ""),
        ("image: a, port: 80.5", 25, "a whole number from 1 to 65535", "such as 80"),
        ("image: a, port: 99999999999999999999", 25, "cannot be 99999999999999999999", ""),
        ("image: a, protocol: htp", 29, "expected `http`, `h2c` or `tcp`", "did you mean `http`?"),
        ("image: a, cpu: 127", 24, "from 128 to 196608", ""),
        ("image: a, memory: 5", 27, "from 6 to", ""),
        ("image: a, memory: 1Gi", 27, "not the text `1Gi`", ""),
        ("image: a, env: [A=b]", 24, "must be a mapping, not a list", ""),
        ("image: a, env: { 1A: b }", 26, "not the name of a variable", ""),
        ("image: a, env: { A: }", 26, "not nothing", ""),
        ("image: a, secrets: { A: 'arn:aws:s3:eu-west-3:123456789012:b' }", 33, "neither of Secrets", ""),
        ("image: a, secrets: { A: 'arn:aws:ssm:eu-west-3:12:parameter/b' }", 33, "not 12 digits", ""),
        ("image: a, secrets: { A: 'arn:aws:ssm:eu-west-3:123456789012:b' }", 33, "names neither", ""),
        ("image: a, taskRoleArn: admin", 32, "not the ARN of a role", ""),
        ("image: a, health: { path: health }", 35, "not a path", "did you mean `/health`?"),
        ("image: a, health: { path: 'http://b/' }", 35, "not a path", ""),
        ("image: a, health: { interval: 0s }", 39, "cannot be zero", ""),
        ("image: a, health: { failures: 101 }", 39, "from 1 to 100", ""),
        ("image: a, health: { grace: 5s }", 29, "unknown field `grace`", "`gracePeriod`"),
        ("image: a, idleAfter: -5m", 30, "cannot be negative", "`1h30m`"),
        ("image: a, idleAfter: 0s", 30, "cannot be zero", ""),
        ("image: a, idleAfter: nevr", 30, "whole number is expected", "did you mean `never`?"),
        ("image: a, idleAfter: 1.5h", 30, "unit is missing", ""),
        ("image: a, idleAfter: 30m1h", 30, "largest first", ""),
        ("image: a, idleAfter: 400d", 30, "more than a year", ""),
        ("image: a, websocketIdle: 0s", 34, "cannot be zero", ""),
        ("image: a, busyPath: busy", 29, "not a path", "did you mean `/busy`?"),
        ("image: a, maxAwake: never", 29, "whole number is expected", ""),
        ("image: a, drain: 5 parsecs", 26, "unit is missing", "`5s`"),
        ("image: a, drain: 2hours", 26, "`hours` is not a unit", "did you mean `h`?"),
        ("image: a, drain: 2months", 26, "`months` is not a unit", "`1d`"),
        ("image: a, drain: 0", 26, "unit is missing", "write `0s`"),
        ("image: a, wake: { page: 'yes' }", 33, "`true` or `false`", "write `true`"),
        ("image: a, wake: { page: 1 }", 33, "not the number `1`", ""),
        ("image: a, wake: { rateLimit: 0/m }", 38, "from 1 on", "`10/m`"),
        ("image: a, wake: { serviceRateLimit: 0/m }", 45, "from 1 on", "`10/m`"),
        ("image: a, wake: { dailyBudget: 0 }", 40, "from 1 to 1000000", ""),
        ("image: a, wake: { theme: { accent: red } }", 44, "such as \"#0b7285\"", ""),
        ("image: a, wake: { theme: { accent: '#12345' } }", 44, "expected a colour", ""),
        ("image: a, wake: { theme: { title: '' } }", 43, "1 to 80 characters; this has 0", ""),
        ("image: a, wake: { theme: { page: team.html } }", 42, "the name of a page", "without `.html`: team"),
        ("image: a, wake: { theme: { page: ../x } }", 42, "the name of a page", ""),
        ("image: a, wake: { theme: { logo: x } }", 36, "not a field of", "`title`, `accent` and `page`"),
        ("image: a, wake: { ignore: { methods: [head] } }", 47, "not an HTTP method", "did you mean `HEAD`?"),
        ("image: a, wake: { ignore: { methods: ['A B'] } }", 47, "not an HTTP method", ""),
        ("image: a, wake: { rateLimit: 10 }", 38, "from 1 on", "`none`"),
        ("image: a, wake: { ignore: { paths: [favicon.ico] } }", 45, "matches no path", "`/favicon.ico`"),
        ("image: a, wake: { ignore: { userAgents: [''] } }", 50, "a pattern is empty", ""),
        ("image: a, wake: { ignore: { userAgents: ['*{a,b}'] } }", 50, "has brackets", "two patterns"),
        ("image: a, awake: { days: Mon }", 26, "must be a list, not a mapping", ""),
        ("image: a, awake: [{ to: '18:00' }]", 29, "`from` is missing", "from: \"08:00\""),
        ("image: a, awake: [{ from: '08:00' }]", 29, "`to` is missing", "to: \"08:00\""),
        ("image: a, awake: [{ days: Monday, from: '08:00', to: '09:00' }]", 35, "not a day", "`Mon`"),
        ("image: a, awake: [{ days: 'Mon,', from: '08:00', to: '09:00' }]", 35, "a day is missing", ""),
        ("image: a, awake: [{ from: 8:00, to: '09:00' }]", 35, "`08:00`", "did you mean \"08:00\"?"),
        ("image: a, awake: [{ from: '08:00', to: '24:00' }]", 48, "`to` cannot be", "midnight is `00:00`"),
        ("image: a, awake: [{ from: '08:00', to: '09:00', timezone: CET+1 }]", 67, "no time zone", "`UTC`"),
        (
            "image: a, awake: [{ from: '08:00', to: '09:00', timezone: paris }]",
            67,
            "no time zone",
            "did you mean `Europe/Paris`?",
        ),
        ("image: a, dependsOn: [a]", 31, "depends on itself", ""),
        ("image: a, dependsOn: [b, b]", 34, "in `dependsOn` twice", ""),
        ("image: a, dependsOn: [B]", 31, "upper case", "did you mean `b`?"),
        ("image: a, architecture: amd64", 33, "expected `arm64` or `x86_64`", ""),
        ("image: a, fallback: lambda", 29, "expected `none` or `fargate`", ""),
        (
            "image: a, cpu: 16384, fallback: fargate",
            31,
            "it takes 16416 CPU units and 544 MiB",
            "remove `fallback`",
        ),
        ("image: a, proxy: { cpu: 300 }", 33, "256, 512, 1024", ""),
        ("image: a, proxy: { cpu: 256, memory: 1536 }", 46, "512, 1024, 2048", ""),
        ("image: a, proxy: { timeouts: 5s }", 38, "must be a mapping, not the text", ""),
        (
            "image: a, proxy: { timeouts: { conect: 5s } }",
            40,
            "unknown field `conect`",
            "did you mean `connect`?",
        ),
        ("image: a, proxy: { timeouts: { connect: 0s } }", 49, "cannot be zero", ""),
        ("image: a, proxy: { timeouts: { connect: 11m } }", 49, "10m are the most", ""),
        ("image: a, proxy: { timeouts: { idle: 25h } }", 46, "1d are the most", ""),
        ("image: a, proxy: { accessLog: yes }", 39, "must be `true` or `false`", ""),
        ("image: a, protocol: tcp, proxy: { proxyProtocol: v1 }", 58, "expected `v2`", ""),
        ("image: a, proxy: { proxyProtocol: v2 }", 28, "only for `protocol: tcp`", "remove `proxyProtocol`"),
        ("image: a, <<: { cpu: 256 }", 19, "unknown field `<<`", "merge keys"),
        ("image: !secret a", 16, "tag `!secret` has no meaning", ""),
        ("image: *nowhere", 16, "invalid YAML", ""),
        ("image: a, ? [b] : c", 21, "a key must be a text", ""),
    ];
    for (fields, column, message, help) in cases {
        let text = document(fields);
        let parsed = parse("a.yaml", &text);
        let shown: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
        let shown = shown.join("\n");
        assert!(parsed.services.is_empty(), "accepted: {fields}");
        let [diagnostic] = parsed.diagnostics.as_slice() else {
            panic!("one complaint about {fields}, not:\n{shown}");
        };
        assert_eq!((diagnostic.line, diagnostic.column), (4, *column), "{shown}");
        let said = format!("{} {}", diagnostic.message, diagnostic.label);
        assert!(said.contains(message), "{message} in:\n{shown}");
        assert!(diagnostic.help.join("\n").contains(help), "{help} in:\n{shown}");
    }
}

#[test]
fn names_are_dns_labels() {
    let long = "a".repeat(64);
    for (name, reason, fixed) in [
        ("Shop", "upper case", "`shop`"),
        ("my_shop", "`_` is not allowed", "`my-shop`"),
        ("-shop", "starts or ends", "`shop`"),
        ("shop-", "starts or ends", "`shop`"),
        ("shop.web", "`.` is not allowed", "`shop-web`"),
        ("Café", "upper case", "`caf`"),
        ("日本", "`日` is not allowed", "such as `hello`"),
        (&long, "64 characters, 63 are the most", &long[..63]),
    ] {
        let text = format!(
            "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata:\n  name: {name}\nspec: {{ image: a }}\n"
        );
        let parsed = parse("a.yaml", &text);
        let [diagnostic] = parsed.diagnostics.as_slice() else {
            panic!("one complaint about {name}");
        };
        assert_eq!((diagnostic.line, diagnostic.column), (4, 9));
        assert!(diagnostic.label.contains(reason), "{diagnostic}");
        assert!(diagnostic.help.join(" ").contains(fixed), "{diagnostic}");
    }
}

#[test]
fn headers_are_required() {
    for (text, message, help) in [
        (
            "kind: Service\nmetadata: { name: a }\nspec: { image: a }",
            "`apiVersion` is missing",
            "dormouse.dev/v1",
        ),
        (
            "apiVersion: dormouse.dev/v1\nmetadata: { name: a }\nspec: { image: a }",
            "`kind` is missing",
            "kind: Service",
        ),
        (
            "apiVersion: dormouse.dev/v1\nkind: Service\nspec: { image: a }",
            "`metadata` is missing",
            "name: hello",
        ),
        ("apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: { name: a }", "`spec` is missing", "image"),
        ("apiVersion: dormouse.dev/v1\nkind: service\n", "unknown kind `service`", "did you mean `Service`?"),
        (
            "apiVersion: dormouse.dev/v2\nkind: Service\n",
            "unknown apiVersion",
            "did you mean `dormouse.dev/v1`?",
        ),
        ("just text", "must be a mapping, not the text", ""),
        ("- a\n- b", "must be a mapping, not a list", ""),
        ("42", "must be a mapping, not the number", ""),
    ] {
        let parsed = parse("a.yaml", text);
        let [diagnostic] = parsed.diagnostics.as_slice() else {
            panic!("one complaint about {text}: {:?}", parsed.diagnostics);
        };
        assert!(diagnostic.message.contains(message), "{diagnostic}");
        assert!(diagnostic.help.join(" ").contains(help), "{diagnostic}");
    }
}

#[test]
fn accepted_values_arrive() {
    type Look = fn(&ServiceSpec) -> bool;
    let cases: &[(&str, Look)] = &[
        ("image: a", |spec| *spec == ServiceSpec::defaults_for("a")),
        ("image: a, wake: {}, health: {}, proxy: {}", |spec| *spec == ServiceSpec::defaults_for("a")),
        ("image: a, idleAfter: never", |spec| spec.idle_after == IdleAfter::Never),
        ("image: a, idleAfter: 1h30m", |spec| {
            spec.idle_after.to_string() == "1h30m" && spec.idle_after != IdleAfter::Never
        }),
        ("image: a, drain: 90s", |spec| spec.drain.as_secs() == 90),
        ("image: a, drain: 0s, wake: { hold: 0s }", |spec| spec.drain.is_zero()),
        ("image: a, wake: { theme: { title: The wiki, accent: '#07c', page: team } }", |spec| {
            let theme = &spec.wake.theme;
            theme.title.as_deref() == Some("The wiki")
                && theme.accent.as_deref() == Some("#07c")
                && theme.page.as_deref() == Some("team")
        }),
        ("image: a, wake: { rateLimit: none }", |spec| spec.wake.rate_limit.is_none()),
        ("image: a, wake: { rateLimit: 100/h }", |spec| {
            spec.wake.rate_limit.is_some_and(|rate| rate.count == 100 && rate.per.as_secs() == 3600)
        }),
        ("image: a", |spec| spec.wake.rate_limit == Some(RateLimit::DEFAULT)),
        ("image: a", |spec| spec.wake.service_rate_limit.is_none() && spec.wake.daily_budget.is_none()),
        ("image: a, wake: { serviceRateLimit: 5/h, dailyBudget: 20, ignore: { methods: [HEAD] } }", |spec| {
            spec.wake.service_rate_limit.is_some_and(|rate| rate.count == 5)
                && spec.wake.daily_budget == Some(20)
                && spec.wake.ignore.methods == ["HEAD"]
        }),
        ("image: a, websocketIdle: 5m, busyPath: /busy, maxAwake: 8h", |spec| {
            spec.websocket_idle.is_some_and(|idle| idle.as_secs() == 300)
                && spec.busy_path.as_deref() == Some("/busy")
                && spec.max_awake.is_some_and(|limit| limit.as_secs() == 8 * 3600)
        }),
        ("image: a, health: { interval: 1s }", |spec| spec.health.timeout.as_secs() == 1),
        ("image: a, architecture: x86_64", |spec| spec.architecture == Some(Architecture::X86_64)),
        ("image: a", |spec| spec.architecture.is_none()),
        ("image: a, fallback: fargate", |spec| spec.fallback == Fallback::Fargate),
        ("image: a, cpu: 16384, fallback: none", |spec| spec.fallback == Fallback::None),
        // How large that one is, only ECS knows.
        ("taskDefinition: a, cpu: 16384, fallback: fargate", |spec| spec.fallback == Fallback::Fargate),
        ("image: a, proxy: { cpu: 1024 }", |spec| spec.proxy.memory == 2048),
        ("image: a, proxy: { timeouts: { connect: 5s, body: 0s }, accessLog: true }", |spec| {
            let timeouts = &spec.proxy.timeouts;
            let seconds = |timeout: Option<std::time::Duration>| timeout.map(|timeout| timeout.as_secs());
            (seconds(timeouts.connect), seconds(timeouts.body), timeouts.idle) == (Some(5), Some(0), None)
                && spec.proxy.access_log
        }),
        ("image: a, protocol: tcp, proxy: { proxyProtocol: v2 }", |spec| {
            spec.proxy.proxy_protocol == Some(ProxyProtocol::V2)
        }),
        ("image: a, wake: { ignore: { paths: [] } }", |spec| spec.wake.ignore.paths.is_empty()),
        ("image: !!str 123", |spec| spec.image.as_deref() == Some("123")),
        ("image: &x a, command: [*x]", |spec| spec.command == ["a"]),
        ("taskDefinition: web, container: app", |spec| spec.image.is_none()),
        ("taskDefinition: 'arn:aws:ecs:eu-west-3:123456789012:task-definition/web:7'", |spec| {
            spec.task_definition.as_deref().is_some_and(|arn| arn.ends_with("web:7"))
        }),
        ("image: a, secrets: { A: 'arn:aws:secretsmanager:eu-west-3:123456789012:secret:x:k::' }", |spec| {
            spec.secrets.len() == 1
        }),
        ("image: a, env: { logging.level: debug, A-B: '' }", |spec| spec.env.len() == 2),
        ("image: a, awake: [{ days: 'Fri-Mon', from: 22:00, to: 06:00 }]", |spec| {
            spec.awake.iter().all(|window| {
                window.days.to_string() == "Mon,Fri-Sun"
                    && window.closes_next_day()
                    && window.timezone == "UTC"
            })
        }),
        ("image: a, awake: [{ from: 00:00, to: 00:00 }]", |spec| {
            spec.awake.iter().all(|window| window.closes_next_day() && window.days.iter().count() == 7)
        }),
    ];
    for (fields, look) in cases {
        let parsed = parse("a.yaml", &document(fields));
        assert_eq!(parsed.diagnostics, [], "{fields}");
        let [service] = parsed.services.as_slice() else {
            panic!("one service of {fields}");
        };
        assert!(look(&service.value.spec), "{fields}: {:?}", service.value.spec);
        assert_eq!((service.line, service.column), (3, 19));
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let with = "taskDefinition: web, env: { B: c }, secrets: { A: b }, command: [run], entryPoint: [sh]";
    let parsed = parse("a.yaml", &document(with));
    assert_eq!(parsed.services.len(), 1);
    assert!(!parsed.has_errors());
    assert_eq!(parsed.diagnostics.len(), 4);
    for fields in ["image: a, protocol: tcp, busyPath: /busy", "image: a, idleAfter: 1h, maxAwake: 30m"] {
        let parsed = parse("a.yaml", &document(fields));
        assert_eq!((parsed.services.len(), parsed.diagnostics.len()), (1, 1), "{fields}");
        assert!(!parsed.has_errors());
    }
}

#[test]
fn names_of_the_controllers_pages_are_a_warning() {
    let text = document("image: a").replace("name: a", "name: metrics");
    let parsed = parse("a.yaml", &text);
    assert_eq!(parsed.services.len(), 1);
    assert!(parsed.diagnostics[0].help[0].contains("GET /api/metrics"), "{}", parsed.diagnostics[0]);
}
