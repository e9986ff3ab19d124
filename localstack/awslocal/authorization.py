"""What a call asks IAM for: actions, the resources they are for, and the keys that conditions look at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling import autoscaling_backends

from awslocal.calls import Call
from awslocal.world import ACCOUNT, World

# The prefix of a service's actions, where it is not the name with which requests are signed.
PREFIXES = {"monitoring": "cloudwatch"}


@dataclass
class Ask:
    """One action that must be allowed, for every one of its resources. None: this server knows no resources of it."""

    action: str
    resources: list[str] | None = None
    context: dict[str, list[str]] = field(default_factory=dict)


def asks(call: Call, world: World) -> list[Ask]:
    """Everything that must be allowed for this call."""
    first = Ask(f"{PREFIXES.get(call.service, call.service)}:{call.operation}")
    first.context["aws:RequestedRegion"] = [world.config.region]
    try:
        match call.service:
            case "ecs":
                return [first, *_ecs(call.operation, call.json, first, world)]
            case "autoscaling":
                _autoscaling(call, first, world)
            case "dynamodb":
                _dynamodb(call.json, first, world)
            case "route53":
                _route53(call, first)
            case "logs":
                first.resources = [world.arn("logs", f"log-group:{call.json['logGroupName']}:log-stream:")]
    except (KeyError, TypeError, ValueError, AttributeError):
        # A request that cannot be read is refused by the service itself, with better words.
        first.resources = None
    return [first]


def cluster_context(world: World, cluster: str) -> dict[str, list[str]]:
    return {"ecs:cluster": [world.arn("ecs", f"cluster/{cluster}")]}


def _name(reference: str | None) -> str:
    return (reference or "default").rsplit("/", 1)[-1]


def _ecs(operation: str, given: dict[str, Any], first: Ask, world: World) -> list[Ask]:
    """Fills in the first one, and returns those that it brings along."""
    cluster = _name(given.get("cluster"))
    own = f"cluster/{cluster}"
    tags = {tag["key"]: tag["value"] for tag in given.get("tags") or []}
    first.context |= {f"aws:RequestTag/{key}": [value] for key, value in tags.items()}
    match operation:
        case "DescribeClusters":
            first.resources = [world.arn("ecs", f"cluster/{_name(one)}") for one in given["clusters"]]
        case "ListContainerInstances" | "RegisterContainerInstance":
            first.resources = [world.arn("ecs", own)]
        case "ListTasks":
            first.resources = [world.arn("ecs", f"container-instance/{cluster}/*")]
            first.context |= cluster_context(world, cluster)
        case "DescribeTasks" | "StopTask":
            names = given.get("tasks") or [given["task"]]
            first.resources = [world.arn("ecs", f"task/{cluster}/{_name(one)}") for one in names]
            first.context |= cluster_context(world, cluster)
        case "DescribeContainerInstances" | "UpdateContainerInstancesState":
            names = given["containerInstances"]
            first.resources = [world.arn("ecs", f"container-instance/{cluster}/{_name(one)}") for one in names]
            first.context |= cluster_context(world, cluster)
        case "RunTask":
            first.resources = [world.arn("ecs", f"task-definition/{_name(given['taskDefinition'])}")]
            first.context |= cluster_context(world, cluster)
            return _tagging(operation, tags, world.arn("ecs", f"task/{cluster}/new"))
        case "RegisterTaskDefinition":
            made = world.arn("ecs", f"task-definition/{given['family']}:new")
            first.resources = [made]
            roles = [given[one] for one in ("taskRoleArn", "executionRoleArn") if given.get(one)]
            passed = {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}
            return [Ask("iam:PassRole", [one], passed) for one in roles] + _tagging(operation, tags, made)
        case _:
            first.resources = ["*"]
    return []


def _tagging(operation: str, tags: dict[str, str], resource: str) -> list[Ask]:
    return [Ask("ecs:TagResource", [resource], {"ecs:CreateAction": [operation]})] if tags else []


def _autoscaling(call: Call, first: Ask, world: World) -> None:
    if call.operation.startswith("Describe"):
        first.resources = ["*"]
        return
    given, groups = call.params(), autoscaling_backends[ACCOUNT][world.config.region].autoscaling_groups
    name = given.get("AutoScalingGroupName")
    if name is None:
        members = {state.instance.id: group.name for group in groups.values() for state in group.instance_states}
        name = members.get(given["InstanceId"])
    if name in groups:
        first.resources = [groups[name].arn]


def _dynamodb(given: dict[str, Any], first: Ask, world: World) -> None:
    if "TableName" in given:
        first.resources = [world.arn("dynamodb", f"table/{given['TableName']}")]
        key = given.get("Key") or given.get("Item") or {}
        first.context["dynamodb:LeadingKeys"] = [one["S"] for name, one in key.items() if name == "serviceName"]


def _route53(call: Call, first: Ask) -> None:
    if call.path.startswith("/2013-04-01/change/"):
        first.resources = [f"arn:aws:route53:::change/{call.path.rsplit('/', 1)[-1]}"]
    elif zone := re.match(r"/2013-04-01/hostedzone/([^/]+)", call.path):
        first.resources = [f"arn:aws:route53:::hostedzone/{zone.group(1)}"]
    else:
        first.resources = ["*"]
    if call.operation == "ChangeResourceRecordSets":
        body = call.body.decode()
        prefix = "route53:ChangeResourceRecordSets"
        names = [one.lower().rstrip(".").replace("*", "\\052") for one in re.findall(r"<Name>([^<]+)</Name>", body)]
        first.context |= {
            f"{prefix}NormalizedRecordNames": names,
            f"{prefix}RecordTypes": re.findall(r"<Type>([^<]+)</Type>", body),
            f"{prefix}Actions": re.findall(r"<Action>([^<]+)</Action>", body),
        }
