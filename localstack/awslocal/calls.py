"""AWS requests as they arrive: which service and operation, whose key, with what parameters."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router

CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")


@dataclass
class Call:
    """One AWS request."""

    service: str
    operation: str
    key: str
    body: bytes
    path: str = "/"

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    def params(self) -> dict[str, Any]:
        """The parameters, as far as a fault rule can match them: nested for JSON, flat for forms, text for XML."""
        if self.body[:1] == b"{":
            return self.json
        if self.body[:1] == b"<":
            return {"body": self.body.decode()}
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


def identify(environ: dict[str, Any], body: bytes) -> Call:
    match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, service = (match.group(1), match.group(3)) if match else ("", "")
    target, path = environ.get("HTTP_X_AMZ_TARGET"), environ.get("PATH_INFO", "")
    if target:
        return Call(service, target.rsplit(".", 1)[-1], key, body, path)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = re.search(rb"(?:^|&)Action=(\w+)", body)
        return Call(service, action.group(1).decode() if action else "", key, body, path)
    try:
        operation, _ = get_service_router(service).match(Request(environ))
        return Call(service, operation.name, key, body, path)
    except Exception:
        # Not a service that moto's router knows, or no request of AWS at all: moto gives the answer.
        return Call(service, f"{environ['REQUEST_METHOD']} {path}", key, body, path)
