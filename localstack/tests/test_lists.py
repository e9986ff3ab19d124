"""What lists and describes tasks, and tags."""

from __future__ import annotations

from tests.conftest import Local, eventually
from tests.test_tasks import refused

PROXY = {"cluster": "dormouse-proxy"}


def test_more_than_a_page_of_tasks(local: Local) -> None:
    # Most of these are stopped long before they run: listing follows the desired status, not the processes.
    ecs, definition = local.client("ecs"), local.define("many")
    arns: set[str] = set()
    for _ in range(11):
        answer = ecs.run_task(
            **PROXY, launchType="FARGATE", networkConfiguration=local.network(), taskDefinition=definition, count=10,
            startedBy="batch",
        )  # fmt: skip
        arns |= {one["taskArn"] for one in answer["tasks"]}
    first = ecs.list_tasks(**PROXY)
    assert len(first["taskArns"]) == 100 and first["nextToken"]
    second = ecs.list_tasks(**PROXY, nextToken=first["nextToken"])
    assert len(second["taskArns"]) == 10 and "nextToken" not in second
    assert {*first["taskArns"], *second["taskArns"]} == arns
    few = ecs.list_tasks(**PROXY, startedBy="batch", maxResults=7)
    assert len(few["taskArns"]) == 7 and few["nextToken"]
    refused("InvalidParameterException", "", ecs.list_tasks, **PROXY, maxResults=101)
    refused("InvalidParameterException", "", ecs.list_tasks, **PROXY, nextToken="garbage!")
    refused("InvalidParameterException", "100", ecs.describe_tasks, **PROXY, tasks=sorted(arns)[:101])
    assert len(ecs.describe_tasks(**PROXY, tasks=sorted(arns)[:100])["tasks"]) == 100


def test_filters_are_exact(local: Local) -> None:
    ecs = local.client("ecs")
    ecs.create_cluster(clusterName="dormouse-prox")
    one = local.run(local.define("foo"), startedBy="a")["taskArn"]
    two = local.run(local.define("foobar"), startedBy="ab")["taskArn"]
    assert ecs.list_tasks(cluster="dormouse-prox")["taskArns"] == []
    assert ecs.list_tasks(**PROXY, family="foo")["taskArns"] == [one]
    assert ecs.list_tasks(**PROXY, startedBy="ab")["taskArns"] == [two]
    assert ecs.list_tasks(**PROXY, launchType="EC2")["taskArns"] == []
    assert set(ecs.list_tasks(**PROXY, launchType="FARGATE")["taskArns"]) == {one, two}
    assert ecs.list_tasks(**PROXY, serviceName="x")["taskArns"] == []
    assert ecs.list_tasks(**PROXY, desiredStatus="PENDING")["taskArns"] == []
    assert ecs.list_tasks(**PROXY, desiredStatus="STOPPED", family="foo")["taskArns"] == []
    ecs.stop_task(**PROXY, task=one)
    assert ecs.list_tasks(**PROXY)["taskArns"] == [two]
    assert ecs.list_tasks(**PROXY, desiredStatus="STOPPED", family="foo")["taskArns"] == [one]
    for more in ({"family": "foo"}, {"launchType": "EC2"}, {"containerInstance": "x"}):
        refused("InvalidParameterException", "startedBy", ecs.list_tasks, **PROXY, startedBy="a", **more)
    refused("ClusterNotFoundException", "Cluster not found.", ecs.list_tasks, cluster="nowhere")


def test_unknown_tasks_are_missing(local: Local) -> None:
    ecs, task = local.client("ecs"), local.run(local.define("seen"))
    arn = task["taskArn"]
    other = arn.replace("dormouse-proxy", "dormouse-service")
    answer = ecs.describe_tasks(**PROXY, tasks=[arn, other, "0" * 32])
    assert [one["taskArn"] for one in answer["tasks"]] == [arn]
    assert [one["reason"] for one in answer["failures"]] == ["MISSING", "MISSING"]
    elsewhere = ecs.describe_tasks(cluster="dormouse-service", tasks=[arn])
    assert elsewhere["tasks"] == [] and elsewhere["failures"] == [{"arn": arn, "reason": "MISSING"}]
    assert ecs.describe_tasks(**PROXY, tasks=[arn.split("/")[-1]])["tasks"]
    # Describing must not move a task along.
    running = local.reaches(task, "RUNNING")
    assert all(local.describe(task)["version"] == running["version"] for _ in range(5))


def test_tags(local: Local) -> None:
    ecs = local.client("ecs")
    definition = local.define("tagged", tags=[{"key": "from", "value": "definition"}])
    task = local.run(
        definition, tags=[{"key": "mine", "value": "1"}], propagateTags="TASK_DEFINITION", enableECSManagedTags=True
    )
    arn = task["taskArn"]
    assert ecs.describe_tasks(**PROXY, tasks=[arn])["tasks"][0]["tags"] == []
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": "2"}])
    shown = {
        one["key"]: one["value"]
        for one in ecs.describe_tasks(**PROXY, tasks=[arn], include=["TAGS"])["tasks"][0]["tags"]
    }
    assert shown == {"from": "definition", "mine": "1", "more": "2", "aws:ecs:clusterName": "dormouse-proxy"}
    ecs.untag_resource(resourceArn=arn, tagKeys=["more"])
    assert "more" not in {one["key"] for one in ecs.list_tags_for_resource(resourceArn=arn)["tags"]}
    ecs.stop_task(**PROXY, task=arn)
    assert ecs.describe_tasks(**PROXY, tasks=[arn], include=["TAGS"])["tasks"][0]["tags"] == []


def test_clusters_count_their_tasks(local: Local) -> None:
    ecs, task = local.client("ecs"), local.run(local.define("counted"))
    assert ecs.describe_clusters(clusters=["dormouse-proxy"])["clusters"][0]["pendingTasksCount"] == 1
    local.reaches(task, "RUNNING")
    assert ecs.describe_clusters(clusters=["dormouse-proxy"])["clusters"][0]["runningTasksCount"] == 1


def test_fargate_spot_by_capacity_provider(local: Local) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    answer = local.client("ecs").run_task(
        **PROXY, capacityProviderStrategy=strategy, networkConfiguration=local.network(),
        taskDefinition=local.define("spot"),
    )  # fmt: skip
    task = answer["tasks"][0]
    assert (task["launchType"], task["capacityProviderName"]) == ("FARGATE", "FARGATE_SPOT")


def test_stopped_tasks_are_forgotten(start) -> None:
    local = start("--stopped-retention=200ms")
    task = local.run(local.define("short", {"name": "main", "command": ["true"]}))
    local.reaches(task, "STOPPED")
    missing = lambda: local.client("ecs").describe_tasks(**PROXY, tasks=[task["taskArn"]])["failures"]  # noqa: E731
    assert eventually(missing, "it is forgotten")[0]["reason"] == "MISSING"
