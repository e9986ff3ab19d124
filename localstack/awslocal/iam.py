"""IAM at the level of actions: which access key may call what. Off unless a policy file is given."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

from awslocal.errors import AwsError, denied
from awslocal.world import ACCOUNT

# The prefix of a service's actions, where it is not the name with which requests are signed.
PREFIXES = {"monitoring": "cloudwatch"}


class Policies:
    """Access key -> actions, as lists of patterns or as IAM policy documents."""

    def __init__(self, path: Path | None) -> None:
        self._on = path is not None
        keys: dict[str, Any] = json.loads(path.read_text()) if path else {}
        self._rules = {key: _rules(value) for key, value in keys.items()}

    def check(self, key: str, service: str, operation: str) -> AwsError | None:
        """The refusal of this call; None when it is allowed. Keys without an entry may do everything."""
        if not self._on or key not in self._rules:
            return None
        action = f"{PREFIXES.get(service, service)}:{operation}"
        allowed, refused = self._rules[key]
        if _matches(action, refused):
            why = "with an explicit deny in an identity-based policy"
        elif _matches(action, allowed):
            return None
        else:
            why = f"because no identity-based policy allows the {action} action"
        user = f"arn:aws:iam::{ACCOUNT}:user/{key}"
        return denied(service, f"User: {user} is not authorized to perform: {action} on resource: * {why}")


def _matches(action: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _rules(value: Any) -> tuple[list[str], list[str]]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value, []
    allowed: list[str] = []
    refused: list[str] = []
    for document in value if isinstance(value, list) else [value]:
        statements = document.get("Statement", [])
        for statement in statements if isinstance(statements, list) else [statements]:
            actions = statement.get("Action", [])
            (allowed if statement["Effect"] == "Allow" else refused).extend(
                [actions] if isinstance(actions, str) else actions
            )
    return allowed, refused
