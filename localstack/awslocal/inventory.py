"""What lists and describes the tasks, container instances and task definitions of ECS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from awslocal import paging
from awslocal.errors import AwsError, invalid
from awslocal.instances import ContainerInstance

if TYPE_CHECKING:
    from awslocal.ecs import Ecs


class Inventory:
    """The reading operations, and those on container instances; `lag` asks for the state of some time ago."""

    def __init__(self, ecs: Ecs) -> None:
        self.ecs = ecs
        self.operations: dict[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
            "ListTasks": self.list_tasks,
            "DescribeTasks": self.describe_tasks,
            "ListContainerInstances": self.list_container_instances,
            "DescribeContainerInstances": self.describe_container_instances,
            "UpdateContainerInstancesState": self.update_container_instances_state,
            "DeregisterContainerInstance": self.deregister_container_instance,
            "ListTaskDefinitions": self.list_task_definitions,
        }

    def list_tasks(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        cluster = self.ecs.cluster(params.get("cluster"))
        filters = [name for name in ("family", "serviceName", "launchType", "containerInstance") if params.get(name)]
        if params.get("startedBy") and filters:
            raise invalid(f"Filtering by startedBy cannot be combined with {filters[0]}.")
        if params.get("family") and params.get("serviceName"):
            raise invalid("Filtering by family cannot be combined with serviceName.")
        desired = params.get("desiredStatus") or "RUNNING"
        host = (params.get("containerInstance") or "").rsplit("/", 1)[-1]
        arns = []
        for task in self.ecs.tasks.values():
            if task.cluster != cluster.name or params.get("serviceName"):
                continue
            view = task.history.at(lag)
            if view is None or view["desiredStatus"] != desired:
                continue
            if params.get("family") and task.family != params["family"]:
                continue
            if params.get("startedBy") and task.started_by != params["startedBy"]:
                continue
            if params.get("launchType") and task.launch_type != params["launchType"]:
                continue
            if host and (task.container_instance is None or task.container_instance.id != host):
                continue
            arns.append(task.arn)
        return paging.page(arns, params, "taskArns")

    def describe_tasks(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        cluster = self.ecs.cluster(params.get("cluster"))
        wanted = params.get("tasks") or []
        if not wanted:
            raise invalid("Tasks cannot be empty.")
        if len(wanted) > 100:
            raise invalid("Tasks cannot have more than 100 elements.")
        tags = "TAGS" in (params.get("include") or [])
        found, failures = [], []
        for reference in dict.fromkeys(wanted):
            arn = reference if ":" in reference else self.ecs.world.arn("ecs", f"task/{cluster.name}/{reference}")
            task = self.ecs.tasks.get(arn)
            view = task.history.at(lag) if task is not None and task.cluster == cluster.name else None
            if view is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append({**view, "tags": task.tags if tags else []})
        return {"tasks": found, "failures": failures}

    def list_container_instances(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        cluster = self.ecs.cluster(params.get("cluster"))
        views = [one.history.at(lag) for one in self.ecs.of_cluster(cluster.name)]
        status = params.get("status")
        arns = [view["containerInstanceArn"] for view in views if view and status in (None, view["status"])]
        return paging.page(arns, params, "containerInstanceArns")

    def _named_instances(
        self, params: dict[str, Any], most: int
    ) -> tuple[list[ContainerInstance], list[dict[str, str]]]:
        cluster = self.ecs.cluster(params.get("cluster"))
        wanted = params.get("containerInstances") or []
        if not wanted:
            raise AwsError("ClientException", "Container Instances cannot be empty.")
        if len(wanted) > most:
            raise invalid(f"Container instances cannot have more than {most} elements.")
        found, failures = [], []
        for reference in dict.fromkeys(wanted):
            arn = self.ecs.world.arn("ecs", f"container-instance/{cluster.name}/{reference.rsplit('/', 1)[-1]}")
            if arn in self.ecs.instances:
                found.append(self.ecs.instances[arn])
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return found, failures

    def describe_container_instances(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        found, failures = self._named_instances(params, 100)
        tags = "TAGS" in (params.get("include") or [])
        views = []
        for one in found:
            view = one.history.at(lag)
            if view is None:
                failures.append({"arn": one.arn, "reason": "MISSING"})
            else:
                views.append({**view, "tags": one.tags if tags else []})
        return {"containerInstances": views, "failures": failures}

    def update_container_instances_state(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        if params.get("status") not in ("ACTIVE", "DRAINING"):
            raise invalid("Container instance status should be one of [ACTIVE, DRAINING]")
        found, failures = self._named_instances(params, 10)
        for one in found:
            one.status = params["status"]
            one.changed()
        return {"containerInstances": [one.history.at(0) for one in found], "failures": failures}

    def deregister_container_instance(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        found, _ = self._named_instances({**params, "containerInstances": [params.get("containerInstance") or ""]}, 1)
        if not found:
            raise invalid("Referenced container instance was not found.")
        if found[0].busy() and not params.get("force"):
            raise invalid("Found running tasks on the instance.")
        self.ecs.remove_instance(found[0])
        return {"containerInstance": {**found[0].history.at(0), "status": "INACTIVE"}}

    def list_task_definitions(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        status = params.get("status") or "ACTIVE"
        found = sorted(
            (family, revision, one.arn)
            for family, revisions in self.ecs.moto.task_definitions.items()
            if params.get("familyPrefix") in (None, family)
            for revision, one in revisions.items()
            if one.status == status
        )
        arns = [arn for _, _, arn in found]
        if params.get("sort") == "DESC":
            arns.reverse()
        return paging.page(arns, params, "taskDefinitionArns")
