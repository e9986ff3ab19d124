"""Faults, counts, IAM, and the rest of the control endpoint."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectionError, HTTPClientError

from tests.conftest import Local, eventually
from tests.test_dns import batch, record
from tests.test_tasks import refused

PROXY = {"cluster": "dormouse-proxy"}


def test_throttling_in_every_protocol(local: Local) -> None:
    calls = {
        "ecs.ListTasks": (local.client("ecs").list_tasks, PROXY, "ThrottlingException"),
        "autoscaling.DescribeAutoScalingGroups": (
            local.client("autoscaling").describe_auto_scaling_groups,
            {},
            "Throttling",
        ),
        "route53.ListHostedZones": (local.client("route53").list_hosted_zones, {}, "Throttling"),
        "ec2.DescribeVpcs": (local.client("ec2").describe_vpcs, {}, "RequestLimitExceeded"),
        "sts.GetCallerIdentity": (local.client("sts").get_caller_identity, {}, "Throttling"),
        "dynamodb.ListTables": (local.client("dynamodb").list_tables, {}, "ThrottlingException"),
    }
    for name, (call, params, code) in calls.items():
        local.post("faults", {"operation": name, "kind": "throttle"})
        refused(code, "Rate exceeded", call, **params)
        call(**params)
    assert all(rule["hits"] == 1 for rule in local.get("faults")["faults"])
    stats = local.get("stats")
    assert stats["errors"]["ecs.ListTasks ThrottlingException"] == 1
    assert stats["calls"]["ecs.ListTasks"] == 2


def test_prior_request_not_complete(local: Local) -> None:
    local.post("faults", {"operation": "route53.ChangeResourceRecordSets", "kind": "throttle",
                          "code": "PriorRequestNotComplete"})  # fmt: skip
    change = local.client("route53").change_resource_record_sets
    refused("PriorRequestNotComplete", "", change, **batch(local, ("CREATE", record("p.example.com", "127.0.0.1"))))


def test_lost_answers_leave_their_effect(local: Local) -> None:
    params = {
        **PROXY, "launchType": "FARGATE", "networkConfiguration": local.network(), "clientToken": "lost",
        "taskDefinition": local.define("lost"),
    }  # fmt: skip
    run = local.client("ecs").run_task
    local.post("faults", [{"operation": "ecs.RunTask", "kind": "lose-answer"},
                          {"operation": "ecs.RunTask", "kind": "lose-answer", "close": True}])  # fmt: skip
    with pytest.raises((ClientError, ConnectionClosedError, ConnectionError, HTTPClientError)):
        run(**params)
    known = local.get("tasks?family=lost")["tasks"]
    assert [one["arn"] for one in known] == [one["taskArn"] for one in run(**params)["tasks"]]
    local.post("faults", {"operation": "ecs.RunTask", "kind": "lose-answer", "close": True})
    with pytest.raises((ConnectionClosedError, ConnectionError, HTTPClientError)):
        run(**params)
    local.post("faults", {"operation": "ecs.RunTask", "kind": "lose-answer"})
    refused("InternalFailure", "", run, **params)
    assert len(local.get("tasks?family=lost")["tasks"]) == 1


def test_errors_before_and_failures(local: Local) -> None:
    definition = local.define("none")
    params = {
        **PROXY, "launchType": "FARGATE", "networkConfiguration": local.network(), "taskDefinition": definition,
        "startedBy": "dormouse/x",
    }  # fmt: skip
    run = local.client("ecs").run_task
    local.post("faults", {"operation": "ecs.RunTask", "kind": "http500", "match": {"startedBy": "other"}})
    local.post("faults", {"operation": "ecs.Run*", "kind": "http500", "match": {"startedBy": "dormouse/*"}})
    refused("InternalFailure", "", run, **params)
    local.post(
        "faults", {"operation": "ecs.RunTask", "kind": "error-before", "code": "ServerException", "message": "no"}
    )
    refused("ServerException", "no", run, **params)
    local.post("faults", {"operation": "ecs.RunTask", "kind": "failures", "code": "RESOURCE:MEMORY"})
    assert run(**params)["failures"][0]["reason"] == "RESOURCE:MEMORY"
    assert not local.get("tasks?family=none")["tasks"]
    local.post("faults", {"operation": "ecs.ListTasks", "kind": "delay", "delayMs": 150})
    before = time.monotonic()
    local.client("ecs").list_tasks(**PROXY)
    assert time.monotonic() - before > 0.14


def test_reads_may_lag(local: Local) -> None:
    ecs, dns = local.client("ecs"), local.client("route53")
    zone = {"HostedZoneId": local.env["HOSTED_ZONE_ID"]}
    task = local.run(local.define("lag"))["taskArn"]
    change = [("CREATE", record("lag.example.com", "127.1.1.1"))]
    dns.change_resource_record_sets(**batch(local, *change))
    local.post("faults", {"operation": "*.*", "kind": "read-lag", "delayMs": 600})
    assert ecs.describe_tasks(**PROXY, tasks=[task])["failures"][0]["reason"] == "MISSING"
    assert task not in ecs.list_tasks(**PROXY)["taskArns"]
    seen = lambda: "lag.example.com." in str(dns.list_resource_record_sets(**zone)["ResourceRecordSets"])  # noqa: E731
    assert not seen()
    assert local.get(f"tasks/{task}")["lastStatus"]
    eventually(lambda: task in ecs.list_tasks(**PROXY)["taskArns"], "it is listed in the end")
    eventually(lambda: ecs.describe_tasks(**PROXY, tasks=[task])["tasks"], "it is described in the end")
    eventually(seen, "the record is listed in the end")
    local.call("DELETE", "faults")
    dns.change_resource_record_sets(**batch(local, ("DELETE", change[0][1])))


def test_wrong_control_calls_are_told(local: Local) -> None:
    for method, path, body, status in (
        ("POST", "faults", {"operation": "ecs.RunTask", "kind": "nonsense"}, 400),
        ("POST", "faults", {"operation": "RunTask", "kind": "throttle"}, 400),
        ("POST", "faults", {"operation": "ecs.RunTask", "kind": "throttle", "times": 2}, 400),
        ("GET", "nonsense", None, 404),
        ("GET", "tasks/nobody", None, 404),
        ("POST", "instances/i-1/fail", {}, 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            local.call(method, path, body)
        assert caught.value.code == status
        assert json.load(caught.value)["error"]


def test_stopped_processes_freeze(local: Local) -> None:
    task = local.reaches(local.run(local.define("frozen")), "RUNNING")
    pid = local.get(f"tasks/{task['taskArn']}")["containers"][0]["pid"]
    state = lambda: Path(f"/proc/{pid}/stat").read_text().split()[2]  # noqa: E731
    local.signal(task["taskArn"], "SIGSTOP", "main")
    eventually(lambda: state() == "T", "frozen")
    local.signal(task["taskArn"], "CONT")
    eventually(lambda: state() == "S", "thawed")


def test_conditional_writes_are_atomic(local: Local) -> None:
    won: list[str] = []

    def contend(name: str, round_: int) -> None:
        client = boto3.client(
            "dynamodb", endpoint_url=local.endpoint, region_name="us-east-1", aws_access_key_id="AKIALOCALDORMOUSE000",
            aws_secret_access_key="local", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        gate.wait()
        try:
            client.put_item(
                TableName="dormouse", Item={"serviceName": {"S": f"lock-{round_}"}, "owner": {"S": name}},
                ConditionExpression="attribute_not_exists(serviceName)",
            )  # fmt: skip
            won.append(name)
        except ClientError as problem:
            assert problem.response["Error"]["Code"] == "ConditionalCheckFailedException"

    for round_ in range(5):
        won.clear()
        gate = threading.Barrier(6)
        threads = [threading.Thread(target=contend, args=(str(number), round_)) for number in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(won) == 1
    assert len(local.get("table/dormouse")["items"]) == 5


def test_condition_expressions(local: Local) -> None:
    table = local.client("dynamodb")
    where = {"TableName": "dormouse", "Key": {"serviceName": {"S": "svc#a"}}}
    update = {**where, "UpdateExpression": "SET epoch = :new, #n = :nonce", "ExpressionAttributeNames": {"#n": "nonce"}}
    values = {":new": {"N": "5"}, ":nonce": {"S": "x"}, ":old": {"N": "4"}}
    condition = "attribute_not_exists(epoch) OR (epoch <= :old AND attribute_exists(#n))"
    table.update_item(**update, ConditionExpression=condition, ExpressionAttributeValues=values)
    with pytest.raises(ClientError) as caught:
        table.update_item(
            **update, ConditionExpression=condition, ExpressionAttributeValues=values,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )  # fmt: skip
    assert caught.value.response["Item"]["epoch"] == {"N": "5"}
    found = table.scan(
        TableName="dormouse", FilterExpression="begins_with(serviceName, :p) AND epoch > :old",
        ExpressionAttributeValues={":p": {"S": "svc#"}, ":old": {"N": "4"}}, ConsistentRead=True,
    )["Items"]  # fmt: skip
    assert [one["serviceName"]["S"] for one in found] == ["svc#a"]
    table.delete_item(**where, ConditionExpression="epoch = :e", ExpressionAttributeValues={":e": {"N": "5"}})
    assert table.describe_time_to_live(TableName="dormouse")["TimeToLiveDescription"]["AttributeName"] == "ttl"


def test_iam_by_action(start, tmp_path: Path) -> None:
    allowed, other = "AKIALOCALDORMOUSE000", "AKIALOCALDORMOUSE001"
    policies = tmp_path / "iam.json"
    statement = [{"Effect": "Allow", "Action": ["ecs:*", "route53:List*"], "Resource": "*"},
                 {"Effect": "Deny", "Action": "ecs:RunTask", "Resource": "*"}]  # fmt: skip
    policies.write_text(json.dumps({allowed: ["ecs:List*"], other: {"Statement": statement}}))
    local = start(f"--iam={policies}")
    local.client("ecs").list_tasks(**PROXY)
    refused("AccessDeniedException", "is not authorized to perform: ecs:DescribeTasks",
            local.client("ecs").describe_tasks, **PROXY, tasks=["x"])  # fmt: skip
    refused("AccessDenied", "autoscaling:SetDesiredCapacity", local.client("autoscaling").set_desired_capacity,
            AutoScalingGroupName="dormouse-asg", DesiredCapacity=1)  # fmt: skip
    refused("UnauthorizedOperation", "ec2:DescribeVpcs", local.client("ec2").describe_vpcs)
    refused("AccessDenied", "route53:ListHostedZones", local.client("route53").list_hosted_zones)
    local.client("route53", other).list_hosted_zones()
    refused("AccessDeniedException", "explicit deny", local.client("ecs", other).run_task, taskDefinition="x")
    local.client("ec2", "AKIALOCALDORMOUSE009").describe_vpcs()
