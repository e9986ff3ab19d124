"""ECS with real tasks: the state of all clusters, RunTask and StopTask."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from moto.ec2 import ec2_backends
from moto.ecs import ecs_backends
from moto.ecs.models import EC2ContainerServiceBackend

from awslocal import registration
from awslocal.agents import Agents
from awslocal.ec2 import architecture
from awslocal.errors import AwsError, invalid
from awslocal.iam import Policies
from awslocal.instances import ContainerInstance, new_arn, place
from awslocal.inventory import Inventory
from awslocal.lifecycle import Lifecycle
from awslocal.logs import Driver
from awslocal.network import Loopback
from awslocal.tasks import Container, Task
from awslocal.world import ACCOUNT, World

# What Fargate says where it has no machine, when it is asked or when the task is to start.
UNAVAILABLE = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
TOKEN_PARAMETERS = (
    "cluster", "taskDefinition", "count", "launchType", "capacityProviderStrategy", "networkConfiguration", "overrides",
    "startedBy", "group", "tags", "enableECSManagedTags", "propagateTags", "platformVersion", "enableExecuteCommand",
)  # fmt: skip


class Ecs:
    """All tasks and container instances; task definitions and clusters stay moto's."""

    def __init__(self, world: World, policies: Policies) -> None:
        self.world = world
        self.agents = Agents(world, policies)
        self.moto: EC2ContainerServiceBackend = ecs_backends[ACCOUNT][world.config.region]
        self.network = self._network()
        self.logs = Driver(world)
        self.life = Lifecycle(self)
        self.tasks: dict[str, Task] = {}
        self.instances: dict[str, ContainerInstance] = {}
        self._tokens: dict[str, tuple[str, dict[str, Any]]] = {}
        self._numbers = 0
        self.operations: dict[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            **Inventory(self).operations,
        }
        registration.teach_moto()
        self._teach_moto()

    def _network(self) -> Loopback:
        ec2 = ec2_backends[ACCOUNT][self.world.config.region]
        if self.world.config.network == "netns":
            from awslocal.netns import Namespaces

            return Namespaces(self.world, ec2)
        return Loopback(self.world, ec2)

    def _teach_moto(self) -> None:
        """Moto's tag and cluster operations must see these tasks and instances."""
        find, describe = EC2ContainerServiceBackend._get_resource, EC2ContainerServiceBackend.describe_clusters

        def get_resource(backend: Any, arn: str, parsed: dict[str, str]) -> Any:
            kinds = {"task": self.tasks, "container-instance": self.instances}
            if parsed["service"] not in kinds:
                return find(backend, arn, parsed)
            if arn not in kinds[parsed["service"]]:
                raise invalid(f"The specified {parsed['service']} is not found.")
            return kinds[parsed["service"]][arn]

        def describe_clusters(backend: Any, names: list[str]) -> Any:
            for cluster in backend.clusters.values():
                live = [task for task in self.tasks.values() if task.cluster == cluster.name and task.live]
                cluster.running_tasks_count = sum(1 for task in live if task.last_status == "RUNNING")
                cluster.pending_tasks_count = sum(1 for task in live if task.last_status in ("PROVISIONING", "PENDING"))
                cluster.registered_container_instances_count = len(self.of_cluster(cluster.name))
            return describe(backend, names)

        EC2ContainerServiceBackend._get_resource = get_resource
        EC2ContainerServiceBackend.describe_clusters = describe_clusters

    # What the other services call.

    def cluster(self, name: str | None) -> Any:
        found = self.moto.clusters.get((name or "default").rsplit("/", 1)[-1])
        if found is None or found.status != "ACTIVE":
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def of_cluster(self, name: str) -> list[ContainerInstance]:
        return [one for one in self.instances.values() if one.cluster == name]

    def register_instance(
        self, cluster: str, ec2_instance: Any, group: str | None, role: str | None = None
    ) -> ContainerInstance:
        config = self.world.config
        one = ContainerInstance(
            arn=new_arn(self.world, cluster),
            cluster=cluster,
            ec2_id=ec2_instance.id,
            zone=ec2_instance.placement.zone,
            cpu=config.instance_cpu,
            memory=config.instance_memory,
            enis=config.eni_limit,
            group=group,
            role=role,
            attributes={
                "ecs.availability-zone": ec2_instance.placement.zone,
                "ecs.instance-type": ec2_instance.instance_type,
                "ecs.os-type": "linux",
                "ecs.capability.task-eni": None,
                **architecture(config.region, ec2_instance.image_id),
            },
        )
        one.agent_connected = self.agents.connect(role, cluster, one.arn) is None
        self.instances[one.arn] = one
        self.moto.container_instances.setdefault(cluster, {})[one.id] = one
        one.changed()
        return one

    def remove_instance(self, one: ContainerInstance) -> None:
        self.instances.pop(one.arn, None)
        self.moto.container_instances.get(one.cluster, {}).pop(one.id, None)

    def on_host(self, ec2_id: str) -> ContainerInstance | None:
        return next((one for one in self.instances.values() if one.ec2_id == ec2_id), None)

    def find_task(self, reference: str) -> Task | None:
        if reference in self.tasks:
            return self.tasks[reference]
        return next((task for task in self.tasks.values() if task.id == reference.rsplit("/", 1)[-1]), None)

    def forget(self, task: Task) -> None:
        self.tasks.pop(task.arn, None)

    def events(self, what: str, task: Task) -> None:
        self.world.events.append(
            {"at": time.time(), "event": what, "task": task.arn, "reason": task.stopped_reason, "code": task.stop_code}
        )

    def secret(self, reference: str) -> str:
        from moto.secretsmanager import secretsmanager_backends
        from moto.ssm import ssm_backends

        region = self.world.config.region
        try:
            if ":secretsmanager:" in reference:
                arn = ":".join(reference.split(":")[:7])
                value = secretsmanager_backends[ACCOUNT][region].get_secret_value(arn, "", "")["SecretString"]
                key = (reference.split(":")[7:8] or [""])[0]
                return str(json.loads(value)[key]) if key else value
            name = reference.split(":parameter", 1)[-1]
            return ssm_backends[ACCOUNT][region].get_parameter(name).response_object(decrypt=True)["Value"]
        except Exception as problem:
            raise ValueError(
                "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve "
                f"secret from {reference}: {problem}"
            ) from problem

    # RunTask and StopTask.

    def run_task(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        token = params.get("clientToken")
        asked = json.dumps({name: params.get(name) for name in TOKEN_PARAMETERS}, sort_keys=True)
        if token and token in self._tokens:
            before, result = self._tokens[token]
            if before != asked:
                raise AwsError(
                    "ConflictException",
                    "The clientToken was already used with different request parameters.",
                    resourceIds=[task.arn for task in result["tasks"]],
                )
            return self._launched(result["tasks"], result["failures"])
        result = self._run(params)
        if token and result["tasks"]:
            self._tokens[token] = asked, result
        return self._launched(result["tasks"], result["failures"])

    def _launched(self, tasks: list[Task], failures: list[dict[str, str]]) -> dict[str, Any]:
        return {"tasks": [{**task.history.at(0), "tags": task.tags} for task in tasks], "failures": failures}

    def _run(self, params: dict[str, Any]) -> dict[str, Any]:
        cluster = self.cluster(params.get("cluster"))
        definition = self._definition(params.get("taskDefinition"))
        count = params.get("count", 1)
        if not 1 <= count <= 10:
            raise invalid("Count must be between 1 and 10." if count > 10 else "Count cannot be less than 1.")
        if len(params.get("startedBy") or "") > 128:
            raise invalid("startedBy must be shorter than 128 characters.")
        launch_type, provider = self._launch_type(params, cluster)
        if launch_type == "FARGATE" and "FARGATE" not in (definition.requires_compatibilities or []):
            raise invalid("Task definition does not support launch_type FARGATE.")
        network = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
        awsvpc = definition.network_mode == "awsvpc"
        if awsvpc and not network:
            raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        if network and not awsvpc:
            raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
        if awsvpc:
            self.network.validate(network)
            if launch_type == "EC2" and network.get("assignPublicIp") == "ENABLED":
                raise invalid("Assign public IP is not supported for this launch type.")
        self._check_overrides(definition, params.get("overrides") or {})
        cpu, memory = _size(definition, params.get("overrides") or {})
        tasks: list[Task] = []
        failures: list[dict[str, str]] = []
        if launch_type == "EC2":
            considered = [one for one in self.of_cluster(cluster.name) if one.status == "ACTIVE"]
            if not considered:
                raise invalid("No Container Instances were found in your cluster.")
        if provider == "FARGATE_SPOT" and self.world.insufficient_spot:
            return {"tasks": [], "failures": [{"reason": UNAVAILABLE}]}
        for _ in range(count):
            instance = None
            if launch_type == "EC2":
                instance, failures = place(considered, (cpu, memory, awsvpc), params)
                if instance is None:
                    break
            tasks.append(self._create(params, cluster, definition, launch_type, provider, instance, (cpu, memory)))
        return {"tasks": tasks, "failures": failures}

    def _definition(self, reference: str | None) -> Any:
        family, _, revision = (reference or "").rsplit("/", 1)[-1].partition(":")
        revisions = self.moto.task_definitions.get(family, {})
        if revision:
            found = revisions.get(int(revision)) if revision.isdigit() else None
        else:
            found = next((one for _, one in sorted(revisions.items(), reverse=True) if one.status == "ACTIVE"), None)
        if found is None:
            raise AwsError("ClientException", "TaskDefinition not found.")
        if found.status != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition is inactive")
        return found

    @staticmethod
    def _launch_type(params: dict[str, Any], cluster: Any) -> tuple[str, str | None]:
        launch_type, strategy = params.get("launchType"), params.get("capacityProviderStrategy")
        if launch_type and strategy:
            raise invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
        if launch_type and launch_type not in ("EC2", "FARGATE"):
            raise invalid("launch type should be one of [EC2,FARGATE,EXTERNAL]")
        strategy = strategy or (None if launch_type else cluster.default_capacity_provider_strategy)
        if strategy:
            provider = strategy[0]["capacityProvider"]
            return ("FARGATE" if provider.startswith("FARGATE") else "EC2"), provider
        return launch_type or "EC2", None

    @staticmethod
    def _check_overrides(definition: Any, overrides: dict[str, Any]) -> None:
        names = {one["name"] for one in definition.container_definitions}
        for one in overrides.get("containerOverrides") or []:
            if one.get("name") not in names:
                raise invalid(
                    f"Override for container named {one.get('name')} is not a container in the TaskDefinition."
                )
        if len(json.dumps(overrides)) > 8192:
            raise invalid("Container Overrides length must be at most 8192")

    def _create(
        self, params: dict[str, Any], cluster: Any, definition: Any, launch_type: str, provider: str | None,
        instance: ContainerInstance | None, size: tuple[int, int],
    ) -> Task:  # fmt: skip
        task_id = uuid.uuid4().hex
        self._numbers += 1
        tags = {one["key"]: one.get("value", "") for one in params.get("tags") or []}
        if params.get("propagateTags") == "TASK_DEFINITION":
            tags = {one["key"]: one.get("value", "") for one in definition.tags or []} | tags
        if params.get("enableECSManagedTags"):
            tags["aws:ecs:clusterName"] = cluster.name
        overrides = params.get("overrides") or {}
        task = Task(
            id=task_id,
            arn=self.world.arn("ecs", f"task/{cluster.name}/{task_id}"),
            cluster=cluster.name,
            cluster_arn=cluster.arn,
            definition=definition,
            launch_type=launch_type,
            group=params.get("group") or f"family:{definition.family}",
            started_by=params.get("startedBy"),
            overrides=overrides,
            tags=[{"key": key, "value": value} for key, value in tags.items()],
            number=self._numbers,
            cpu=size[0],
            memory=size[1],
            container_instance=instance,
            capacity_provider=provider,
            platform_version=params.get("platformVersion"),
            enable_execute_command=bool(params.get("enableExecuteCommand")),
        )
        overridden = {one["name"]: one for one in overrides.get("containerOverrides") or []}
        for one in definition.container_definitions:
            arn = self.world.arn("ecs", f"container/{cluster.name}/{task_id}/{uuid.uuid4()}")
            log = (
                self.world.config.data / "logs" / cluster.name / f"{definition.family}.{task_id[:12]}.{one['name']}.log"
            )
            log.parent.mkdir(parents=True, exist_ok=True)
            task.containers.append(Container(one, arn, log, overridden.get(one["name"], {})))
        if definition.network_mode == "awsvpc":
            self.network.attach(task, params["networkConfiguration"]["awsvpcConfiguration"])
        self.tasks[task.arn] = task
        if instance is not None:
            instance.tasks[task.arn] = task
        self.life.launch(task)
        if provider == "FARGATE_SPOT" and self.world.insufficient_spot_later:
            self.world.clock.after(0, lambda: self.life.stop(task, "TaskFailedToStart", UNAVAILABLE, 0))
        return task

    def stop_task(self, params: dict[str, Any], lag: float = 0) -> dict[str, Any]:
        cluster = self.cluster(params.get("cluster"))
        task = self.find_task(params.get("task") or "")
        if task is None or task.cluster != cluster.name:
            raise invalid("The referenced task was not found.")
        task.tags = []
        self.life.stop(task, "UserInitiated", params.get("reason") or "Task stopped by user")
        return {"task": {**task.history.at(0), "tags": task.tags}}


def _size(definition: Any, overrides: dict[str, Any]) -> tuple[int, int]:
    """What placement reserves: the task's own size, or the sum of its containers'."""
    containers = definition.container_definitions
    cpu = overrides.get("cpu") or definition.cpu or sum(one.get("cpu") or 0 for one in containers)
    memory = overrides.get("memory") or definition.memory
    if not memory:
        memory = sum(one.get("memoryReservation") or one.get("memory") or 0 for one in containers)
    return int(cpu), int(memory)
