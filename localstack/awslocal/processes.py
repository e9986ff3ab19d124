"""Local processes: starting them through the spawner, signalling their groups, hearing of their ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from awslocal.clock import Clock


def exit_code(status: int) -> int:
    """A wait status as container runtimes report it: 128 + the signal's number for a killed process."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class Processes:
    """The server's end of the spawner. Every method but the reader's is called under the world's lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self._answers: queue.Queue[dict] = queue.Queue()
        self._ends: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._on_exit: dict[int, Callable[[int], None]] = {}
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._spawner = subprocess.Popen(
            [sys.executable, "-S", "-E", str(Path(__file__).with_name("spawner.py")), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        threading.Thread(target=self._read, name="spawner-reader", daemon=True).start()
        clock.every_tick(self._drain)

    def start(self, argv: list[str], env: dict[str, str], cwd: Path, log: Path, on_exit: Callable[[int], None]) -> int:
        """Starts a process in a group of its own; `on_exit(code)` comes later, from the clock. Raises OSError."""
        request = {"id": next(self._ids), "argv": argv, "env": env, "cwd": str(cwd), "log": str(log)}
        self._channel.sendall(json.dumps(request).encode() + b"\n")
        answer = self._answers.get(timeout=30)
        if not answer["pid"]:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), argv[0])
        self._on_exit[answer["pid"]] = on_exit
        return answer["pid"]

    def signal(self, pid: int, number: int) -> None:
        """Signals the whole group, as a container runtime's kill would reach what the first process started."""
        if pid in self._on_exit:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)

    def alive(self) -> int:
        return len(self._on_exit)

    def close(self) -> None:
        """Ends every process that was started here, and the spawner."""
        for pid in list(self._on_exit):
            self.signal(pid, signal.SIGKILL)
        self._channel.shutdown(socket.SHUT_RDWR)
        try:
            self._spawner.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._spawner.kill()

    def _read(self) -> None:
        # Takes no lock: `start` waits for an answer while it holds the world's.
        with self._channel.makefile("rb") as lines, contextlib.suppress(OSError, ValueError):
            for line in lines:
                message = json.loads(line)
                if "exit" in message:
                    self._ends.put(message)
                    self._clock.wake()
                else:
                    self._answers.put(message)

    def _drain(self) -> None:
        while not self._ends.empty():
            message = self._ends.get()
            on_exit = self._on_exit.pop(message["exit"], None)
            if on_exit:
                on_exit(exit_code(message["status"]))
