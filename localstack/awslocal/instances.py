"""ECS container instances: their sizes, what is left of them, and which of them a task fits on."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from awslocal.history import History
from awslocal.tasks import STARTING, Task


@dataclass
class ContainerInstance:
    """An EC2 instance as its cluster sees it. `attributes` is where moto's own PutAttributes writes."""

    arn: str
    cluster: str
    ec2_id: str
    zone: str
    cpu: int
    memory: int
    enis: int
    group: str | None = None
    role: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"
    agent_connected: bool = True
    version: int = 0
    registered_at: float = field(default_factory=lambda: round(time.time(), 3))
    tasks: dict[str, Task] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    history: History = field(default_factory=History)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def container_instance_arn(self) -> str:
        # The name under which moto's attribute operations know it.
        return self.arn

    def free_cpu(self) -> int:
        return self.cpu - sum(task.cpu for task in self.tasks.values())

    def free_memory(self) -> int:
        return self.memory - sum(task.memory for task in self.tasks.values())

    def free_enis(self) -> int:
        return self.enis - sum(1 for task in self.tasks.values() if task.eni is not None)

    def lacks(self, cpu: int, memory: int, eni: bool) -> str | None:
        """Why a task of this size does not fit, in the words of ECS; None when it does."""
        if not self.agent_connected:
            return "AGENT"
        if cpu > self.free_cpu():
            return "RESOURCE:CPU"
        if memory > self.free_memory():
            return "RESOURCE:MEMORY"
        if eni and self.free_enis() < 1:
            return "RESOURCE:ENI"
        return None

    def busy(self) -> list[str]:
        """The tasks that a termination would kill against somebody's will."""
        return [task.arn for task in self.tasks.values() if task.live and task.desired_status == "RUNNING"]

    def changed(self) -> None:
        self.version += 1
        self.history.put(self._view())

    def _view(self) -> dict[str, Any]:
        starting = sum(1 for task in self.tasks.values() if task.last_status in STARTING)
        return {
            "containerInstanceArn": self.arn,
            "ec2InstanceId": self.ec2_id,
            "version": self.version,
            "versionInfo": {"agentVersion": "1.86.0", "agentHash": "local", "dockerVersion": "DockerVersion: 25.0.3"},
            "remainingResources": _resources(self.free_cpu(), self.free_memory()),
            "registeredResources": _resources(self.cpu, self.memory),
            "status": self.status,
            "agentConnected": self.agent_connected,
            "runningTasksCount": sum(1 for task in self.tasks.values() if task.live) - starting,
            "pendingTasksCount": starting,
            "registeredAt": self.registered_at,
            "attributes": [
                {"name": name, **({} if value is None else {"value": value})} for name, value in self.attributes.items()
            ],
            "attachments": [],
        }

    def truth(self) -> dict[str, Any]:
        return {
            "arn": self.arn,
            "cluster": self.cluster,
            "instance": self.ec2_id,
            "group": self.group,
            "status": self.status,
            "agentConnected": self.agent_connected,
            "freeCpu": self.free_cpu(),
            "freeMemory": self.free_memory(),
            "freeEnis": self.free_enis(),
            "tasks": list(self.tasks),
        }


def _resources(cpu: int, memory: int) -> list[dict[str, Any]]:
    def integer(name: str, value: int) -> dict[str, Any]:
        return {"name": name, "type": "INTEGER", "integerValue": value, "doubleValue": 0.0, "longValue": 0}

    ports = {"type": "STRINGSET", "integerValue": 0, "doubleValue": 0.0, "longValue": 0}
    return [
        integer("CPU", cpu),
        integer("MEMORY", memory),
        {"name": "PORTS", "stringSetValue": ["22", "2375", "2376", "51678", "51679"], **ports},
        {"name": "PORTS_UDP", "stringSetValue": [], **ports},
    ]


def new_arn(world: Any, cluster: str) -> str:
    return world.arn("ecs", f"container-instance/{cluster}/{uuid.uuid4().hex}")


def place(
    instances: list[ContainerInstance], size: tuple[int, int, bool], params: dict[str, Any]
) -> tuple[ContainerInstance | None, list[dict[str, str]]]:
    """Chooses an instance for one task, or says why each one was passed over."""
    allowed = [one for one in instances if _allowed(one, params.get("placementConstraints") or [])]
    reasons = [(one, one.lacks(*size)) for one in allowed]
    fitting = [one for one, reason in reasons if reason is None]
    if not fitting:
        refused = [{"arn": one.arn, "reason": reason} for one, reason in reasons if reason]
        refused += [{"arn": one.arn, "reason": "MemberOf placement constraint unsatisfied."}
                    for one in instances if one not in allowed]  # fmt: skip
        return None, refused
    for strategy in params.get("placementStrategy") or []:
        if strategy.get("type") == "binpack":
            by_cpu = strategy.get("field", "").upper() == "CPU"
            return min(fitting, key=lambda one: one.free_cpu() if by_cpu else one.free_memory()), []
    return min(fitting, key=lambda one: len(one.tasks)), []


def _allowed(instance: ContainerInstance, constraints: list[dict[str, str]]) -> bool:
    """The part of the cluster query language that names instances; other expressions are taken as true."""
    for constraint in constraints:
        expression = constraint.get("expression", "")
        match = re.fullmatch(r"\s*ec2InstanceId\s*(==|!=|in|not_in)\s*\[?([^\]]*)\]?\s*", expression)
        if match:
            named = instance.ec2_id in re.split(r"[,\s]+", match.group(2).strip())
            if named != (match.group(1) in ("==", "in")):
                return False
    return True
