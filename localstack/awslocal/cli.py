"""The command line: `python -m awslocal serve`."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

DELAYS = {
    "provision-delay": ("200ms", "PROVISIONING of a task"),
    "pull-delay": ("300ms", "PENDING of a task: pulling its images"),
    "deprovision-delay": ("100ms", "DEPROVISIONING of a task"),
    "launch-delay": ("200ms", "an instance from Pending to InService"),
    "boot-delay": ("2s", "an instance from its launch to its joining of the cluster"),
    "terminate-grace": ("1500ms", "what tasks get between SIGTERM and SIGKILL when their host terminates"),
    "dns-sync-delay": ("500ms", "a Route 53 change from PENDING to INSYNC"),
    "stop-timeout": ("30s", "SIGTERM to SIGKILL, for containers without a stopTimeout"),
    "stopped-retention": ("1h", "how long stopped tasks stay visible"),
    "capacity-retry": ("1s", "between two launches that lack capacity"),
}
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * UNITS[unit]
    return float(text)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="awslocal", description="A process-backed local AWS.")
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help="run the server")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=4566, help="0 picks a free one (see --ready-file)")
    serve.add_argument("--region", default="us-east-1")
    serve.add_argument("--images", type=Path, help="the map from images to commands (JSON)")
    serve.add_argument("--seed", type=Path, help="the resources at the start (JSON)")
    serve.add_argument("--data", type=Path, help="directory of logs and of the tasks' files (default: a new one)")
    serve.add_argument("--iam", type=Path, help="access key -> allowed actions (JSON); off when absent")
    serve.add_argument("--ready-file", type=Path, help="written once all is up: {endpoint, pid}")
    serve.add_argument("--die-with-parent", action="store_true", help="end when the process that started this ends")
    serve.add_argument("--network", choices=("loopback", "netns"), default="loopback")
    serve.add_argument("--eni-limit", type=int, default=3, help="awsvpc tasks for each instance (default: 3)")
    serve.add_argument("--instance-cpu", type=int, default=2048)
    serve.add_argument("--instance-memory", type=int, default=4096)
    for name, (value, what) in DELAYS.items():
        serve.add_argument(f"--{name}", type=duration, default=duration(value), help=f"{what} (default: {value})")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    given = vars(arguments(argv))
    given.pop("command")
    ready_file, watched = given.pop("ready_file"), given.pop("die_with_parent")
    given["data"] = (given["data"] or Path(tempfile.mkdtemp(prefix="awslocal-"))).absolute()
    parent = os.getppid()
    # Moto reads these when it is imported; without them it loads lists that nobody here asks for.
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    os.environ.setdefault("AWS_DEFAULT_REGION", given["region"])
    try:
        serve(given, ready_file, parent if watched else None)
    except (ValueError, OSError) as problem:
        sys.exit(f"awslocal: {problem}")


def serve(given: dict[str, Any], ready_file: Path | None, parent: int | None) -> None:
    # Moto's import makes millions of objects that stay: collecting among them costs a third of the start.
    gc.disable()
    from awslocal.seed import plant
    from awslocal.server import Server
    from awslocal.services import Services
    from awslocal.world import Config, World

    gc.freeze()
    gc.enable()

    world = World(Config(**given))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    services = None
    try:
        services = Services(world)
        server = Server(world, services)
        plant(world, services)
        world.clock.start()
        threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
        if ready_file:
            # Whoever waits for the file must never read half of it.
            draft = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
            draft.write_text(json.dumps({"endpoint": world.endpoint, "pid": os.getpid()}) + "\n")
            draft.replace(ready_file)
        print(f"local AWS on {world.endpoint} (data in {world.config.data})", file=sys.stderr, flush=True)
        # Not PR_SET_PDEATHSIG: that one follows the thread that started this process, and test runners end theirs.
        while not ended.wait(0.1 if parent else None):
            if os.getppid() != parent:
                break
    finally:
        world.clock.stop()
        world.processes.close()
        if services:
            services.ecs.network.close()
    os._exit(0)
