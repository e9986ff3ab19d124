"""A task's life: provisioning, pulling, running, stopping. Each step is taken by the clock, under the world's lock."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

from awslocal import health
from awslocal.tasks import STARTING, Container, Task

if TYPE_CHECKING:
    from awslocal.ecs import Ecs

# What a task's processes see of the server's own environment. Credentials are not in it: tasks have none of their own.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "RUST_BACKTRACE")


class Lifecycle:
    """Moves tasks through their states."""

    def __init__(self, ecs: Ecs) -> None:
        self.ecs = ecs
        self.world = ecs.world
        self.clock = ecs.world.clock
        self.config = ecs.world.config

    def changed(self, task: Task) -> None:
        task.changed()
        if task.container_instance is not None:
            task.container_instance.changed()

    def launch(self, task: Task) -> None:
        task.mark("createdAt")
        self.changed(task)
        self.clock.after(self.config.provision_delay, lambda: self._provisioned(task))

    def _provisioned(self, task: Task) -> None:
        if task.last_status != "PROVISIONING" or task.desired_status == "STOPPED":
            return
        host = task.container_instance
        refused = self.ecs.agents.report(host.role, host.cluster) if host is not None else None
        if refused:
            self.stop(task, "TaskFailedToStart", f"the agent cannot report: {refused}")
            return
        task.last_status = "PENDING"
        task.attachment_status = "ATTACHED"
        task.mark("pullStartedAt")
        task.connectivity_at = task.times["pullStartedAt"]
        self.changed(task)
        self.clock.after(self.config.pull_delay, lambda: self._pulled(task))

    def _pulled(self, task: Task) -> None:
        if task.last_status != "PENDING" or task.desired_status == "STOPPED":
            return
        task.mark("pullStoppedAt")
        for one in task.containers:
            if self.world.images.find(one.image) is None:
                reference = one.image if "/" in one.image else f"docker.io/library/{one.image}"
                one.reason = (
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                    f"failed to resolve ref {reference}: not found"
                )
                self.stop(task, "TaskFailedToStart", one.reason)
                return
        self.start_ready(task)

    def start_ready(self, task: Task) -> None:
        """Starts every container whose dependencies allow it; the task runs once all of them were started."""
        if task.desired_status == "STOPPED":
            return
        for one in task.containers:
            if one.status == "PENDING" and any(_hopeless(task, need) for need in one.definition.get("dependsOn", [])):
                self.stop(task, "TaskFailedToStart", f"A dependency of container {one.name} did not succeed")
                return
            if one.status != "PENDING" or not all(
                _satisfied(task, need) for need in one.definition.get("dependsOn", [])
            ):
                continue
            try:
                self._start(task, one)
            except (OSError, ValueError) as problem:
                self._failed_to_start(task, one, problem)
                return
        if task.last_status == "PENDING" and all(one.status != "PENDING" for one in task.containers):
            task.last_status = "RUNNING"
            task.mark("startedAt")
        self.changed(task)

    def _start(self, task: Task, one: Container) -> None:
        image = self.world.images.find(one.image)
        directory = self.config.data / "tasks" / task.id
        (directory / "tmp").mkdir(parents=True, exist_ok=True)
        command = one.override.get("command") or one.definition.get("command") or []
        argv = image.argv(one.definition.get("entryPoint") or [], command)
        if not argv:
            raise ValueError("no command specified")
        refused = self.ecs.agents.start(task, one) or self.ecs.logs.missing(task, one)
        if refused:
            raise ValueError(refused)
        one.env = self._environment(task, one, image)
        one.cwd = directory
        one.pid = self.world.processes.start(
            self.ecs.network.argv(task, argv), one.env, directory, one.log, lambda code: self._exited(task, one, code)
        )
        one.status = "RUNNING"
        self.ecs.logs.follow(task, one)
        if one.checked:
            health.watch(self, task, one, image)

    def _environment(self, task: Task, one: Container, image: Any) -> dict[str, str]:
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        directory = self.config.data / "tasks" / task.id / "tmp"
        env["TMPDIR"] = str(directory)
        # Containers of other tasks must not see the file with which this task's user asks for its end.
        env["SHUTDOWN_FILE"] = str(directory / "shutdown")
        # Programs that stand in for an image ask for the port that it would listen on.
        ports = [mapping["containerPort"] for mapping in one.definition.get("portMappings") or []]
        if ports:
            env["PORT"] = str(ports[0])
        env |= image.environment
        for definition in (one.definition, one.override):
            env |= {pair["name"]: pair.get("value", "") for pair in definition.get("environment") or []}
        for secret in one.definition.get("secrets") or []:
            env[secret["name"]] = self.ecs.secret(secret["valueFrom"])
        if task.address:
            env["LISTEN_ADDRESS"] = self.ecs.network.listen_address(task)
            env["TASK_IP"] = task.address
        env["ECS_CONTAINER_METADATA_URI_V4"] = f"{self.ecs.network.endpoint(task)}/_local/metadata/{task.id}/{one.name}"
        env["AWS_EXECUTION_ENV"] = f"AWS_ECS_{task.launch_type}"
        env["AWS_REGION"] = env.get("AWS_REGION", self.config.region)
        return env

    def _failed_to_start(self, task: Task, one: Container, problem: Exception) -> None:
        if isinstance(problem, ValueError):
            one.reason = f"ResourceInitializationError: {problem}"
        else:
            one.reason = (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: "
                f'exec: "{problem.filename}": {problem.strerror}: unknown'
            )
        one.status, one.exit_code = "STOPPED", None
        self.stop(task, "TaskFailedToStart", one.reason)

    def _exited(self, task: Task, one: Container, code: int) -> None:
        one.status, one.exit_code = "STOPPED", code
        running = any(other.status == "RUNNING" for other in task.containers)
        waiting = any(other.status == "PENDING" for other in task.containers)
        if task.desired_status == "STOPPED":
            if not running and task.last_status == "STOPPING":
                self._executed(task)
                return
        elif one.essential or not (running or waiting):
            self.stop(task, "EssentialContainerExited", "Essential container in task exited")
            return
        else:
            self.start_ready(task)
        self.changed(task)

    def stop(self, task: Task, code: str, reason: str, grace: float | None = None) -> None:
        """Begins a task's end. The first reason stays; a shorter grace (a dying host) still applies."""
        if task.desired_status == "STOPPED":
            if grace is not None and task.live:
                self._kill_after(task, grace)
            return
        task.desired_status = "STOPPED"
        task.stop_code, task.stopped_reason = code, reason
        task.mark("stoppingAt")
        if task.last_status == "RUNNING":
            task.last_status = "DEACTIVATING"
        self.changed(task)
        self.clock.after(0, lambda: self._stopping(task, grace))

    def _stopping(self, task: Task, grace: float | None) -> None:
        if not task.live:
            return
        running = [one for one in task.containers if one.status == "RUNNING"]
        if not running:
            self._executed(task)
            return
        host = task.container_instance
        if host is not None and not host.agent_connected and grace is None:
            # The agent is what stops containers: until it is back, the task is asked to stop, and runs.
            self.clock.after(0.1, lambda: self._stopping(task, grace))
            return
        task.last_status = "STOPPING"
        self.changed(task)
        for one in running:
            self.world.processes.signal(one.pid, signal.SIGTERM)
        self._kill_after(task, grace)

    def _kill_after(self, task: Task, grace: float | None) -> None:
        for one in task.containers:
            if one.status == "RUNNING":
                seconds = one.definition.get("stopTimeout", self.config.stop_timeout) if grace is None else grace
                self.clock.after(seconds, lambda pid=one.pid: self.world.processes.signal(pid, signal.SIGKILL))

    def _executed(self, task: Task) -> None:
        if task.last_status in STARTING:
            # What never ran has no processes to wait for, only its network interface to give back.
            for one in task.containers:
                one.status = "STOPPED"
        task.mark("executionStoppedAt")
        task.last_status = "DEPROVISIONING"
        self.changed(task)
        self.clock.after(self.config.deprovision_delay, lambda: self._stopped(task))

    def _stopped(self, task: Task) -> None:
        for one in task.containers:
            one.status = "STOPPED"
        task.last_status = "STOPPED"
        task.mark("stoppedAt")
        self.ecs.network.release(task)
        if task.container_instance is not None:
            task.container_instance.tasks.pop(task.arn, None)
        self.changed(task)
        self.ecs.events("task-stopped", task)
        self.clock.after(self.config.stopped_retention, lambda: self._forget(task))

    def _forget(self, task: Task) -> None:
        self.ecs.forget(task)
        with contextlib.suppress(OSError):
            shutil.rmtree(self.config.data / "tasks" / task.id)


def _hopeless(task: Task, need: dict[str, str]) -> bool:
    other = task.container(need["containerName"])
    if other is None or other.status != "STOPPED":
        return False
    return need["condition"] == "HEALTHY" or (need["condition"] == "SUCCESS" and other.exit_code != 0)


def _satisfied(task: Task, need: dict[str, str]) -> bool:
    other = task.container(need["containerName"])
    if other is None:
        return True
    match need["condition"]:
        case "HEALTHY":
            return other.health == "HEALTHY"
        case "COMPLETE":
            return other.status == "STOPPED"
        case "SUCCESS":
            return other.status == "STOPPED" and other.exit_code == 0
        case _:
            return other.status != "PENDING"
