"""RegisterTaskDefinition refuses what ECS would: moto takes nearly anything."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition

from awslocal.errors import AwsError

# CPU units -> MiB that Fargate offers with them.
FARGATE = {
    256: [512, 1024, 2048],
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
# healthCheck field -> what it may be.
HEALTH = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}
# Tests of this server would take minutes with ECS's shortest interval.
SHORTEST = 1


def refuse(message: str) -> None:
    raise AwsError("ClientException", message)


def teach_moto() -> None:
    register = EC2ContainerServiceBackend.register_task_definition

    def register_task_definition(
        backend: EC2ContainerServiceBackend, family: str, container_definitions: list[dict[str, Any]], **more: Any
    ) -> TaskDefinition:
        containers(container_definitions)
        if "FARGATE" in (more.get("requires_compatibilities") or []):
            fargate(more.get("network_mode"), more.get("cpu"), more.get("memory"), container_definitions)
        definition = register(backend, family, container_definitions, **more)
        definition.registered_at = utcnow()
        return definition

    EC2ContainerServiceBackend.register_task_definition = register_task_definition


def containers(given: list[dict[str, Any]]) -> None:
    # CloudFormation's names begin with capitals: moto passes some of them on as they are.
    names = [one.get("name") or one.get("Name") for one in given]
    if len(set(names)) != len(names):
        refuse("Container.name must be unique.")
    if not any(one.get("essential", one.get("Essential", True)) for one in given):
        refuse("Task definition must contain at least one essential container.")
    for one in given:
        for need in one.get("dependsOn") or []:
            if need["containerName"] not in names:
                refuse(f"The container {one['name']} depends on {need['containerName']}, which does not exist.")
        for field, value in (one.get("healthCheck") or {}).items():
            low, high = HEALTH.get(field, (None, None))
            if low is not None and not min(low, SHORTEST) <= value <= high:
                refuse(f"Health check {field} of container {one['name']} must be between {low} and {high}.")


def fargate(network_mode: str | None, cpu: str | None, memory: str | None, given: list[dict[str, Any]]) -> None:
    if network_mode != "awsvpc":
        refuse("Fargate only supports network mode 'awsvpc'.")
    for one in given:
        if one.get("stopTimeout", 0) > 120:
            refuse(f"stopTimeout of container {one['name']} must be at most 120 seconds with Fargate.")
    try:
        offered = int(memory or 0) in FARGATE.get(int(cpu or 0), [])
    except ValueError:
        # ECS also takes "1 vCPU" and "2 GB".
        return
    if not offered:
        refuse(
            "No Fargate configuration exists for given values: "
            f"{cpu or 0} CPU, {memory or 0} memory. See the Amazon ECS documentation for the valid values."
        )
