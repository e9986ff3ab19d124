"""The single-threaded child that forks every task process, so that nothing outlives the server.

Forking here and not in the server is cheap (this process is small), safe (it has one thread), and makes "the server
is gone" visible as an end of file, on which every process group is killed. Should this process itself be killed, the
kernel kills its children (PR_SET_PDEATHSIG).

Requests and answers are JSON, one a line: {"id", "argv", "env", "cwd", "log"} gives {"id", "pid"} or {"id", "errno"};
{"exit", "status"} tells of an end, with the wait status.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1


def spawn(request: dict, prctl) -> tuple[int, int]:
    """Forks and executes; returns (pid, 0) or (0, errno)."""
    reader, writer = os.pipe()  # close-on-exec: end of file means that exec worked
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(request["cwd"])
            os.execvpe(request["argv"][0], request["argv"], request["env"])
        except OSError as problem:
            os.write(writer, str(problem.errno).encode())
        except BaseException:
            os.write(writer, str(errno.EINVAL).encode())
        os._exit(127)
    os.close(writer)
    answer = os.read(reader, 16)
    os.close(reader)
    if answer:
        os.waitpid(pid, 0)
        return 0, int(answer)
    return pid, 0


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def reap(alive: set[int], send) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in alive:
            alive.discard(pid)
            # A container ends with its first process, whatever that one has left behind.
            kill_group(pid)
            send({"exit": pid, "status": status})


def main(channel: int) -> None:
    # Ctrl-C reaches the whole foreground group: only the server decides when tasks end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    wake_reader, wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.set_inheritable(channel, False)
    alive: set[int] = set()
    pending = b""

    def send(message: dict) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(channel, data) :]

    while True:
        readable, _, _ = select.select([channel, wake_reader], [], [])
        if wake_reader in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_reader, 4096)
            reap(alive, send)
        if channel in readable:
            data = os.read(channel, 1 << 16)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid, problem = spawn(request, prctl)
                if pid:
                    alive.add(pid)
                send({"id": request["id"], "pid": pid, "errno": problem})
                reap(alive, send)
    for pid in alive:
        kill_group(pid)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (BrokenPipeError, ConnectionResetError):
        # The server died in the middle of an answer; the children follow by PR_SET_PDEATHSIG.
        sys.exit(0)
