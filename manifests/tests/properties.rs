//! What holds for any value and for any text.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dormouse_manifests::window::parse_clock;
use dormouse_manifests::{
    Access, AwakeWindow, Days, Health, IdleAfter, Ignore, Parsed, Protocol, ProxyProtocol, ProxySpec,
    RateLimit, Service, ServiceSpec, Theme, Timeouts, Wake, fargate, format_duration, load, parse,
    parse_duration, to_yaml,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0..1000_u64), Just(0..100_000_u64), Just(0..86_400_000 * 366_u64),]
        .prop_flat_map(|range| range)
        .prop_map(Duration::from_millis)
}

fn positive() -> impl Strategy<Value = Duration> {
    duration().prop_filter("not zero", |duration| !duration.is_zero())
}

fn name() -> impl Strategy<Value = String> {
    "[b-z0-9]([-a-z0-9]{0,20}[a-z0-9])?"
}

/// Texts that YAML could take for something else among them.
fn text() -> impl Strategy<Value = String> {
    let odd =
        ["", "~", "null", "true", "no", "0", "1e3", "0x1f", "- a", "a: b", "#", "\"", "'", "*a", "&a", "!t"];
    let odd = [
        &odd[..],
        &["---", "...", "%", "@", "`", "{}", "[]", "a\nb", "\n", " a", "a ", "\t", "日本語", "<<"],
    ]
    .concat();
    prop_oneof![select(odd).prop_map(str::to_owned), "[ -~]{0,12}", "[^\0]{0,6}".prop_map(drop_controls)]
}

/// YAML has no form for some characters but in escapes, which not every reader knows.
fn drop_controls(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn variables(value: impl Strategy<Value = String>) -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", value, 0..4)
}

fn window() -> impl Strategy<Value = AwakeWindow> {
    let days = (1..128_u8).prop_map(|set| {
        let days = Days::daily().iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0);
        days.map(|(_, day)| day).collect::<Days>()
    });
    let time =
        || (0..24, 0..60).prop_filter_map("a time", |(h, m)| parse_clock(&format!("{h:02}:{m:02}")).ok());
    let zone = select(vec!["UTC", "Europe/Paris", "Etc/GMT+3", "America/Argentina/Ushuaia"]);
    (days, time(), time(), zone).prop_map(|(days, from, to, zone)| AwakeWindow {
        days,
        from,
        to,
        timezone: zone.to_owned(),
    })
}

fn health() -> impl Strategy<Value = Health> {
    ("/[!-~]{0,10}", positive(), positive(), 1..=100_u32, duration()).prop_map(
        |(path, one, other, failures, grace_period)| Health {
            path,
            interval: one.max(other),
            timeout: one.min(other),
            failures,
            grace_period,
        },
    )
}

fn wake() -> impl Strategy<Value = Wake> {
    let rate = (1..1_000_000_000_u32, select(vec![1, 60, 3600]))
        .prop_map(|(count, per)| RateLimit { count, per: Duration::from_secs(per) });
    let ignore = (vec("[/*][a-z*?.]{0,8}", 0..3), vec("[A-Z]{1,8}", 0..3), vec("[a-z*?. ]{0,8}[a-z]", 0..3))
        .prop_map(|(paths, methods, user_agents)| Ignore { paths, methods, user_agents });
    let access = select(vec![Access::Public, Access::Token]);
    let rates = (option::of(rate.clone()), option::of(rate), option::of(1..=1_000_000_u32));
    let theme =
        (option::of("[ -~]{0,38}[!-~]"), option::of("#([0-9a-fA-F]{3}){1,2}"), option::of("[a-z0-9]{1,63}"))
            .prop_map(|(title, accent, page)| Theme { title, accent, page });
    (duration(), any::<bool>(), access, ignore, rates, theme).prop_map(
        |(hold, page, access, ignore, (rate_limit, service_rate_limit, daily_budget), theme)| Wake {
            hold,
            page,
            access,
            ignore,
            rate_limit,
            service_rate_limit,
            daily_budget,
            theme,
        },
    )
}

fn proxy() -> impl Strategy<Value = ProxySpec> {
    let sizes = fargate::cpu_sizes().flat_map(|cpu| {
        let memory = fargate::memory_sizes(cpu);
        memory.into_iter().map(move |memory| (cpu, memory))
    });
    let settings = (any::<bool>(), any::<bool>(), any::<bool>());
    (select(sizes.collect::<Vec<_>>()), settings, timeouts()).prop_map(
        |((cpu, memory), (spot, access_log, told), timeouts)| {
            let proxy_protocol = told.then_some(ProxyProtocol::V2);
            ProxySpec { cpu, memory, spot, timeouts, access_log, proxy_protocol }
        },
    )
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    let short = |from: u64| option::of((from..600_000).prop_map(Duration::from_millis));
    (short(1), short(1), short(0), short(0), short(1)).prop_map(|(connect, header, body, response, idle)| {
        Timeouts { connect, header, body, response, idle }
    })
}

fn program() -> impl Strategy<Value = ServiceSpec> {
    let image = "[a-z0-9./:@-]{1,20}".prop_map(|image| ServiceSpec::defaults_for(&image));
    let definition = ("[a-zA-Z0-9_-]{1,9}(:[1-9][0-9]{0,3})?", option::of("[a-zA-Z0-9_-]{1,9}")).prop_map(
        |(definition, container)| {
            let mut spec = ServiceSpec::defaults_for("");
            spec.image = None;
            spec.task_definition = Some(definition);
            spec.container = container;
            spec
        },
    );
    let sizes = (1..=u16::MAX, 128..=196_608_u32, 6..=33_554_432_u32);
    let protocol = select(vec![Protocol::Http, Protocol::H2c, Protocol::Tcp]);
    (prop_oneof![image, definition], vec(text(), 0..3), vec(text(), 0..3), sizes, protocol).prop_map(
        |(spec, command, entry_point, (port, cpu, memory), protocol)| ServiceSpec {
            command,
            entry_point,
            port,
            cpu,
            memory,
            protocol,
            ..spec
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let role = option::of(Just("arn:aws:iam::123456789012:role/a/b".to_owned()));
    let idle = prop_oneof![Just(IdleAfter::Never), positive().prop_map(IdleAfter::After)];
    let names = (variables(text()), variables("[a-zA-Z0-9/_.-]{1,12}".boxed()), role);
    let idle = (idle, option::of(positive()), option::of("/[!-~]{0,10}"), option::of(positive()));
    let times = (health(), idle, duration(), wake(), vec(window(), 0..3));
    let rest = (btree_set(name(), 0..3), proxy());
    (program(), names, times, rest, "a[a-z]{0,3}", variables(text())).prop_map(
        |(program, (env, secrets, task_role_arn), times, (depends_on, proxy), name, labels)| {
            let (health, (idle_after, websocket_idle, busy_path, max_awake), drain, wake, awake) = times;
            let env: BTreeMap<_, _> = env.into_iter().filter(|(key, _)| !secrets.contains_key(key)).collect();
            let depends_on: BTreeSet<String> =
                depends_on.into_iter().filter(|other| *other != name).collect();
            // Bytes alone say nothing of who sent them.
            let told = proxy.proxy_protocol.filter(|_| program.protocol == Protocol::Tcp);
            let proxy = ProxySpec { proxy_protocol: told, ..proxy };
            let spec = ServiceSpec {
                env,
                secrets,
                task_role_arn,
                health,
                idle_after,
                websocket_idle,
                busy_path,
                max_awake,
                drain,
                wake,
                awake,
                depends_on: depends_on.into_iter().collect(),
                proxy,
                ..program
            };
            let mut service = Service::new(name, spec);
            service.metadata.labels = labels;
            service
        },
    )
}

/// Everything that is promised of what was read from a text.
fn check_promises(text: &str, mut parsed: Parsed) {
    parsed.check(&|_| false);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for diagnostic in &parsed.diagnostics {
        let span = diagnostic.span();
        assert!(text.get(span.clone()).is_some(), "{span:?} of {}", text.len());
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&diagnostic.line));
        assert!(diagnostic.column >= 1);
        let drawn = diagnostic.to_string();
        assert!(drawn.contains(&format!("a.yaml:{}:", diagnostic.line)), "{drawn}");
        assert!(diagnostic.render(true).contains("\u{1b}["));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_to_a_service_and_back_is_the_same(service in service()) {
        let json = serde_json::to_value(&service).unwrap();
        let again: Service = serde_json::from_value(json.clone()).unwrap();
        prop_assert_eq!(&again, &service);
        prop_assert_eq!(serde_json::to_value(&again).unwrap(), json);
    }

    #[test]
    fn what_is_written_is_read(service in service()) {
        for text in [to_yaml(&service).unwrap(), serde_json::to_string(&service).unwrap()] {
            let parsed = parse("a.yaml", &text);
            let errors: Vec<String> = parsed.diagnostics.iter().filter(|d| d.is_error()).map(ToString::to_string).collect();
            prop_assert!(errors.is_empty(), "{}\n{}", errors.join("\n"), text);
            prop_assert_eq!(&parsed.services[0].value, &service, "{}", text);
        }
    }

    #[test]
    fn durations_are_written_exactly(duration in duration()) {
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_survived(text in "\\PC*") {
        check_promises(&text, parse("a.yaml", &text));
    }

    #[test]
    fn any_yaml_like_text_is_survived(text in "([a-z]{1,3}|: |- |\n|  |\t|\\[|\\]|\\{|\\}|,|\"|'|#|&a |\\*a|!|\\||>|---\n|\\?|é|日|\r|\0|<<|1|~){0,40}") {
        check_promises(&text, parse("a.yaml", &text));
    }

    #[test]
    fn any_change_of_a_manifest_is_survived(
        at in 0..3000_usize,
        length in 0..40_usize,
        put in "([a-z:\\- \n\t\\[\\]{}'\"&*#!|>%@,0-9é日]|---\n){0,6}",
    ) {
        let mut text = include_str!("../examples/full.yaml").to_owned();
        text.push_str("---\n");
        text.push_str(include_str!("../examples/database-dependency.yaml"));
        let start = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        text.replace_range(start..end, &put);
        check_promises(&text, parse("a.yaml", &text));
    }

    #[test]
    fn any_bytes_in_a_file_are_survived(bytes in vec(any::<u8>(), 0..200)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        for diagnostic in load(&[file.path().to_owned()]).diagnostics {
            prop_assert!(!diagnostic.to_string().is_empty());
        }
    }
}
