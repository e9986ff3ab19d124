"""RunTask, the life of a task, StopTask."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Local, eventually


def refused(code: str, words: str, call: Any, **params: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert words in error["Message"]
    return caught.value.response


def test_a_task_lives_through_its_states(local: Local) -> None:
    task = local.run(local.define("life"), startedBy="me")
    assert task["lastStatus"] == "PROVISIONING"
    assert task["attachments"][0]["status"] == "PRECREATED"
    seen = local.reaches(task, "RUNNING")
    assert seen["desiredStatus"] == "RUNNING"
    assert seen["startedBy"] == "me"
    assert seen["connectivity"] == "CONNECTED"
    assert seen["createdAt"] <= seen["pullStartedAt"] <= seen["pullStoppedAt"] <= seen["startedAt"]
    details = {one["name"]: one["value"] for one in seen["attachments"][0]["details"]}
    assert seen["attachments"][0]["status"] == "ATTACHED"
    assert set(details) >= {"networkInterfaceId", "privateIPv4Address", "subnetId", "macAddress"}
    assert details["privateIPv4Address"].startswith("127.")
    assert not details["privateIPv4Address"].startswith("127.0.")
    assert seen["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]
    pid = local.get(f"tasks/{task['taskArn']}")["containers"][0]["pid"]
    stopped = local.client("ecs").stop_task(cluster="dormouse-proxy", task=task["taskArn"], reason="enough")["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    seen = local.reaches(task, "STOPPED")
    assert (seen["stopCode"], seen["stoppedReason"]) == ("UserInitiated", "enough")
    assert seen["containers"][0]["exitCode"] == 143
    assert seen["stoppingAt"] <= seen["executionStoppedAt"] <= seen["stoppedAt"]
    assert seen["version"] > stopped["version"]
    with pytest.raises(ProcessLookupError):
        __import__("os").kill(pid, 0)


def test_the_process_gets_its_environment_and_metadata(local: Local) -> None:
    script = (
        'echo "$LISTEN_ADDRESS $TASK_IP $ONE $TWO ${AWS_ACCESS_KEY_ID:-none} $ECS_CONTAINER_METADATA_URI_V4"; sleep 60'
    )
    environment = [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]
    definition = local.define("env", {"name": "main", "command": ["sh", "-c", script], "environment": environment})
    overrides = {"containerOverrides": [{"name": "main", "environment": [{"name": "TWO", "value": "zwei"}]}]}
    task = local.reaches(local.run(definition, overrides=overrides), "RUNNING")
    address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    said = eventually(lambda: local.get(f"logs/{task['taskArn'].split('/')[-1]}/main"), "the log").split()
    assert said[:5] == [address, address, "1", "zwei", "none"]
    with urllib.request.urlopen(f"{said[5]}/task") as answer:
        told = json.load(answer)
    assert told["TaskARN"] == task["taskArn"]
    assert told["Cluster"].endswith("cluster/dormouse-proxy")
    assert task["overrides"]["containerOverrides"] == overrides["containerOverrides"]
    truth = local.get(f"tasks/{task['taskArn']}")
    assert truth["containers"][0]["env"] == {"TWO": "zwei"}


def test_the_network_interface_is_known_to_ec2(local: Local) -> None:
    definition = local.define("eni")
    task = local.reaches(local.run(definition, networkConfiguration=local.network(assignPublicIp="ENABLED")), "RUNNING")
    details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
    ec2, eni = local.client("ec2"), details["networkInterfaceId"]
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    assert shown["PrivateIpAddress"] == details["privateIPv4Address"]
    assert shown["Association"]["PublicIp"].startswith("127.")
    filters = [{"Name": "network-interface-id", "Values": [eni]}]
    assert ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"][0]["NetworkInterfaceId"] == eni
    private = local.reaches(local.run(definition), "RUNNING")
    details = {one["name"]: one["value"] for one in private["attachments"][0]["details"]}
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    assert "Association" not in shown["NetworkInterfaces"][0]
    local.client("ecs").stop_task(cluster="dormouse-proxy", task=task["taskArn"])
    local.reaches(task, "STOPPED")
    refused("InvalidNetworkInterfaceID.NotFound", eni, ec2.describe_network_interfaces, NetworkInterfaceIds=[eni])


def test_tasks_listen_on_the_same_port_side_by_side(local: Local) -> None:
    app = {"name": "app", "image": "dormouse-demo:1", "command": []}
    definition = local.define("web", app)
    for greeting in ("one", "two"):
        environment = [{"name": "GREETING", "value": greeting}]
        overrides = {"containerOverrides": [{"name": "app", "environment": environment}]}
        task = local.reaches(local.run(definition, overrides=overrides), "RUNNING")
        address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]

        def listens(address: str = address) -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((address, 9050)) == 0

        eventually(listens, "the app listens")
        with urllib.request.urlopen(f"http://{address}:9050/") as answer:
            page = answer.read().decode()
        assert greeting in page
        assert task["taskArn"].split("/")[-1] in page


def test_an_essential_container_takes_the_task_with_it(local: Local) -> None:
    short = {"name": "short", "command": ["sh", "-c", "exit 7"]}
    definition = local.define("essential", {"name": "long"}, short)
    task = local.reaches(local.run(definition), "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert {one["name"]: one["exitCode"] for one in task["containers"]} == {"short": 7, "long": 143}
    definition = local.define("helper", {"name": "long"}, {**short, "essential": False})
    task = local.run(definition)
    eventually(lambda: local.describe(task)["containers"][1].get("exitCode") == 7, "the helper has exited")
    assert local.describe(task)["lastStatus"] == "RUNNING"


def test_sigkill_follows_the_stop_timeout(local: Local) -> None:
    deaf = {"name": "deaf", "command": ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]}
    task = local.reaches(local.run(local.define("deaf", {**deaf, "stopTimeout": 1})), "RUNNING")
    eventually(lambda: "ready" in local.get(f"logs/{task['taskArn'].split('/')[-1]}/deaf"), "it listens no more")
    local.client("ecs").stop_task(cluster="dormouse-proxy", task=task["taskArn"])
    task = local.reaches(task, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    assert 0.9 < (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds() < 2


def test_stopping_early_and_twice(local: Local) -> None:
    ecs = local.client("ecs")
    task = local.run(local.define("early"), tags=[{"key": "a", "value": "b"}])
    assert task["tags"] == [{"key": "a", "value": "b"}]
    stopped = ecs.stop_task(cluster="dormouse-proxy", task=task["taskArn"])["task"]
    assert stopped["tags"] == []
    ecs.stop_task(cluster="dormouse-proxy", task=task["taskArn"].split("/")[-1], reason="again")
    task = local.reaches(task, "STOPPED")
    assert task["stoppedReason"] == "Task stopped by user"
    assert "startedAt" not in task
    refused("InvalidParameterException", "not found", ecs.stop_task, cluster="dormouse-proxy", task="0" * 32)
    refused("InvalidParameterException", "not found", ecs.stop_task, cluster="dormouse-service", task=task["taskArn"])


def test_what_cannot_start(local: Local) -> None:
    task = local.reaches(local.run(local.define("unknown", {"name": "main", "image": "nowhere:1"})), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        "docker.io/library/nowhere:1: not found"
    )
    task = local.reaches(local.run(local.define("broken", {"name": "main", "command": ["/no/such"]})), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotStartContainerError" in task["stoppedReason"]


def test_a_killed_process_ends_its_task_and_its_children(local: Local) -> None:
    family = {"name": "main", "command": ["sh", "-c", "sleep 600 & echo $!; wait"]}
    task = local.reaches(local.run(local.define("killed", family)), "RUNNING")
    child = eventually(lambda: local.get(f"logs/{task['taskArn'].split('/')[-1]}/main").strip(), "the child runs")
    local.signal(task["taskArn"], "SIGKILL", "main")
    task = local.reaches(task, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    assert task["stopCode"] == "EssentialContainerExited"
    eventually(lambda: not _alive(int(child)), "the child is gone")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split()[2] != "Z"
    except OSError:
        return False


def test_health_checks_are_run(local: Local, tmp_path: Path) -> None:
    flag = tmp_path / "well"
    check = {"command": ["CMD-SHELL", f"test -e {flag}"], "interval": 1, "timeout": 2, "retries": 1}
    definition = local.define("health", {"name": "main", "healthCheck": check}, {"name": "other"})
    task = local.run(definition)
    unchecked = local.reaches(local.run(local.define("unchecked")), "RUNNING")
    assert local.reaches(task, "RUNNING")["healthStatus"] == "UNKNOWN"
    eventually(lambda: local.describe(task)["healthStatus"] == "UNHEALTHY", "unhealthy")
    assert local.describe(task)["lastStatus"] == "RUNNING"
    flag.touch()
    eventually(lambda: local.describe(task)["healthStatus"] == "HEALTHY", "healthy")
    assert local.describe(task)["containers"][0]["healthStatus"] == "HEALTHY"
    assert local.describe(unchecked)["healthStatus"] == "UNKNOWN"


def test_a_check_inside_the_image_means_the_local_program(local: Local) -> None:
    check = {"command": ["CMD", "/sleep", "healthcheck"], "interval": 1, "retries": 1}
    task = local.run(
        local.define("inside", {"name": "main", "image": "sleeper:1", "command": ["60"], "healthCheck": check})
    )
    eventually(lambda: local.describe(task)["healthStatus"] == "HEALTHY", "healthy")


def test_depends_on_waits(local: Local) -> None:
    first = {"name": "init", "essential": False, "command": ["sh", "-c", "exit 0"]}
    need = [{"containerName": "init", "condition": "SUCCESS"}]
    task = local.reaches(local.run(local.define("order", {"name": "main", "dependsOn": need}, first)), "RUNNING")
    status = {one["name"]: one["lastStatus"] for one in task["containers"]}
    assert status == {"main": "RUNNING", "init": "STOPPED"}


def test_client_tokens(local: Local) -> None:
    ecs, definition = local.client("ecs"), local.define("token")
    given = {"clientToken": "t-1", "count": 2, "startedBy": "me"}
    params = {
        "cluster": "dormouse-proxy", "launchType": "FARGATE", "networkConfiguration": local.network(),
        "taskDefinition": definition, **given,
    }  # fmt: skip
    first = ecs.run_task(**params)["tasks"]
    again = ecs.run_task(**params)["tasks"]
    assert [one["taskArn"] for one in first] == [one["taskArn"] for one in again]
    for change in (
        {"count": 1},
        {"startedBy": "you"},
        {"group": "g"},
        {"tags": [{"key": "a", "value": "b"}]},
        {"enableECSManagedTags": True},
        {"propagateTags": "TASK_DEFINITION"},
        {"networkConfiguration": local.network(assignPublicIp="ENABLED")},
        {"overrides": {"containerOverrides": [{"name": "main", "command": ["sleep", "1"]}]}},
    ):
        response = refused("ConflictException", "", ecs.run_task, **{**params, **change})
        assert response["resourceIds"] == [one["taskArn"] for one in first]
    ecs.stop_task(cluster="dormouse-proxy", task=first[0]["taskArn"])
    local.reaches(first[0], "STOPPED")
    assert ecs.run_task(**params)["tasks"][0]["lastStatus"] == "STOPPED"
    assert len(local.get("tasks?family=token")["tasks"]) == 2


def test_run_task_is_validated(local: Local) -> None:
    ecs, definition = local.client("ecs"), local.define("valid")
    params = {
        "cluster": "dormouse-proxy", "launchType": "FARGATE", "networkConfiguration": local.network(),
        "taskDefinition": definition,
    }  # fmt: skip

    def wrong(code: str, words: str, **change: Any) -> None:
        given = {name: value for name, value in {**params, **change}.items() if value is not None}
        refused(code, words, ecs.run_task, **given)

    wrong("InvalidParameterException", "ount", count=11)
    wrong("InvalidParameterException", "ount", count=0)
    wrong("InvalidParameterException", "startedBy", startedBy="x" * 129)
    wrong("ClientException", "TaskDefinition not found.", taskDefinition="nothing")
    wrong("ClientException", "TaskDefinition not found.", taskDefinition="valid:99")
    wrong("ClusterNotFoundException", "Cluster not found.", cluster="nowhere")
    wrong("InvalidParameterException", "Network Configuration must be provided", networkConfiguration=None)
    wrong("InvalidParameterException", "No Container Instances were found in your cluster.", launchType="EC2")
    wrong("InvalidParameterException", "does not exist", networkConfiguration={
        "awsvpcConfiguration": {"subnets": ["subnet-nope"]}})  # fmt: skip
    wrong("InvalidParameterException", "not a container",
          overrides={"containerOverrides": [{"name": "nobody", "command": ["x"]}]})  # fmt: skip
    ec2_only = local.define("ec2only", requiresCompatibilities=["EC2"])
    wrong("InvalidParameterException", "launch_type", taskDefinition=ec2_only)
    ecs.deregister_task_definition(taskDefinition=definition)
    wrong("ClientException", "inactive")
    assert not local.get("tasks?family=valid")["tasks"]


def test_task_definitions_keep_what_they_were_given(local: Local) -> None:
    ecs = local.client("ecs")
    check = {"command": ["CMD", "/x"], "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 10}
    arn = local.define(
        "kept", {"name": "main", "healthCheck": check}, taskRoleArn="arn:aws:iam::123456789012:role/t",
        executionRoleArn="arn:aws:iam::123456789012:role/e", tags=[{"key": "a", "value": "b"}],
    )  # fmt: skip
    answer = ecs.describe_task_definition(taskDefinition="kept", include=["TAGS"])
    kept = answer["taskDefinition"]
    assert kept["taskDefinitionArn"] == arn
    assert (kept["networkMode"], kept["cpu"], kept["memory"]) == ("awsvpc", "256", "512")
    assert kept["requiresCompatibilities"] == ["FARGATE", "EC2"]
    assert kept["taskRoleArn"].endswith("/t") and kept["executionRoleArn"].endswith("/e")
    assert kept["containerDefinitions"][0]["healthCheck"] == check
    assert answer["tags"] == [{"key": "a", "value": "b"}]
    ecs.deregister_task_definition(taskDefinition=arn)
    assert arn not in ecs.list_task_definitions(familyPrefix="kept")["taskDefinitionArns"]
    assert arn in ecs.list_task_definitions(familyPrefix="kept", status="INACTIVE")["taskDefinitionArns"]


def test_registration_is_validated(local: Local) -> None:
    register = local.client("ecs").register_task_definition
    main = {"name": "main", "image": "exec:1"}
    fargate = {
        "family": "bad",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
    }
    for change, words in (
        ({"memory": "4096"}, "No Fargate configuration exists for given values"),
        ({"networkMode": "bridge"}, "network mode"),
        ({"containerDefinitions": [main, main]}, "unique"),
        ({"containerDefinitions": [{**main, "healthCheck": {"command": ["CMD", "x"], "timeout": 200}}]}, "timeout"),
        ({"containerDefinitions": [{**main, "dependsOn": [{"containerName": "x", "condition": "START"}]}]}, "depend"),
        ({"containerDefinitions": [{**main, "essential": False}]}, "essential"),
    ):
        refused("ClientException", words, register, **{**fargate, "containerDefinitions": [main], **change})
    made = register(**fargate, containerDefinitions=[main])["taskDefinition"]
    assert made["registeredAt"] and made["status"] == "ACTIVE"


def test_secrets_are_resolved(local: Local) -> None:
    local.client("ssm").put_parameter(Name="/db/url", Value="from-ssm", Type="SecureString")
    arn = local.client("secretsmanager").create_secret(Name="s", SecretString='{"k": "from-secret"}')["ARN"]
    parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/db/url"
    secrets = [{"name": "A", "valueFrom": parameter}, {"name": "B", "valueFrom": f"{arn}:k::"}]
    shell = {"name": "main", "command": ["sh", "-c", 'echo "$A $B"; sleep 60']}
    task = local.reaches(local.run(local.define("secret", {**shell, "secrets": secrets})), "RUNNING")
    read = lambda: local.get(f"logs/{task['taskArn'].split('/')[-1]}/main").strip()  # noqa: E731
    assert eventually(read, "the log") == "from-ssm from-secret"
    wrong = [{"name": "A", "valueFrom": parameter + "/none"}]
    task = local.reaches(local.run(local.define("wrong", {**shell, "secrets": wrong})), "STOPPED")
    assert "ResourceInitializationError" in task["stoppedReason"]


def test_lines_go_to_their_log_group(local: Local) -> None:
    logs = local.client("logs")
    script = "echo one; echo two >&2; sleep 0.5; printf three"
    options = {"awslogs-group": "/dormouse/services", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "a"}
    shell = {"name": "main", "command": ["sh", "-c", script]}
    driver = lambda **more: {"logConfiguration": {"logDriver": "awslogs", "options": {**options, **more}}}  # noqa: E731
    task = local.reaches(local.run(local.define("logs", {**shell, **driver()})), "STOPPED")
    local.run(local.define("other", {**shell, **driver(**{"awslogs-stream-prefix": "ab"})}))

    def found(prefix: str, **more: Any) -> list[tuple[str, str]]:
        pages = logs.get_paginator("filter_log_events")
        given = {"logGroupName": "/dormouse/services", "logStreamNamePrefix": prefix, **more}
        events = [event for page in pages.paginate(**given) for event in page["events"]]
        assert events == sorted(events, key=lambda event: event["timestamp"])
        return [(event["logStreamName"], event["message"]) for event in events]

    stream = f"a/main/{task['taskArn'].split('/')[-1]}"
    expected = [(stream, "one"), (stream, "two"), (stream, "three")]
    assert eventually(lambda: found("a/") == expected, "the lines")
    assert found("a/", PaginationConfig={"PageSize": 1}) == expected
    assert found("nobody/") == [] and found("a/", endTime=1) == []
    assert eventually(lambda: len(found("a")) == 6, "the prefix is one of letters, not of names")
    with pytest.raises(ClientError, match="not both"):
        found("a/", logStreamNames=[stream])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.filter_log_events(logGroupName="nowhere", logStreamNamePrefix="a/")
    task = local.reaches(
        local.run(local.define("lost", {**shell, **driver(**{"awslogs-group": "nowhere"})})), "STOPPED"
    )
    assert "ResourceInitializationError: failed to validate logger args" in task["stoppedReason"]
