"""The evaluation of policies: resources, conditions, and what a call brings along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from awslocal.authorization import Ask
from awslocal.iam import documents, refusal

KEY = "AKIALOCALDORMOUSE001"


def allows(statement: dict, ask: Ask) -> bool:
    found = documents({"Statement": [{"Effect": "Allow", **statement}]})
    return all(refusal(found, ask, one) is None for one in ask.resources or [])


def test_resources_and_conditions() -> None:
    zone = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
    statement = {
        "Action": "route53:Change*",
        "Resource": "arn:aws:route53:::hostedzone/Z1",
        "Condition": {"ForAllValues:StringLike": {zone: ["*.example.com"]}},
    }

    def ask(resource: str, *names: str) -> Ask:
        return Ask("route53:ChangeResourceRecordSets", [resource], {zone: list(names)})

    here = "arn:aws:route53:::hostedzone/Z1"
    assert allows(statement, ask(here, "a.example.com", "\\052.example.com"))
    assert not allows(statement, ask(here, "a.example.com", "example.com"))
    assert not allows(statement, ask(f"{here}2", "a.example.com"))
    # A key that is not there: true of every value, of one value not.
    assert allows(statement, Ask("route53:ChangeResourceRecordSets", [here]))
    single = {**statement, "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}
    assert not allows(single, Ask("route53:ChangeResourceRecordSets", [here]))


def test_what_is_not_understood_is_no_policy() -> None:
    for statement in ({"NotAction": "x"}, {"Action": "x", "Condition": {"DateLessThan": {"aws:CurrentTime": "1"}}}):
        with pytest.raises(ValueError, match="not understood"):
            documents({"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]})


def refused(action: str, call, **given) -> None:
    with pytest.raises(ClientError) as problem:
        call(**given)
    assert f"not authorized to perform: {action} on resource" in problem.value.response["Error"]["Message"]


def test_calls_are_checked_with_their_resources(start, tmp_path: Path) -> None:
    arn = "arn:aws:ecs:us-east-1:123456789012"
    cluster = {"ArnEquals": {"ecs:cluster": f"{arn}:cluster/dormouse-proxy"}}
    definition = f"{arn}:task-definition/mine-*"
    role = "arn:aws:iam::123456789012:role/mine/*"
    statements = [
        {"Action": "ecs:RunTask", "Resource": definition, "Condition": cluster},
        {"Action": "ecs:RegisterTaskDefinition", "Resource": definition},
        {"Action": "iam:PassRole", "Resource": role},
        {"Action": ["dynamodb:GetItem"], "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/dormouse",
         "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["svc#*"]}}},
        {"Action": "autoscaling:SetDesiredCapacity",
         "Resource": "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/other"},
    ]  # fmt: skip
    policy = {"Statement": [{"Effect": "Allow", **one} for one in statements]}
    path = tmp_path / "iam.json"
    path.write_text(json.dumps({KEY: policy}))
    local = start(f"--iam={path}")
    local.define("mine-a")
    local.define("other")
    ecs, table = local.client("ecs", KEY), local.client("dynamodb", KEY)
    run = {"launchType": "FARGATE", "networkConfiguration": local.network()}
    ecs.run_task(cluster="dormouse-proxy", taskDefinition="mine-a", **run)
    refused("ecs:RunTask", ecs.run_task, cluster="dormouse-service", taskDefinition="mine-a", **run)
    refused("ecs:RunTask", ecs.run_task, cluster="dormouse-proxy", taskDefinition="other", **run)
    tags = [{"key": "a", "value": "b"}]
    refused("ecs:TagResource", ecs.run_task, cluster="dormouse-proxy", taskDefinition="mine-a", tags=tags, **run)
    made = {"family": "mine-b", "containerDefinitions": [{"name": "a", "image": "exec:1", "memory": 64}]}
    ecs.register_task_definition(**made, taskRoleArn="arn:aws:iam::123456789012:role/mine/x")
    wrong = "arn:aws:iam::123456789012:role/admin"
    refused("iam:PassRole", ecs.register_task_definition, **made, taskRoleArn=wrong)
    table.get_item(TableName="dormouse", Key={"serviceName": {"S": "svc#a"}})
    refused("dynamodb:GetItem", table.get_item, TableName="dormouse", Key={"serviceName": {"S": "lock"}})
    group = local.client("autoscaling", KEY)
    refused("autoscaling:SetDesiredCapacity", group.set_desired_capacity, AutoScalingGroupName="dormouse-asg",
            DesiredCapacity=1)  # fmt: skip
    used = local.get("iam")["used"][KEY]
    assert used == {"ecs:RunTask": 1, "ecs:RegisterTaskDefinition": 1, "iam:PassRole": 1, "dynamodb:GetItem": 1}


def test_a_task_whose_role_may_not_read_its_secret_does_not_start(start) -> None:
    local = start()
    iam = local.client("iam")
    role = iam.create_role(RoleName="execution", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    local.client("ssm").put_parameter(Name="/mine/a", Value="x", Type="String")
    secrets = [{"name": "A", "valueFrom": "/mine/a"}]
    definition = local.define("reader", {"name": "main", "secrets": secrets}, executionRoleArn=role)
    task = local.reaches(local.run(definition), "STOPPED")
    assert "not authorized to perform: ssm:GetParameters" in task["stoppedReason"]
    here = "arn:aws:ssm:us-east-1:123456789012:parameter/mine/*"
    allowed = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": here}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_role_policy(RoleName="execution", PolicyName="p", PolicyDocument=json.dumps(policy))
    local.reaches(local.run(definition), "RUNNING")
