//! What AWS does, in small scenarios: each leaves the world as it found it.

use crate::Bench;
use dormouse_aws::ports::{ChangeAnswer, CloudError, RunAnswer};
use dormouse_core::dns::Change;
use dormouse_core::observed::{Instance, RecordSet, TaskStatus};
use dormouse_state::Launch;
use std::time::Duration;

/// All of them, one after the other: some need a group that nobody else uses.
pub async fn all(bench: &Bench) {
    a_token_names_one_task(bench).await;
    a_token_with_other_parameters_is_a_conflict(bench).await;
    a_task_lives_from_run_to_stop(bench).await;
    listings_are_of_one_mark_and_one_cluster(bench).await;
    unknown_tasks_are_missing_however_many(bench).await;
    a_stop_of_what_is_over_is_success_and_of_what_is_unknown_is_not(bench).await;
    definitions_have_revisions_and_owners(bench).await;
    an_inactive_definition_runs_nothing(bench).await;
    unknown_interfaces_have_no_address(bench).await;
    a_cluster_without_instances_has_no_room(bench).await;
    a_group_does_not_grow_beyond_its_maximum(bench).await;
    an_instance_comes_and_joins(bench).await;
    an_instance_has_room_for_so_much(bench).await;
    an_instance_that_drains_takes_nothing(bench).await;
    protection_holds(bench).await;
    termination_lowers_what_is_desired_and_ends_what_runs(bench).await;
    what_is_gone_can_be_terminated_again(bench).await;
    records_are_created_once(bench).await;
    records_are_deleted_by_their_exact_value(bench).await;
    a_batch_is_applied_whole_or_not_at_all(bench).await;
    a_change_reaches_every_name_server(bench).await;
}

async fn a_token_names_one_task(bench: &Bench) {
    let call = bench.call(Launch::Fargate, 256, 512).await;
    let (first, again) = (bench.start(&call).await, bench.start(&call).await);
    assert_eq!(first.arn, again.arn);
    assert_eq!(first.identity, Some(call.identity.clone()));
    stop(bench, &first).await;
    // It is over, and still the one of that token.
    assert_eq!(bench.start(&call).await.arn, first.arn);
}

async fn a_token_with_other_parameters_is_a_conflict(bench: &Bench) {
    let call = bench.call(Launch::Fargate, 256, 512).await;
    let task = bench.start(&call).await;
    let mut other = call.clone();
    other.env.insert("MORE".into(), "1".into());
    let answer = bench.cloud.tasks.run(&other).await.unwrap();
    assert_eq!(answer, RunAnswer::TokenConflict(vec![task.arn.clone()]));
    stop(bench, &task).await;
}

async fn a_task_lives_from_run_to_stop(bench: &Bench) {
    let call = bench.call(Launch::Fargate, 256, 512).await;
    let task = bench.start(&call).await;
    assert!(task.status < TaskStatus::Running && !task.stopping, "{task:?}");
    let running = bench.comes_to(&task, TaskStatus::Running).await;
    assert!(running.private_address.is_some() && running.stop_code.is_none(), "{running:?}");
    let interface = running.interface.clone().unwrap();
    let shown = bench.cloud.interfaces.public_addresses(std::slice::from_ref(&interface)).await.unwrap();
    assert!(shown.contains_key(&interface), "a Fargate task with a public address: {shown:?}");

    bench.cloud.tasks.stop(&task.cluster, &task.arn, "asked to").await.unwrap();
    let stopping = bench.describe(&task).await.unwrap();
    assert!(stopping.stopping, "from now on it is to be STOPPED: {stopping:?}");
    let stopped = bench.comes_to(&task, TaskStatus::Stopped).await;
    assert_eq!(stopped.stop_code.as_deref(), Some("UserInitiated"));
    assert!(stopped.stopped_reason.as_deref().unwrap().contains("asked to"), "{stopped:?}");
    assert_eq!(stopped.identity, Some(call.identity), "it can still be told whose it was");
}

async fn listings_are_of_one_mark_and_one_cluster(bench: &Bench) {
    let tasks = &bench.cloud.tasks;
    let task = bench.start(&bench.call(Launch::Fargate, 256, 512).await).await;
    let mark = bench.started_by();
    assert_eq!(tasks.list(&bench.proxy_cluster, &mark).await.unwrap(), std::slice::from_ref(&task.arn));
    assert!(tasks.list(&bench.service_cluster, &mark).await.unwrap().is_empty());
    assert!(tasks.list(&bench.proxy_cluster, "dormouse/other").await.unwrap().is_empty());
    let strange =
        tasks.describe(&task.cluster, "dormouse/other", std::slice::from_ref(&task.arn)).await.unwrap();
    assert_eq!(strange.tasks[0].identity, None, "not of that mark");
    tasks.stop(&task.cluster, &task.arn, "over").await.unwrap();
    assert!(tasks.list(&bench.proxy_cluster, &mark).await.unwrap().is_empty(), "it is to be STOPPED");
    bench.comes_to(&task, TaskStatus::Stopped).await;
}

/// ARN of a task that never was.
fn unknown(cluster: &str, number: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task/{cluster}/{number:032x}")
}

async fn unknown_tasks_are_missing_however_many(bench: &Bench) {
    let arns: Vec<String> = (0..250).map(|number| unknown(&bench.proxy_cluster, number)).collect();
    let described =
        bench.cloud.tasks.describe(&bench.proxy_cluster, &bench.started_by(), &arns).await.unwrap();
    assert!(described.tasks.is_empty());
    assert_eq!(described.missing, arns.into_iter().collect());
}

async fn a_stop_of_what_is_over_is_success_and_of_what_is_unknown_is_not(bench: &Bench) {
    let task = bench.start(&bench.call(Launch::Fargate, 256, 512).await).await;
    stop(bench, &task).await;
    let before = bench.describe(&task).await;
    bench.cloud.tasks.stop(&task.cluster, &task.arn, "once more").await.unwrap();
    assert_eq!(bench.describe(&task).await, before);
    let unknown = unknown(&task.cluster, 1);
    let error = bench.cloud.tasks.stop(&task.cluster, &unknown, "over").await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. } | CloudError::NotFound { .. }), "not yet? {error}");
}

async fn definitions_have_revisions_and_owners(bench: &Bench) {
    let (tasks, install) = (&bench.cloud.tasks, &bench.install);
    let content = bench.content(Launch::Fargate, 256, 512);
    let first = tasks.register(install, &content).await.unwrap();
    assert_eq!(tasks.register(install, &content).await.unwrap(), first, "the same again");
    let other = tasks.register("other", &content).await.unwrap();
    let mut more = content.clone();
    more.memory = 1024;
    let second = tasks.register(install, &more).await.unwrap();
    assert!(other != first && second != first && second != other);
    tasks.deregister(install, &first).await.unwrap();
    tasks.deregister(install, &first).await.unwrap();
    tasks.deregister(install, &other).await.unwrap();
    let mut left = tasks.revisions(&content.family).await.unwrap();
    left.sort();
    let mut expected = [other, second];
    expected.sort();
    assert_eq!(left, expected, "what another registered stays");
    assert_ne!(tasks.register(install, &content).await.unwrap(), first, "a revision does not come back");
}

async fn an_inactive_definition_runs_nothing(bench: &Bench) {
    let call = bench.call(Launch::Fargate, 256, 512).await;
    bench.cloud.tasks.deregister(&bench.install, &call.parameters.task_definition).await.unwrap();
    let answer = bench.cloud.tasks.run(&call).await;
    assert!(matches!(answer, Err(CloudError::Refused { .. })), "{answer:?}");
    assert!(bench.cloud.tasks.list(&bench.proxy_cluster, &bench.started_by()).await.unwrap().is_empty());
}

async fn unknown_interfaces_have_no_address(bench: &Bench) {
    let ids = ["eni-00000000000000000".to_owned()];
    assert!(bench.cloud.interfaces.public_addresses(&ids).await.unwrap().is_empty());
}

async fn a_cluster_without_instances_has_no_room(bench: &Bench) {
    let call = bench.call(Launch::Ec2, 256, 512).await;
    assert_eq!(bench.cloud.tasks.run(&call).await.unwrap(), RunAnswer::NoRoom("NO_INSTANCES".into()));
    assert!(bench.cloud.tasks.list(&bench.service_cluster, &bench.started_by()).await.unwrap().is_empty());
}

async fn a_group_does_not_grow_beyond_its_maximum(bench: &Bench) {
    let groups = &bench.cloud.groups;
    let before = groups.group(&bench.group).await.unwrap();
    let answer = groups.set_desired(&bench.group, before.max + 1).await;
    assert!(matches!(answer, Err(CloudError::Refused { .. })), "{answer:?}");
    assert_eq!(groups.group(&bench.group).await.unwrap(), before);
}

/// The only instance, once there is one.
async fn instance(bench: &Bench) -> Option<Instance> {
    let mut instances = bench.cloud.instances.instances(&bench.service_cluster).await.unwrap();
    assert!(instances.len() <= 1);
    instances.pop()
}

async fn an_instance_comes_and_joins(bench: &Bench) {
    bench.cloud.groups.set_desired(&bench.group, 1).await.unwrap();
    let joined = bench.until("an instance joins", || instance(bench)).await;
    assert!(joined.active && joined.connected && joined.status == "ACTIVE", "{joined:?}");
    assert_eq!((joined.tasks, joined.remaining), (0, joined.registered));
    let group = bench.cloud.groups.group(&bench.group).await.unwrap();
    assert_eq!((group.desired, group.members.len()), (1, 1));
    assert_eq!(
        (&group.members[0].ec2_id, group.members[0].lifecycle.as_str()),
        (&joined.ec2_id, "InService")
    );
    assert!(!group.members[0].protected);
}

async fn an_instance_has_room_for_so_much(bench: &Bench) {
    let refused = async |cpu, memory| {
        let call = bench.call(Launch::Ec2, cpu, memory).await;
        bench.cloud.tasks.run(&call).await.unwrap()
    };
    assert_eq!(refused(4096, 512).await, RunAnswer::NoRoom("RESOURCE:CPU".into()));
    assert_eq!(refused(256, 8192).await, RunAnswer::NoRoom("RESOURCE:MEMORY".into()));
    let mut running = Vec::new();
    for _ in 0..3 {
        let task = bench.start(&bench.call(Launch::Ec2, 256, 512).await).await;
        running.push(bench.comes_to(&task, TaskStatus::Running).await);
    }
    assert_eq!(refused(256, 512).await, RunAnswer::NoRoom("RESOURCE:ENI".into()));
    let full = instance(bench).await.unwrap();
    assert!(running.iter().all(|task| task.container_instance.as_ref() == Some(&full.arn)));
    assert_eq!((full.tasks, full.remaining.cpu), (3, full.registered.cpu - 3 * 256));
    for task in &running {
        stop(bench, task).await;
    }
    let empty =
        || async { instance(bench).await.filter(|one| one.tasks == 0 && one.remaining == one.registered) };
    bench.until("the instance is empty", empty).await;
}

async fn an_instance_that_drains_takes_nothing(bench: &Bench) {
    let arn = instance(bench).await.unwrap().arn;
    let set = async |draining| {
        let arns = std::slice::from_ref(&arn);
        bench.cloud.instances.set_draining(&bench.service_cluster, arns, draining).await.unwrap();
    };
    set(true).await;
    set(true).await;
    let drains = instance(bench).await.unwrap();
    assert_eq!((drains.active, drains.status.as_str()), (false, "DRAINING"));
    let call = bench.call(Launch::Ec2, 256, 512).await;
    let answer = bench.cloud.tasks.run(&call).await.unwrap();
    assert!(matches!(answer, RunAnswer::NoRoom(_)), "{answer:?}");
    set(false).await;
    assert!(instance(bench).await.unwrap().active);
    // Refused once, the token is still to be had.
    let task = bench.start(&call).await;
    stop(bench, &task).await;
}

async fn protection_holds(bench: &Bench) {
    let id = instance(bench).await.unwrap().ec2_id;
    for _ in 0..2 {
        bench.cloud.groups.protect(&bench.group, std::slice::from_ref(&id)).await.unwrap();
        let group = bench.cloud.groups.group(&bench.group).await.unwrap();
        assert!(group.members[0].protected);
    }
}

async fn termination_lowers_what_is_desired_and_ends_what_runs(bench: &Bench) {
    let task = bench.start(&bench.call(Launch::Ec2, 256, 512).await).await;
    bench.comes_to(&task, TaskStatus::Running).await;
    let id = instance(bench).await.unwrap().ec2_id;
    bench.cloud.groups.terminate(&id).await.unwrap();
    assert_eq!(bench.cloud.groups.group(&bench.group).await.unwrap().desired, 0);
    bench.comes_to(&task, TaskStatus::Stopped).await;
    let gone = || async {
        let group = bench.cloud.groups.group(&bench.group).await.unwrap();
        (group.members.is_empty() && instance(bench).await.is_none()).then_some(())
    };
    bench.until("the instance is gone", gone).await;
}

async fn what_is_gone_can_be_terminated_again(bench: &Bench) {
    bench.cloud.groups.terminate("i-00000000000000000").await.unwrap();
    assert_eq!(bench.cloud.groups.group(&bench.group).await.unwrap().desired, 0);
}

fn set(bench: &Bench, name: &str, value: &str) -> RecordSet {
    RecordSet {
        name: format!("{}-{name}.{}", bench.install, bench.domain),
        kind: "A".into(),
        ttl: Some(10),
        values: vec![value.into()],
        special: false,
    }
}

/// Route 53 takes five calls a second.
async fn patiently<T>(call: impl AsyncFn() -> Result<T, CloudError>) -> T {
    loop {
        match call().await {
            Err(CloudError::Throttled { .. }) => tokio::time::sleep(Duration::from_millis(300)).await,
            answer => return answer.unwrap(),
        }
    }
}

async fn change(bench: &Bench, changes: &[Change]) -> ChangeAnswer {
    patiently(async || bench.cloud.zones.change(&bench.zone, changes, "conformance").await).await
}

fn accepted(answer: ChangeAnswer) -> String {
    match answer {
        ChangeAnswer::Accepted { change_id } => change_id,
        other => panic!("{other:?}"),
    }
}

async fn ours(bench: &Bench) -> Vec<RecordSet> {
    let records = patiently(async || bench.cloud.zones.records(&bench.zone).await).await;
    let mut ours: Vec<_> = records.into_iter().filter(|set| set.name.starts_with(&bench.install)).collect();
    ours.sort();
    ours
}

async fn records_are_created_once(bench: &Bench) {
    let (one, other) = (set(bench, "a", "192.0.2.1"), set(bench, "a", "192.0.2.2"));
    accepted(change(bench, &[Change::Create(one.clone())]).await);
    for again in [one.clone(), other] {
        let answer = change(bench, &[Change::Create(again)]).await;
        assert!(matches!(&answer, ChangeAnswer::Refused(words) if !words.is_empty()), "{answer:?}");
    }
    assert_eq!(ours(bench).await, std::slice::from_ref(&one), "seen as soon as it is accepted");
    accepted(change(bench, &[Change::Delete(one)]).await);
}

async fn records_are_deleted_by_their_exact_value(bench: &Bench) {
    let one = set(bench, "b", "192.0.2.1");
    accepted(change(bench, &[Change::Create(one.clone())]).await);
    let longer = RecordSet { ttl: Some(60), ..one.clone() };
    for wrong in [set(bench, "b", "192.0.2.9"), longer, set(bench, "c", "192.0.2.1")] {
        let answer = change(bench, &[Change::Delete(wrong)]).await;
        assert!(matches!(answer, ChangeAnswer::Refused(_)), "{answer:?}");
    }
    accepted(change(bench, &[Change::Delete(one)]).await);
    assert!(ours(bench).await.is_empty());
}

async fn a_batch_is_applied_whole_or_not_at_all(bench: &Bench) {
    let (one, moved) = (set(bench, "d", "192.0.2.1"), set(bench, "d", "192.0.2.2"));
    accepted(change(bench, &[Change::Create(one.clone())]).await);
    let half = [Change::Create(set(bench, "e", "192.0.2.3")), Change::Delete(set(bench, "d", "192.0.2.9"))];
    assert!(matches!(change(bench, &half).await, ChangeAnswer::Refused(_)));
    assert_eq!(ours(bench).await, std::slice::from_ref(&one));
    accepted(change(bench, &[Change::Delete(one), Change::Create(moved.clone())]).await);
    assert_eq!(ours(bench).await, std::slice::from_ref(&moved));
    accepted(change(bench, &[Change::Delete(moved)]).await);
}

async fn a_change_reaches_every_name_server(bench: &Bench) {
    let one = set(bench, "f", "192.0.2.1");
    let id = accepted(change(bench, &[Change::Create(one.clone())]).await);
    let is_insync = async || patiently(async || bench.cloud.zones.is_insync(&id).await).await;
    assert!(!is_insync().await, "not at once");
    let insync = || async { is_insync().await.then_some(()) };
    bench.until("INSYNC", insync).await;
    accepted(change(bench, &[Change::Delete(one)]).await);
}

async fn stop(bench: &Bench, task: &dormouse_core::observed::Task) {
    bench.cloud.tasks.stop(&task.cluster, &task.arn, "over").await.unwrap();
    bench.comes_to(task, TaskStatus::Stopped).await;
}
