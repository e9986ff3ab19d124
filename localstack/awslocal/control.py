"""The control endpoint under /_local/: the truth about the world, faults, and what happens to processes and hosts."""

from __future__ import annotations

import json
import signal
from typing import Any
from urllib.parse import parse_qs

from moto.autoscaling import autoscaling_backends

from awslocal import dynamodb
from awslocal.errors import Answer
from awslocal.services import Services
from awslocal.tasks import Task
from awslocal.world import ACCOUNT, World


class NotFound(Exception):
    """Nothing is known by that name."""


class Control:
    """Answers one request at a time, under the world's lock."""

    def __init__(self, world: World, services: Services) -> None:
        self.world = world
        self.ecs = services.ecs
        self.route53 = services.route53
        self.fleet = services.autoscaling
        self.policies = services.policies

    def answer(self, environ: dict[str, Any], body: bytes) -> Answer:
        path = [part for part in environ["PATH_INFO"].split("/") if part][1:]
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        try:
            given = json.loads(body) if body else {}
            with self.world.lock:
                result = self._route(environ["REQUEST_METHOD"], path, query, given)
            status = 200
        except NotFound as problem:
            status, result = 404, {"error": str(problem)}
        except (ValueError, KeyError, TypeError) as problem:
            status, result = 400, {"error": f"{type(problem).__name__}: {problem}"}
        if isinstance(result, bytes):
            return status, {"Content-Type": "text/plain; charset=utf-8"}, result
        return status, {"Content-Type": "application/json"}, json.dumps(result, default=str).encode()

    def _route(self, method: str, path: list[str], query: dict[str, str], given: dict[str, Any]) -> Any:
        match method, path:
            case "GET", ["health"]:
                return {"status": "ok", "processes": self.world.processes.alive()}
            case "GET", ["world"]:
                return self.world.ids
            case "GET", ["stats"]:
                return self.world.stats.view()
            case "POST", ["stats", "reset"]:
                self.world.stats.reset()
                return {}
            case "GET", ["tasks"]:
                return {"tasks": [task.truth() for task in self.ecs.tasks.values() if _wanted(task, query)]}
            case "GET", ["tasks", *name]:
                return self._task(name).truth()
            case "POST", ["tasks", *name, "signal"]:
                return self._signal(self._task(name), given)
            case "POST", ["tasks", *name, "link"]:
                return self._link(self._task(name), given)
            case "GET", ["logs", name, container]:
                return self._log(self._task([name]), container)
            case "GET", ["events"]:
                return {"events": list(self.world.events)}
            case "GET", ["records"]:
                return {"zones": [self._zone(zone) for zone in self.route53.zones()]}
            case "GET", ["table", name]:
                return {"items": dynamodb.items(self.world.config.region, name)}
            case "GET", ["instances"]:
                return self._instances()
            case "POST", ["instances", name, ("fail" | "interrupt" | "disconnect" | "connect") as what]:
                return self._instance(name, what, given)
            case "POST", ["capacity"]:
                return self._capacity(given)
            case "GET", ["faults"]:
                return {"faults": self.world.faults.view()}
            case "POST", ["faults"]:
                if isinstance(given, list):
                    return {"faults": [self.world.faults.install(one) for one in given]}
                return self.world.faults.install(given)
            case "DELETE", ["faults"]:
                self.world.faults.clear()
                return {}
            case "DELETE", ["faults", number]:
                self.world.faults.clear(int(number))
                return {}
            case "GET", ["iam"]:
                return self.policies.view()
            case "POST", ["iam"]:
                self.policies.put(str(given["key"]), given["policy"])
                return {}
            case "POST", ["clock"]:
                self.world.ahead = float(given["ahead"])
                return {}
            case "GET", ["metadata", name, *rest]:
                return self._metadata(self._task([name]), rest)
        raise NotFound(f"no such control call: {method} /_local/{'/'.join(path)}")

    def _task(self, name: list[str]) -> Task:
        task = self.ecs.find_task("/".join(name))
        if task is None:
            raise NotFound(f"no task {'/'.join(name)}")
        return task

    def _signal(self, task: Task, given: dict[str, Any]) -> dict[str, Any]:
        wanted = str(given["signal"])
        number = int(wanted) if wanted.isdigit() else signal.Signals[f"SIG{wanted.upper().removeprefix('SIG')}"]
        signalled = []
        for one in task.containers:
            if given.get("container") in (None, one.name) and one.status == "RUNNING":
                self.world.processes.signal(one.pid, number)
                signalled.append(one.name)
        if not signalled:
            raise NotFound(f"no running container {given.get('container') or ''} in task {task.id}")
        return {"signalled": signalled}

    def _link(self, task: Task, given: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(self.ecs.network, "link"):
            raise ValueError("links can be cut with --network netns only; SIGSTOP freezes a process with any")
        self.ecs.network.link(task, bool(given["up"]))
        return {}

    def _log(self, task: Task, container: str) -> bytes:
        one = task.container(container)
        if one is None or not one.log.exists():
            raise NotFound(f"no log of {container} in task {task.id}")
        return one.log.read_bytes()

    def _zone(self, zone: Any) -> dict[str, Any]:
        return {
            "id": zone.resource_id,
            "name": zone.name,
            "private": bool(zone.private_zone),
            "records": self.route53.records(zone),
        }

    def _groups(self) -> list[Any]:
        return list(autoscaling_backends[ACCOUNT][self.world.config.region].autoscaling_groups.values())

    def _instances(self) -> dict[str, Any]:
        instances = []
        for group in self._groups():
            for state in group.instance_states:
                host = self.ecs.on_host(state.instance.id)
                instances.append(
                    {
                        "instance": state.instance.id,
                        "group": group.name,
                        "lifecycleState": state.lifecycle_state,
                        "protected": bool(state.protected_from_scale_in),
                        "state": state.instance._state.name,
                        "containerInstance": host.truth() if host else None,
                    }
                )
        groups = [
            {"name": one.name, "min": one.min_size, "max": one.max_size, "desired": one.desired_capacity}
            for one in self._groups()
        ]
        return {"instances": instances, "groups": groups, "insufficientCapacity": self.world.insufficient_capacity}

    def _instance(self, name: str, what: str, given: dict[str, Any]) -> dict[str, Any]:
        states = [state for group in self._groups() for state in group.instance_states]
        state = next((state for state in states if state.instance.id == name), None)
        host = self.ecs.on_host(name)
        if what in ("fail", "interrupt"):
            if state is None:
                raise NotFound(f"no instance {name}")
            if what == "fail":
                self.fleet.fail(state)
            else:
                self.fleet.interrupt(state, given.get("noticeMs", 120_000) / 1000)
            return {}
        if host is None:
            raise NotFound(f"no container instance on {name}")
        host.agent_connected = what == "connect"
        host.changed()
        return host.truth()

    def _capacity(self, given: dict[str, Any]) -> dict[str, Any]:
        self.world.insufficient_capacity = bool(given.get("insufficient", self.world.insufficient_capacity))
        self.world.insufficient_spot = bool(given.get("insufficientSpot", self.world.insufficient_spot))
        later = given.get("insufficientSpotLater", self.world.insufficient_spot_later)
        self.world.insufficient_spot_later = bool(later)
        for group in self._groups():
            self.fleet.reconcile(group)
        return {
            "insufficient": self.world.insufficient_capacity,
            "insufficientSpot": self.world.insufficient_spot,
            "insufficientSpotLater": self.world.insufficient_spot_later,
        }

    def _metadata(self, task: Task, rest: list[str]) -> dict[str, Any]:
        """The task metadata endpoint, version 4, as far as programs ask for it."""
        network = [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.address]}] if task.address else []
        containers = [
            {
                "DockerId": one.runtime_id,
                "Name": one.name,
                "Image": one.image,
                "DesiredStatus": task.desired_status,
                "KnownStatus": one.status,
                "ContainerARN": one.arn,
                "Networks": network,
            }
            for one in task.containers
        ]
        if rest[-1:] == ["task"]:
            return {
                "Cluster": task.cluster_arn,
                "TaskARN": task.arn,
                "Family": task.family,
                "Revision": str(task.definition.revision),
                "DesiredStatus": task.desired_status,
                "KnownStatus": task.last_status,
                "LaunchType": task.launch_type,
                "Containers": containers,
            }
        named = [one for one in containers if one["Name"] == rest[0]] if rest else containers
        if not named:
            raise NotFound(f"no container {rest[0]} in task {task.id}")
        return named[0]


def _wanted(task: Task, query: dict[str, str]) -> bool:
    if query.get("live") and not task.live:
        return False
    return query.get("cluster") in (None, task.cluster) and query.get("family") in (None, task.family)
