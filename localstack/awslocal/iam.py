"""IAM: who may do what. Off for everybody who has no policy here.

Callers are access keys. What AWS itself does under a role (an instance's agent, the start of a task) is checked against
the policies of that role, if the account has it.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from moto.iam import iam_backends

from awslocal.authorization import Ask, asks
from awslocal.calls import Call
from awslocal.errors import AwsError, denied
from awslocal.world import ACCOUNT, World


class Policies:
    """Access key -> actions, as lists of patterns, as policy documents, or as a role's."""

    def __init__(self, world: World) -> None:
        self.world = world
        path: Path | None = world.config.iam
        self._keys: dict[str, Any] = json.loads(path.read_text()) if path else {}
        self._lock = threading.Lock()
        self._used: dict[str, Counter[str]] = {}

    def put(self, key: str, given: Any) -> None:
        """Gives a key a policy: a list of actions, a document, several, or {"role": ARN}."""
        documents(given) if not _is_role(given) else self._of_role(given["role"])
        self._keys[key] = given

    def view(self) -> dict[str, Any]:
        """The actions that were allowed, and how often, for each key or role that has a policy."""
        with self._lock:
            return {"used": {who: dict(actions) for who, actions in self._used.items()}}

    def check(self, call: Call) -> AwsError | None:
        """The refusal of this call; None when it is allowed. Keys without an entry may do everything."""
        given = self._keys.get(call.key)
        if given is None:
            return None
        if _is_role(given):
            return self._decide(given["role"], self._of_role(given["role"]) or [], asks(call, self.world), call.service)
        return self._decide(call.key, documents(given), asks(call, self.world), call.service)

    def act(self, role: str | None, *wanted: Ask) -> str | None:
        """What AWS does under a role: why it may not, in AWS's words. A role that is not there may do everything."""
        policies = self._of_role(role) if role else None
        if policies is None:
            return None
        refused = self._decide(role, policies, list(wanted), "ecs")
        return str(refused.message) if refused else None

    def _of_role(self, arn: str) -> list[dict[str, Any]] | None:
        for role in iam_backends[ACCOUNT]["aws"].roles.values():
            if role.arn == arn:
                return [json.loads(one) if isinstance(one, str) else one for one in role.policies.values()]
        return None

    def _decide(self, who: str, policies: list[dict[str, Any]], wanted: list[Ask], service: str) -> AwsError | None:
        for ask in wanted:
            for resource in ask.resources or ["*"]:
                why = refusal(policies, ask, None if ask.resources is None else resource)
                if why:
                    name = who if who.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:user/{who}"
                    return denied(
                        service,
                        f"User: {name} is not authorized to perform: {ask.action} on resource: {resource} {why}",
                    )
        with self._lock:
            self._used.setdefault(who, Counter()).update(ask.action for ask in wanted)
        return None


def _is_role(given: Any) -> bool:
    return isinstance(given, dict) and "role" in given


def documents(given: Any) -> list[dict[str, Any]]:
    """Policies in one shape: a list of actions allows them for everything."""
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return [{"Statement": [{"Effect": "Allow", "Action": given, "Resource": "*"}]}]
    found = given if isinstance(given, list) else [given]
    for statement in (one for document in found for one in _list(document["Statement"])):
        if "NotAction" in statement or "NotResource" in statement:
            raise ValueError("policies: NotAction and NotResource are not understood here")
        for operator in statement.get("Condition", {}):
            _operator(operator)
    return found


def refusal(policies: list[dict[str, Any]], ask: Ask, resource: str | None) -> str | None:
    """Why an action is not allowed for a resource; None when it is."""
    allowed = False
    for statement in (one for document in policies for one in _list(document["Statement"])):
        if not any(_like(ask.action.lower(), one.lower()) for one in _list(statement["Action"])):
            continue
        patterns = _list(statement.get("Resource", "*"))
        if resource is not None and not any(_like(resource, one) for one in patterns):
            continue
        if resource is not None and not _meets(statement.get("Condition", {}), ask.context):
            continue
        if statement["Effect"] == "Deny":
            return "with an explicit deny in an identity-based policy"
        allowed = True
    return None if allowed else f"because no identity-based policy allows the {ask.action} action"


def _meets(conditions: dict[str, dict[str, Any]], context: dict[str, list[str]]) -> bool:
    for operator, keys in conditions.items():
        for_all, pattern = _operator(operator)
        for key, wanted in keys.items():
            values = context.get(key)
            if not values:
                # Nothing is in every set; of one value that is not there nothing is true.
                if for_all:
                    continue
                return False
            same = (lambda value, one: _like(value, one)) if pattern else (lambda value, one: value == one)
            if not all(any(same(value, one) for one in _list(wanted)) for value in values):
                return False
    return True


def _operator(name: str) -> tuple[bool, bool]:
    """Whether it is for all values of a set, and whether it takes patterns."""
    for_all = name.startswith("ForAllValues:")
    match name.removeprefix("ForAllValues:"):
        case "StringEquals":
            return for_all, False
        case "StringLike" | "ArnEquals" | "ArnLike":
            # The two for ARNs are the same.
            return for_all, True
    raise ValueError(f"policies: the condition operator {name!r} is not understood here")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in text), re.DOTALL)


def _like(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None
