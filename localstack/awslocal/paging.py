"""Pages of ARNs with opaque tokens."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from awslocal.errors import AwsError


def page(arns: list[str], params: dict[str, Any], name: str) -> dict[str, Any]:
    """At most maxResults (100) of `arns`, after the one that the token names."""
    most = params.get("maxResults") or 100
    if not 1 <= most <= 100:
        raise AwsError("InvalidParameterException", "Max results must be between 1 and 100.")
    start = 0
    if params.get("nextToken"):
        try:
            position, _, last = base64.b64decode(params["nextToken"], validate=True).decode().partition(" ")
            # The last ARN of the page before may be gone by now: its place in the list then has to do.
            start = arns.index(last) + 1 if last in arns else int(position)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise AwsError("InvalidParameterException", "Invalid token.") from None
    chosen = arns[start : start + most]
    answer: dict[str, Any] = {name: chosen}
    if start + most < len(arns):
        answer["nextToken"] = base64.b64encode(f"{start + most} {chosen[-1]}".encode()).decode()
    return answer
