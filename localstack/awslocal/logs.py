"""CloudWatch Logs: containers whose log driver is `awslogs` write to it, and streams are found by their prefix."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.logs import logs_backends
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

from awslocal.world import ACCOUNT, World

if TYPE_CHECKING:
    from awslocal.tasks import Container, Task

# Seconds between two looks at what containers wrote; the time of a line is that of the look.
EVERY = 0.2
# Sources: Amazon ECS Developer Guide, "Using the awslogs log driver" (streams are prefix/container/task); Amazon
# CloudWatch Logs API Reference, PutLogEvents (events in a batch).
BATCH = 10_000


def teach_moto() -> None:
    """Moto finds streams by their names only."""
    by_names = LogsResponse.filter_log_events

    def filter_log_events(response: LogsResponse) -> str:
        prefix = response._get_param("logStreamNamePrefix")
        if prefix is None:
            return by_names(response)
        if response._get_param("logStreamNames"):
            raise InvalidParameterException(
                constraint="give names or a prefix, not both", parameter="logStreamNamePrefix", value=prefix
            )
        group = response._get_param("logGroupName")
        known = response.logs_backend.groups.get(group)
        names = [name for name in known.streams if name.startswith(prefix)] if known else [prefix]
        if not names:
            return json.dumps({"events": [], "searchedLogStreams": []})
        events, token, searched = response.logs_backend.filter_log_events(
            group,
            names,
            response._get_param("startTime"),
            response._get_param("endTime"),
            response._get_param("limit"),
            response._get_param("nextToken"),
            response._get_param("filterPattern"),
            True,
        )
        return json.dumps({"events": events, "nextToken": token, "searchedLogStreams": searched})

    LogsResponse.filter_log_events = filter_log_events


def stream(task: Task, container: Container) -> tuple[str, str] | None:
    """Group and stream that a container's lines go to; None when they stay on the machine."""
    log = container.definition.get("logConfiguration") or {}
    if log.get("logDriver") != "awslogs":
        return None
    options = log["options"]
    return options["awslogs-group"], f"{options.get('awslogs-stream-prefix', 'ecs')}/{container.name}/{task.id}"


@dataclass(eq=False)
class _Reading:
    """How far a container's file was read."""

    container: Container
    group: str
    stream: str
    rest: bytes = b""
    offset: int = 0


class Driver:
    """Carries whole lines from containers' files to their streams."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._open: list[_Reading] = []
        self._due = False

    def missing(self, task: Task, container: Container) -> str | None:
        """Why a container cannot start."""
        wanted = stream(task, container)
        if wanted is None or wanted[0] in self._backend().groups:
            return None
        return (
            "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log "
            "stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
        )

    def follow(self, task: Task, container: Container) -> None:
        wanted = stream(task, container)
        if wanted is None:
            return
        self._backend().create_log_stream(*wanted)
        self._open.append(_Reading(container, *wanted))
        if not self._due:
            self._due = True
            self.world.clock.after(EVERY, self._carry)

    def _backend(self) -> LogsBackend:
        return logs_backends[ACCOUNT][self.world.config.region]

    def _carry(self) -> None:
        # Whoever has ended was read to the end after that.
        ended = [one for one in self._open if one.container.status == "STOPPED"]
        for one in self._open:
            self._read(one)
        self._open = [one for one in self._open if one not in ended]
        self._due = bool(self._open)
        if self._due:
            self.world.clock.after(EVERY, self._carry)

    def _read(self, one: _Reading) -> None:
        if not one.container.log.exists():
            return
        with one.container.log.open("rb") as file:
            file.seek(one.offset)
            new = file.read()
        one.offset += len(new)
        *lines, one.rest = (one.rest + new).split(b"\n")
        if one.container.status == "STOPPED" and one.rest:
            lines, one.rest = [*lines, one.rest], b""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line.decode(errors="replace")} for line in lines if line]
        for begin in range(0, len(events), BATCH):
            self._backend().put_log_events(one.group, one.stream, events[begin : begin + BATCH])
