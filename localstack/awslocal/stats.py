"""Counts of what was called, by whom, and of what went wrong in the world."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any


class Stats:
    """Counters since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._since = time.time()
            self._calls: Counter[str] = Counter()
            self._callers: dict[str, Counter[str]] = {}
            self._errors: Counter[str] = Counter()
            self._busy_terminations: list[dict[str, Any]] = []
            self._desired: list[dict[str, Any]] = []

    def called(self, operation: str, caller: str) -> None:
        with self._lock:
            self._calls[operation] += 1
            self._callers.setdefault(caller, Counter())[operation] += 1

    def failed(self, operation: str, code: str) -> None:
        with self._lock:
            self._errors[f"{operation} {code}"] += 1

    def busy_termination(self, instance: str, tasks: list[str], cause: str) -> None:
        with self._lock:
            self._busy_terminations.append({"instance": instance, "tasks": tasks, "cause": cause, "at": time.time()})

    def desired_capacity(self, group: str, before: int, value: int) -> None:
        with self._lock:
            self._desired.append({"group": group, "from": before, "to": value, "at": time.time()})

    def view(self) -> dict[str, Any]:
        with self._lock:
            return {
                "since": self._since,
                "total": self._calls.total(),
                "calls": dict(self._calls),
                "callers": {caller: dict(calls) for caller, calls in self._callers.items()},
                "errors": dict(self._errors),
                "busyTerminations": list(self._busy_terminations),
                "setDesiredCapacity": list(self._desired),
            }
