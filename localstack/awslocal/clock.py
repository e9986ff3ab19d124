"""Timers: the one background thread that takes every life-cycle step, under the world's lock."""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable

TICK = 0.05


class Timer:
    """A step that is due at some time; cancelling it is cheap and may come late."""

    __slots__ = ("cancelled", "step")

    def __init__(self, step: Callable[[], None]) -> None:
        self.step = step
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """A heap of due steps: the cost of a tick follows what is due, not what exists."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = itertools.count()
        self._woken = threading.Event()
        self._drains: list[Callable[[], None]] = []
        self._stopped = False

    def after(self, seconds: float, step: Callable[[], None]) -> Timer:
        """Takes `step` after so many seconds. The caller holds the world's lock."""
        timer = Timer(step)
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._sequence), timer))
        if seconds < TICK:
            self._woken.set()
        return timer

    def every_tick(self, drain: Callable[[], None]) -> None:
        self._drains.append(drain)

    def wake(self) -> None:
        """Lets the next tick come at once, from any thread."""
        self._woken.set()

    def start(self) -> None:
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped:
            pause = TICK
            if self._heap:
                pause = min(TICK, max(0.0, self._heap[0][0] - time.monotonic()))
            self._woken.wait(pause)
            self._woken.clear()
            with self._lock:
                for drain in self._drains:
                    self._take(drain)
                while self._heap and self._heap[0][0] <= time.monotonic():
                    _, _, timer = heapq.heappop(self._heap)
                    if not timer.cancelled:
                        self._take(timer.step)

    @staticmethod
    def _take(step: Callable[[], None]) -> None:
        # One broken step must not stop the world: later steps belong to other tasks.
        try:
            step()
        except Exception:
            traceback.print_exc(file=sys.stderr)
