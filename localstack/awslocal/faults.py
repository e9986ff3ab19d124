"""Faults that the control endpoint installs: what goes wrong with which call, and how often."""

from __future__ import annotations

import fnmatch
import itertools
import random
import threading
from dataclasses import dataclass, field
from typing import Any

KINDS = ("throttle", "error-before", "error-after", "lose-answer", "delay", "http500", "failures", "read-lag")


@dataclass
class Rule:
    """One fault."""

    id: int
    operation: str
    kind: str
    count: int = 1
    probability: float = 1.0
    delay: float = 0.0
    code: str | None = None
    message: str | None = None
    match: dict[str, Any] = field(default_factory=dict)
    close: bool = False
    hits: int = 0

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "operation": self.operation,
            "kind": self.kind,
            "count": self.count,
            "probability": self.probability,
            "delayMs": round(self.delay * 1000),
            "code": self.code,
            "message": self.message,
            "match": self.match,
            "close": self.close,
            "hits": self.hits,
        }


def subset(wanted: Any, given: Any) -> bool:
    """Whether everything that `wanted` says holds of `given`; `*` in a string matches anything."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(subset(value, given.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(given, list) and all(any(subset(one, other) for other in given) for one in wanted)
    if isinstance(wanted, str):
        return fnmatch.fnmatchcase("" if given is None else str(given), wanted)
    return wanted == given


class Faults:
    """The installed rules, in order of installation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._rules: list[Rule] = []
        self._random = random.Random()

    def install(self, given: dict[str, Any]) -> dict[str, Any]:
        known = {
            "operation", "kind", "count", "probability", "delayMs", "code", "message", "match", "close", "seed"
        }  # fmt: skip
        if unknown := set(given) - known:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}; accepted: {', '.join(sorted(known))}")
        if given.get("kind") not in KINDS:
            raise ValueError(f"kind {given.get('kind')!r}; accepted: {', '.join(KINDS)}")
        if "." not in given.get("operation", ""):
            raise ValueError(f"operation {given.get('operation')!r}; accepted: service.Operation, such as ecs.RunTask")
        if "seed" in given:
            self._random.seed(given["seed"])
        # A lag is a state of affairs, not an event: it lasts until it is taken away.
        lasting = given["kind"] == "read-lag"
        rule = Rule(
            id=next(self._ids),
            operation=given["operation"],
            kind=given["kind"],
            count=int(given.get("count", -1 if lasting else 1)),
            probability=float(given.get("probability", 1.0)),
            delay=float(given.get("delayMs", 0)) / 1000,
            code=given.get("code"),
            message=given.get("message"),
            match=given.get("match", {}),
            close=bool(given.get("close", False)),
        )
        with self._lock:
            self._rules.append(rule)
        return rule.view()

    def clear(self, rule_id: int | None = None) -> None:
        with self._lock:
            self._rules = [] if rule_id is None else [rule for rule in self._rules if rule.id != rule_id]

    def view(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.view() for rule in self._rules]

    def any(self) -> bool:
        return bool(self._rules)

    def due(self, operation: str, params: dict[str, Any]) -> list[Rule]:
        """The rules that strike this call; each of them counts it as a hit."""
        with self._lock:
            struck = []
            for rule in self._rules:
                if rule.count == 0 or not fnmatch.fnmatchcase(operation, rule.operation):
                    continue
                if not subset(rule.match, params) or self._random.random() >= rule.probability:
                    continue
                if rule.count > 0:
                    rule.count -= 1
                rule.hits += 1
                struck.append(rule)
            return struck
