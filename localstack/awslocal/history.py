"""Views with a past, so that a read can be answered with the state of some time ago."""

from __future__ import annotations

import time
from typing import Any

KEPT_SECONDS = 60.0


class History:
    """The last value of something and those it had before, for a while."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[float, Any]] = []

    def put(self, value: Any, since: float | None = None) -> None:
        now = time.monotonic() if since is None else since
        entries = self._entries
        entries.append((now, value))
        # The newest entry older than the window is still the state at the window's start: keep it.
        while len(entries) > 1 and entries[1][0] < now - KEPT_SECONDS:
            entries.pop(0)

    def at(self, lag: float) -> Any | None:
        """The value `lag` seconds ago; None when there was none yet."""
        if not self._entries:
            return None
        if lag <= 0:
            return self._entries[-1][1]
        moment = time.monotonic() - lag
        for since, value in reversed(self._entries):
            if since <= moment:
                return value
        return None

    def oldest(self) -> Any:
        return self._entries[0][1]
