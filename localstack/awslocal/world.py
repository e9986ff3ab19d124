"""The world: configuration, the one lock, and what every service of the local AWS shares."""

from __future__ import annotations

import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslocal.clock import Clock
from awslocal.faults import Faults
from awslocal.images import Images
from awslocal.processes import Processes
from awslocal.stats import Stats

ACCOUNT = "123456789012"


@dataclass
class Config:
    """Everything that the command line sets; delays are in seconds."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 4566
    region: str = "us-east-1"
    images: Path | None = None
    seed: Path | None = None
    iam: Path | None = None
    network: str = "loopback"
    provision_delay: float = 0.2
    pull_delay: float = 0.3
    deprovision_delay: float = 0.1
    launch_delay: float = 0.2
    boot_delay: float = 2.0
    terminate_grace: float = 1.5
    dns_sync_delay: float = 0.5
    stop_timeout: float = 30.0
    stopped_retention: float = 3600.0
    capacity_retry: float = 1.0
    eni_limit: int = 3
    instance_cpu: int = 2048
    instance_memory: int = 4096


class Addresses:
    """Loopback addresses, never given twice until all are used up, never shared with another local AWS."""

    def __init__(self) -> None:
        # Two servers on one machine would give the same address to two proxies, which both listen on port 9060: the
        # second octet is therefore claimed by a name that lives as long as this process.
        for second in range(16, 240):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0dormouse-local-aws-{second}")
            except OSError:
                claim.close()
                continue
            self._claim = claim
            self.second = second
            break
        else:
            raise RuntimeError("no free loopback range: 224 local AWS servers run on this machine")
        self._next = 0
        self._used: set[str] = set()

    def take(self) -> str:
        while True:
            self._next = self._next % 64000 + 1
            address = f"127.{self.second}.{self._next // 250}.{self._next % 250 + 2}"
            if address not in self._used:
                self._used.add(address)
                return address

    def release(self, address: str) -> None:
        self._used.discard(address)


@dataclass
class World:
    """Shared state, touched under `lock` only, but for `faults` and `stats`, which have locks of their own."""

    config: Config
    lock: threading.RLock = field(default_factory=threading.RLock)
    endpoint: str = ""
    ids: dict[str, Any] = field(default_factory=dict)
    # Auto scaling group -> ECS cluster, where the launch template does not say it.
    asg_clusters: dict[str, str] = field(default_factory=dict)
    insufficient_capacity: bool = False
    # Seconds by which the date of every answer is ahead of this machine's clock.
    ahead: float = 0.0
    # The same of Fargate Spot.
    insufficient_spot: bool = False
    # Found out only after the task was accepted.
    insufficient_spot_later: bool = False
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))

    def __post_init__(self) -> None:
        self.config.data.mkdir(parents=True, exist_ok=True)
        self.images = Images(self.config.images)
        self.clock = Clock(self.lock)
        self.processes = Processes(self.clock)
        self.addresses = Addresses()
        self.stats = Stats()
        self.faults = Faults()

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.config.region}:{ACCOUNT}:{resource}"
