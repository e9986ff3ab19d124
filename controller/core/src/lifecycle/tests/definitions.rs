//! Task definitions: registered when their content is new, deregistered when nobody names them.

use crate::definition::{Base, Container, content};
use crate::intent;
use crate::lifecycle::{self, Refusal, Step, View, outcome};
use crate::naming::{SIDECAR_CONTAINER, USER_CONTAINER};
use crate::observed::TaskStatus;
use crate::settings::Settings;
use crate::testing::scene::Scene;
use crate::testing::secs;
use dormouse_manifests::fargate::{SIDECAR_CPU, SIDECAR_MEMORY};
use dormouse_manifests::{ProxyProtocol, Service, ServiceSpec};
use dormouse_peer::wire::Role;
use dormouse_state::Definitions;

fn declare(scene: &mut Scene, change: impl FnOnce(&mut ServiceSpec)) {
    let mut spec = scene.record.spec.clone().into_inner();
    change(&mut spec);
    scene.record = intent::declare(Some(&scene.record), &Service::new("hello", spec), scene.now).unwrap();
}

fn registers(steps: &[Step]) -> Vec<Role> {
    steps
        .iter()
        .filter_map(|step| if let Step::Register { role, .. } = step { Some(*role) } else { None })
        .collect()
}

fn deregisters(steps: &[Step]) -> Vec<&str> {
    steps
        .iter()
        .filter_map(|step| if let Step::Deregister { arn } = step { Some(arn.as_str()) } else { None })
        .collect()
}

fn arn(scene: &Scene, role: Role) -> String {
    let definitions = &scene.record.definitions;
    let slot = if role == Role::Proxy { &definitions.proxy } else { &definitions.service };
    slot.as_ref().unwrap().arn.clone().unwrap()
}

#[test]
fn both_are_registered_when_it_is_declared() {
    let mut scene = Scene::asleep();
    scene.record.definitions = Definitions::default().into();
    let steps = scene.step();
    assert_eq!(registers(&steps), Role::ALL);
    assert_eq!(registers(&scene.step()), Role::ALL, "until there is an answer");
    scene.register();
    assert_eq!(scene.step(), []);
    assert_eq!(scene.record.observed_generation, 1);
}

#[test]
fn every_container_that_is_ours_to_define_writes_to_the_log_group() {
    let logging = Settings { log_group: Some("/g".into()), ..Settings::example() };
    let image = ServiceSpec::defaults_for("demo");
    let own = ServiceSpec { task_definition: Some("own:3".into()), image: None, ..image.clone() };
    for (spec, role, names) in [
        (&image, Role::Proxy, &["dormouse-proxy"][..]),
        (&image, Role::Service, &["app", "dormouse-service"]),
        (&own, Role::Service, &["dormouse-service"]),
    ] {
        let logs = |settings: &Settings| {
            let containers = content(settings, "hello", spec, role).containers;
            let log =
                |known: &Container| known.log.clone().map(|to| (known.name.clone(), to.group, to.prefix));
            containers.iter().filter_map(log).collect::<Vec<_>>()
        };
        let expected = names.iter().map(|name| ((*name).to_owned(), "/g".to_owned(), "hello".to_owned()));
        assert_eq!(logs(&logging), expected.collect::<Vec<_>>(), "{role:?}");
        assert_eq!(logs(&Settings::example()), [], "{role:?}");
    }
}

#[test]
fn a_comparison_that_was_not_remembered_is_made_again() {
    let mut scene = Scene::asleep();
    declare(&mut scene, |spec| spec.image = Some("newer".into()));
    // The plan that compared was overtaken by somebody's write: nothing of it stands in the record.
    let view = View { compared: true, ..scene.view() };
    let plan = lifecycle::plan(&scene.settings, &scene.record, &view, scene.now);
    assert_eq!(registers(&plan.steps), [Role::Service]);
    // Once it is remembered, the manifest is not written out again.
    scene.step();
    scene.register();
    let view = View { compared: true, ..scene.view() };
    let plan = lifecycle::plan(&scene.settings, &scene.record, &view, scene.now);
    assert_eq!(registers(&plan.steps), []);
}

#[test]
fn only_what_changed_is_registered_anew_and_the_old_goes() {
    let mut scene = Scene::asleep();
    let old = arn(&scene, Role::Service);
    declare(&mut scene, |spec| spec.image = Some("newer".into()));
    let steps = scene.step();
    assert_eq!(registers(&steps), [Role::Service]);
    assert_eq!(deregisters(&steps), [old.as_str()]);
    outcome::deregistered(&mut scene.record, &old);
    scene.register();
    assert_eq!(scene.step(), []);
    assert_eq!(scene.record.observed_generation, 2);
}

#[test]
fn what_a_pair_still_names_is_kept() {
    let mut scene = Scene::ready();
    let old = arn(&scene, Role::Service);
    declare(&mut scene, |spec| spec.image = Some("newer".into()));
    scene.register();
    assert_eq!(deregisters(&scene.step()), Vec::<&str>::new());
    scene.end(Role::Service, &[("app", 1)]);
    let proxy = scene.arn(Role::Proxy);
    scene.set(&proxy, TaskStatus::Stopped);
    assert_eq!(deregisters(&scene.step()), [old]);
}

#[test]
fn a_setting_of_the_installation_changes_them_too() {
    let mut scene = Scene::asleep();
    scene.settings.proxy_image = "dormouse-proxy:2".into();
    assert_eq!(registers(&scene.step()), [Role::Proxy]);
}

#[test]
fn an_answer_that_comes_after_another_change_is_given_back() {
    let mut scene = Scene::asleep();
    declare(&mut scene, |spec| spec.image = Some("second".into()));
    scene.step();
    outcome::registered(&mut scene.record, Role::Service, "the first one's hash", "definition/late");
    assert!(scene.record.definitions.retired.contains(&"definition/late".to_owned()));
}

#[test]
fn a_revision_that_is_wanted_again_is_not_deregistered() {
    let mut scene = Scene::asleep();
    let old = arn(&scene, Role::Service);
    declare(&mut scene, |spec| spec.image = Some("second".into()));
    scene.register();
    declare(&mut scene, |spec| spec.image = Some("demo".into()));
    // The same content is answered with the same revision.
    scene.register();
    assert_eq!(arn(&scene, Role::Service), old);
    assert!(!deregisters(&scene.step()).contains(&old.as_str()));
}

#[test]
fn what_a_task_could_not_be_run_with_is_asked_for_again() {
    for (answer, replaced) in [("definition/proxy/anew", true), ("the same", false)] {
        let mut scene = Scene::waking();
        let (old, id) = (arn(&scene, Role::Proxy), scene.pair().id);
        outcome::doubted(&mut scene.record, Role::Proxy, "another");
        assert_eq!(arn(&scene, Role::Proxy), old);
        outcome::doubted(&mut scene.record, Role::Proxy, &old);
        let steps = scene.step();
        assert_eq!((registers(&steps), deregisters(&steps)), (vec![Role::Proxy], vec![]), "a pair names it");
        let hash = scene.record.definitions.proxy.clone().unwrap().hash;
        let answer = if replaced { answer } else { &old };
        outcome::registered(&mut scene.record, Role::Proxy, &hash, answer);
        scene.step();
        scene.pass(60);
        scene.step();
        assert_eq!(scene.pair().id != id, replaced, "{answer}");
        assert_eq!(scene.pair().proxy.parameters.task_definition, answer);
    }
}

#[test]
fn a_refusal_is_waited_for() {
    let mut scene = Scene::asleep();
    scene.record.definitions = Definitions::default().into();
    scene.refusal = Some(Refusal { at: scene.now, tries: 1, why: "Throttling".into() });
    assert_eq!(scene.step(), []);
    scene.pass(5);
    assert_eq!(registers(&scene.step()), Role::ALL);
}

#[test]
fn the_hash_tells_every_part_apart() {
    let (settings, spec) = (Settings::example(), ServiceSpec::defaults_for("demo"));
    let hash = |change: fn(&mut ServiceSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        content(&settings, "hello", &spec, Role::Service).hash()
    };
    let changes: [fn(&mut ServiceSpec); 12] = [
        |_| {},
        |spec| spec.image = Some("other".into()),
        |spec| spec.command = vec!["a b".into()],
        |spec| spec.command = vec!["a".into(), "b".into()],
        |spec| spec.entry_point = vec!["a".into()],
        |spec| spec.port = 80,
        |spec| spec.cpu = 512,
        |spec| spec.memory = 1024,
        |spec| spec.env = [("A".into(), "1".into())].into(),
        |spec| spec.secrets = [("A".into(), "1".into())].into(),
        |spec| spec.task_role_arn = Some("arn".into()),
        |spec| spec.health.path = "/health".into(),
    ];
    let hashes: std::collections::BTreeSet<String> = changes.into_iter().map(hash).collect();
    assert_eq!(hashes.len(), changes.len());
}

#[test]
fn what_does_not_reach_the_task_changes_no_definition() {
    let (settings, mut spec) = (Settings::example(), ServiceSpec::defaults_for("demo"));
    let before = Role::ALL.map(|role| content(&settings, "hello", &spec, role).hash());
    spec.wake.hold = secs(1);
    spec.depends_on = vec!["db".into()];
    assert_eq!(Role::ALL.map(|role| content(&settings, "hello", &spec, role).hash()), before);
}

#[test]
fn the_service_s_task_has_the_user_s_container_and_the_sidecar() {
    let mut spec = ServiceSpec::defaults_for("demo");
    spec.env = [("GREETING".into(), "hi".into())].into();
    let content = content(&Settings::example(), "hello", &spec, Role::Service);
    let [app, sidecar] = content.containers.as_slice() else { panic!("{content:?}") };
    assert_eq!((app.name.as_str(), app.image.as_str(), app.port), (USER_CONTAINER, "demo", Some(9050)));
    assert_eq!(app.env.keys().collect::<Vec<_>>(), ["GREETING"], "nothing of ours in the user's container");
    assert_eq!(
        (sidecar.name.as_str(), sidecar.cpu, sidecar.memory),
        (SIDECAR_CONTAINER, SIDECAR_CPU, SIDECAR_MEMORY)
    );
    assert_eq!(
        (content.cpu, content.memory, content.fargate),
        (256 + SIDECAR_CPU, 512 + SIDECAR_MEMORY, false)
    );
}

#[test]
fn an_existing_definition_gets_the_sidecar_only() {
    let mut spec = ServiceSpec::defaults_for("");
    (spec.image, spec.task_definition) = (None, Some("legacy:7".into()));
    let content = content(&Settings::example(), "hello", &spec, Role::Service);
    assert_eq!(content.base, Base::Existing("legacy:7".into()));
    assert_eq!(content.containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), [SIDECAR_CONTAINER]);
}

#[test]
fn the_proxy_outlives_its_drain_as_far_as_ecs_allows() {
    for (drain, process, stop) in [(0, 0, 5), (30, 30, 35), (600, 115, 120)] {
        let mut spec = ServiceSpec::defaults_for("demo");
        spec.drain = secs(drain);
        let content = content(&Settings::example(), "hello", &spec, Role::Proxy);
        assert_eq!(content.containers[0].stop_timeout, stop);
        assert_eq!(content.containers[0].env["DRAIN_MS"], (process * 1000).to_string());
    }
}

#[test]
fn the_sidecars_are_told_the_finer_rules() {
    let mut spec = ServiceSpec::defaults_for("demo");
    let env = |spec: &ServiceSpec, role, name: &str| {
        let containers = content(&Settings::example(), "hello", spec, role).containers;
        containers.last().unwrap().env.get(name).cloned()
    };
    assert_eq!(env(&spec, Role::Proxy, "SOCKET_IDLE_MS"), None);
    assert_eq!(env(&spec, Role::Service, "BUSY_PATH"), None);
    (spec.websocket_idle, spec.busy_path) = (Some(secs(90)), Some("/busy".into()));
    assert_eq!(env(&spec, Role::Proxy, "SOCKET_IDLE_MS").as_deref(), Some("90000"));
    assert_eq!(env(&spec, Role::Service, "BUSY_PATH").as_deref(), Some("/busy"));
    spec.protocol = dormouse_manifests::Protocol::Tcp;
    assert_eq!(env(&spec, Role::Service, "BUSY_PATH"), None);
}

#[test]
fn the_proxy_is_told_what_the_manifest_sets_and_nothing_else() {
    let told = |change: &dyn Fn(&mut ServiceSpec)| {
        let mut spec = ServiceSpec::defaults_for("demo");
        let env = |spec: &ServiceSpec| {
            content(&Settings::example(), "hello", spec, Role::Proxy).containers.remove(0).env
        };
        let before = env(&spec);
        change(&mut spec);
        let after = env(&spec).into_iter();
        after.filter(|pair| before.get(&pair.0) != Some(&pair.1)).collect::<Vec<_>>()
    };
    type Change = fn(&mut ServiceSpec);
    let cases: [(Change, &str, &str); 7] = [
        (|spec| spec.proxy.timeouts.connect = Some(secs(5)), "CONNECT_TIMEOUT_MS", "5000"),
        (|spec| spec.proxy.timeouts.header = Some(secs(10)), "HEADER_TIMEOUT_MS", "10000"),
        (|spec| spec.proxy.timeouts.body = Some(secs(0)), "BODY_TIMEOUT_MS", "0"),
        (|spec| spec.proxy.timeouts.response = Some(secs(60)), "RESPONSE_TIMEOUT_MS", "60000"),
        (|spec| spec.proxy.timeouts.idle = Some(secs(90)), "IDLE_TIMEOUT_MS", "90000"),
        (|spec| spec.proxy.access_log = true, "ACCESS_LOG", "on"),
        (|spec| spec.proxy.proxy_protocol = Some(ProxyProtocol::V2), "PROXY_PROTOCOL", "v2"),
    ];
    for (change, name, value) in cases {
        assert_eq!(told(&change), [(name.to_owned(), value.to_owned())]);
    }
}

#[test]
fn the_proxy_knows_who_may_stand_in_front_of_it() {
    let told = |settings: &Settings, role| {
        let containers = content(settings, "hello", &ServiceSpec::defaults_for("demo"), role).containers;
        containers.last().unwrap().env.get("DORMOUSE_TRUSTED_PROXIES").cloned()
    };
    let mut settings = Settings::example();
    assert_eq!(told(&settings, Role::Proxy), None, "who trusts nobody has the definitions of old");
    settings.trusted_proxies = vec!["10.0.0.0/8".into(), "2001:db8::/32".into()];
    assert_eq!(told(&settings, Role::Proxy).as_deref(), Some("10.0.0.0/8,2001:db8::/32"));
    assert_eq!(told(&settings, Role::Service), None);
}
