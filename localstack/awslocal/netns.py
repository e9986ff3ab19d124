"""Network namespaces (root only): each task has a stack of its own behind a bridge, and its link can be cut."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

from awslocal.network import Loopback
from awslocal.tasks import Task


def ip(*commands: str) -> None:
    """Runs several `ip` commands in one process."""
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, capture_output=True, check=False)
    if done.returncode:
        raise OSError(done.returncode, f"ip: {done.stderr.strip()}", " && ".join(commands))


class Namespaces(Loopback):
    """Tasks have addresses in 10.N/16, where N is the octet that this server has claimed; the host is 10.N.0.1."""

    def __init__(self, world: Any, ec2: Any) -> None:
        super().__init__(world, ec2)
        if os.geteuid() != 0:
            raise ValueError("--network netns needs root")
        self.second = world.addresses.second
        self.bridge = f"dormouse{self.second}"
        self.gateway = f"10.{self.second}.0.1"
        self._clean()
        ip(
            f"link add {self.bridge} type bridge",
            f"addr add {self.gateway}/16 dev {self.bridge}",
            f"link set {self.bridge} up",
        )

    def _clean(self) -> None:
        # The octet is ours alone: what has it in its name was left behind by a server that was killed.
        listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=False).stdout
        for line in listed.splitlines():
            if line.startswith(f"dormouse{self.second}-"):
                with contextlib.suppress(OSError):
                    ip(f"netns del {line.split()[0]}")
        with contextlib.suppress(OSError):
            ip(f"link del {self.bridge}")

    def _name(self, task: Task) -> str:
        return f"dormouse{self.second}-{task.number}"

    def _link_name(self, task: Task) -> str:
        # The kernel allows 15 characters.
        return f"dm{self.second}v{task.number}"

    def attach(self, task: Task, configuration: dict[str, Any]) -> None:
        super().attach(task, configuration)
        name, link = self._name(task), self._link_name(task)
        ip(f"netns add {name}", f"link add {link} type veth peer name eth0 netns {name}",
           f"link set {link} master {self.bridge} up")  # fmt: skip
        subprocess.run(
            ["ip", "-n", name, "-batch", "-"], check=True, capture_output=True, text=True,
            input=f"addr add {task.address}/16 dev eth0\nlink set eth0 up\nlink set lo up\n"
            f"route add default via {self.gateway}\n",
        )  # fmt: skip

    def take_address(self) -> str:
        return "10." + self.world.addresses.take().split(".", 1)[1]

    def give_address(self, address: str) -> None:
        self.world.addresses.release("127." + address.split(".", 1)[1])

    def listen_address(self, task: Task) -> str:
        # As in a real task: its own loopback and its address are one stack.
        return "0.0.0.0"

    def argv(self, task: Task, argv: list[str]) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._name(task)}", *argv] if task.address else argv

    def endpoint(self, task: Task) -> str:
        port = self.world.endpoint.rsplit(":", 1)[-1]
        return f"http://{self.gateway}:{port}" if task.address else self.world.endpoint

    def link(self, task: Task, up: bool) -> None:
        """Cuts the task off, or joins it again, without a word to its processes."""
        ip(f"link set {self._link_name(task)} {'up' if up else 'down'}")

    def release(self, task: Task) -> None:
        if task.eni is not None:
            with contextlib.suppress(OSError):
                ip(f"netns del {self._name(task)}")
        super().release(task)

    def close(self) -> None:
        self._clean()
