"""Container health: running a definition's healthCheck command at its interval, as the ECS agent does."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awslocal.tasks import Container, Task

if TYPE_CHECKING:
    from awslocal.lifecycle import Lifecycle


def watch(life: Lifecycle, task: Task, one: Container, image: Any) -> None:
    """Starts checking a container that has just been started."""
    check = one.definition["healthCheck"]
    Watch(life, task, one, image.health_argv(check["command"]), check)


class Watch:
    """The checks of one container, until it ends."""

    def __init__(self, life: Lifecycle, task: Task, one: Container, argv: list[str], check: dict[str, Any]) -> None:
        self.life, self.task, self.one, self.argv = life, task, one, argv
        self.interval = check.get("interval", 30)
        self.timeout = check.get("timeout", 5)
        self.retries = check.get("retries", 3)
        self.starting = bool(check.get("startPeriod"))
        self.failures = 0
        if self.starting:
            life.clock.after(check["startPeriod"], self._started)
        life.clock.after(self.interval, self._check)

    def _started(self) -> None:
        self.starting = False

    def _check(self) -> None:
        if self.one.status != "RUNNING":
            return
        log = Path(f"{self.one.log}.health")
        try:
            pid = self.life.world.processes.start(
                self.life.ecs.network.argv(self.task, self.argv), self.one.env, self.one.cwd, log, self._done
            )
        except OSError:
            self._done(127)
            return
        self.life.clock.after(self.timeout, lambda: self.life.world.processes.signal(pid, signal.SIGKILL))

    def _done(self, code: int) -> None:
        if self.one.status != "RUNNING":
            return
        before = self.one.health
        if code == 0:
            self.failures, self.starting = 0, False
            self.one.health = "HEALTHY"
        elif not self.starting:
            self.failures += 1
            if self.failures >= self.retries:
                self.one.health = "UNHEALTHY"
        if self.one.health != before:
            self.life.start_ready(self.task)
        self.life.clock.after(self.interval, self._check)
