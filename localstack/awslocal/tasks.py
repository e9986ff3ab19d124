"""ECS tasks and their containers: what is known of them, and how ECS shows it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslocal.clock import Timer
from awslocal.history import History

# A task in one of these has, or may soon have, processes.
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass
class Container:
    """One container of a task: at most one process group, ever."""

    definition: dict[str, Any]
    arn: str
    log: Path
    override: dict[str, Any] = field(default_factory=dict)
    runtime_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = "PENDING"
    pid: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    health: str = "UNKNOWN"
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None

    @property
    def name(self) -> str:
        return self.definition["name"]

    @property
    def image(self) -> str:
        return self.definition["image"]

    @property
    def essential(self) -> bool:
        return self.definition.get("essential", True)

    @property
    def checked(self) -> bool:
        return bool(self.definition.get("healthCheck"))

    def view(self, task: Task) -> dict[str, Any]:
        view: dict[str, Any] = {
            "containerArn": self.arn,
            "taskArn": task.arn,
            "name": self.name,
            "image": self.image,
            "runtimeId": self.runtime_id,
            "lastStatus": self.status,
            "networkBindings": [],
            "networkInterfaces": task.interfaces() if task.attached else [],
            "healthStatus": self.health,
            "cpu": str(self.definition.get("cpu", 0)),
        }
        for name in ("memory", "memoryReservation"):
            if name in self.definition:
                view[name] = str(self.definition[name])
        if self.exit_code is not None:
            view["exitCode"] = self.exit_code
        if self.reason:
            view["reason"] = self.reason
        return view


@dataclass
class Task:
    """A task from RunTask until it is forgotten."""

    id: str
    arn: str
    cluster: str
    cluster_arn: str
    definition: Any
    launch_type: str
    group: str
    started_by: str | None
    overrides: dict[str, Any]
    tags: list[dict[str, str]]
    number: int
    cpu: int
    memory: int
    container_instance: Any = None
    capacity_provider: str | None = None
    platform_version: str | None = None
    enable_execute_command: bool = False
    address: str = ""
    eni: Any = None
    containers: list[Container] = field(default_factory=list)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    attachment_status: str = "PRECREATED"
    attachment_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    connectivity_at: float | None = None
    version: int = 0
    times: dict[str, float] = field(default_factory=dict)
    stop_code: str | None = None
    stopped_reason: str | None = None
    timers: list[Timer] = field(default_factory=list)
    history: History = field(default_factory=History)

    @property
    def attached(self) -> bool:
        return self.eni is not None and self.attachment_status == "ATTACHED"

    @property
    def family(self) -> str:
        return self.definition.family

    @property
    def live(self) -> bool:
        return self.last_status != "STOPPED"

    def mark(self, what: str) -> None:
        """Notes when something happened, the first time that it does."""
        self.times.setdefault(what, round(time.time(), 3))

    def container(self, name: str) -> Container | None:
        return next((one for one in self.containers if one.name == name), None)

    def health(self) -> str:
        """ECS's rule: one unhealthy essential container is enough; an unchecked task stays UNKNOWN."""
        checked = [one.health for one in self.containers if one.checked and one.essential]
        if "UNHEALTHY" in checked:
            return "UNHEALTHY"
        return "HEALTHY" if checked and all(one == "HEALTHY" for one in checked) else "UNKNOWN"

    def interfaces(self) -> list[dict[str, str]]:
        return [{"attachmentId": self.attachment_id, "privateIpv4Address": self.address}]

    def changed(self) -> None:
        """Publishes the present state: what is read is always what was published, so a read is cheap."""
        self.version += 1
        self.history.put(self._view())

    def _view(self) -> dict[str, Any]:
        view: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "launchType": self.launch_type,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health(),
            "cpu": str(self.cpu),
            "memory": str(self.memory),
            "version": self.version,
            "enableExecuteCommand": self.enable_execute_command,
            "containers": [one.view(self) for one in self.containers],
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **self.overrides},
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "attachments": self._attachments(),
            **self.times,
        }
        if self.started_by is not None:
            view["startedBy"] = self.started_by
        if self.container_instance is not None:
            view["containerInstanceArn"] = self.container_instance.arn
            view["availabilityZone"] = self.container_instance.zone
        if self.launch_type == "FARGATE":
            view["platformVersion"] = self.platform_version or "1.4.0"
            view["platformFamily"] = "Linux"
            view["ephemeralStorage"] = {"sizeInGiB": 20}
        if self.capacity_provider:
            view["capacityProviderName"] = self.capacity_provider
        if self.connectivity_at:
            view["connectivity"] = "CONNECTED"
            view["connectivityAt"] = self.connectivity_at
        if self.stop_code:
            view["stopCode"] = self.stop_code
        if self.stopped_reason:
            view["stoppedReason"] = self.stopped_reason
        return view

    def _attachments(self) -> list[dict[str, Any]]:
        if self.eni is None:
            return []
        details = {"subnetId": self.eni.subnet.id}
        if self.attachment_status != "PRECREATED":
            details |= {
                "networkInterfaceId": self.eni.id,
                "macAddress": self.eni.mac_address,
                "privateDnsName": getattr(self.eni, "private_dns_name", ""),
                "privateIPv4Address": self.address,
            }
        return [
            {
                "id": self.attachment_id,
                "type": "ElasticNetworkInterface",
                "status": self.attachment_status,
                "details": [{"name": name, "value": value} for name, value in details.items()],
            }
        ]

    def truth(self) -> dict[str, Any]:
        """What the control endpoint tells: more than ECS does."""
        return {
            "arn": self.arn,
            "id": self.id,
            "cluster": self.cluster,
            "family": self.family,
            "taskDefinition": self.definition.arn,
            "launchType": self.launch_type,
            "startedBy": self.started_by,
            "group": self.group,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health(),
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            "address": self.address,
            "publicAddress": getattr(self.eni, "public_ip", None),
            "networkInterfaceId": getattr(self.eni, "id", None),
            "instance": self.container_instance.ec2_id if self.container_instance else None,
            "times": self.times,
            "tags": self.tags,
            "overrides": self.overrides,
            "containers": [
                {
                    "name": one.name,
                    "image": one.image,
                    "status": one.status,
                    "pid": one.pid if one.status == "RUNNING" else None,
                    "exitCode": one.exit_code,
                    "health": one.health,
                    "reason": one.reason,
                    "log": str(one.log),
                    "env": {pair["name"]: pair["value"] for pair in one.override.get("environment", [])},
                }
                for one in self.containers
            ],
        }
