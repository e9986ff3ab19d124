"""A server on a free port with tiny delays, and what tests say about it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
DELAYS = [
    "--provision-delay=20ms",
    "--pull-delay=20ms",
    "--deprovision-delay=20ms",
    "--launch-delay=20ms",
    "--boot-delay=60ms",
    "--terminate-grace=200ms",
    "--dns-sync-delay=100ms",
    "--capacity-retry=50ms",
    "--stop-timeout=2s",
]
IMAGES = [
    {"image": "exec:*", "kind": "exec"},
    {"image": "sleeper:*", "command": ["/bin/sleep"], "healthcheck": ["/bin/true"]},
]


def eventually(check: Callable[[], Any], what: str = "", seconds: float = 10.0) -> Any:
    """Waits until `check` gives something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or check}")
        time.sleep(0.01)


class Local:
    """A running local AWS."""

    def __init__(self, directory: Path, options: list[str], seed: dict[str, Any] | None = None) -> None:
        images = directory / "images.json"
        images.write_text(json.dumps({"images": IMAGES}))
        seed_file = directory / "seed.json"
        seed_file.write_text(json.dumps(seed or {"domain": "example.com", "privateDomain": "internal"}))
        ready = directory / "ready.json"
        self.data = directory / "data"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslocal", "serve", "--port=0", f"--ready-file={ready}", f"--images={images}",
             f"--seed={seed_file}", f"--data={self.data}", "--die-with-parent", *DELAYS, *options],
            cwd=ROOT,
        )  # fmt: skip
        eventually(lambda: ready.exists() or self.process.poll() is not None, "the server is up", 30)
        self.endpoint = json.loads(ready.read_text())["endpoint"]
        self.world = self.get("world")
        self.env = self.world["env"]
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, key: str | None = None) -> Any:
        key = key or self.env["AWS_ACCESS_KEY_ID"]
        if (service, key) not in self._clients:
            self._clients[service, key] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.env["AWS_REGION"],
                aws_access_key_id=key,
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50),
            )
        return self._clients[service, key]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, {} if body is None else body)

    def network(self, **more: Any) -> dict[str, Any]:
        groups = [self.world["securityGroup"]]
        return {"awsvpcConfiguration": {"subnets": self.world["subnets"][:1], "securityGroups": groups, **more}}

    def define(self, family: str, *containers: dict[str, Any], **more: Any) -> str:
        defaults = {"image": "exec:1", "command": ["sleep", "600"], "essential": True, "memory": 64}
        definition = {
            "family": family,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE", "EC2"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [{**defaults, **one} for one in containers or ({"name": "main"},)],
            **more,
        }
        answer = self.client("ecs").register_task_definition(**definition)
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, **more: Any) -> dict[str, Any]:
        given = {
            "cluster": "dormouse-proxy",
            "launchType": "FARGATE",
            "networkConfiguration": self.network(),
            "taskDefinition": definition,
            **more,
        }
        answer = self.client("ecs").run_task(**given)
        assert not answer["failures"], answer["failures"]
        return answer["tasks"][0]

    def describe(self, task: dict[str, Any] | str) -> dict[str, Any]:
        arn = task if isinstance(task, str) else task["taskArn"]
        answer = self.client("ecs").describe_tasks(cluster=arn.split("/")[1], tasks=[arn])
        assert answer["tasks"], answer
        return answer["tasks"][0]

    def reaches(self, task: dict[str, Any], status: str) -> dict[str, Any]:
        def check() -> dict[str, Any] | None:
            seen = self.describe(task)
            return seen if seen["lastStatus"] == status else None

        return eventually(check, f"the task is {status}")

    def capacity(self, count: int, cluster: str = "dormouse-service") -> list[dict[str, Any]]:
        """Lets the group have so many instances, and waits until they have joined."""
        self.client("autoscaling").set_desired_capacity(AutoScalingGroupName=self.world["asg"], DesiredCapacity=count)

        def joined() -> list[dict[str, Any]] | None:
            instances = self.get("instances")["instances"]
            ready = [one for one in instances if one["containerInstance"] and one["lifecycleState"] == "InService"]
            return ready if len(instances) == len(ready) == count else None

        if count == 0:
            eventually(lambda: not self.get("instances")["instances"], "no instance is left")
            return []
        return eventually(joined, f"{count} instances have joined")

    def tidy(self) -> None:
        """Ends everything that a test has left."""
        self.call("DELETE", "faults")
        self.post("capacity", {"insufficient": False})
        asg = self.client("autoscaling")
        asg.update_auto_scaling_group(AutoScalingGroupName=self.world["asg"], MinSize=0, MaxSize=10, DesiredCapacity=0)
        for one in self.get("instances")["instances"]:
            if one["lifecycleState"] != "Terminating":
                self.post(f"instances/{one['instance']}/fail")
        for task in self.get("tasks?live=1")["tasks"]:
            self.client("ecs").stop_task(cluster=task["cluster"], task=task["arn"])
            if any(one["pid"] for one in task["containers"]):
                self.signal(task["arn"], "SIGKILL")
        eventually(lambda: not self.get("tasks?live=1")["tasks"], "all tasks have stopped")
        eventually(lambda: not self.get("instances")["instances"], "all instances are gone")
        self.post("stats/reset")

    def signal(self, arn: str, name: str, container: str | None = None) -> None:
        body = {"signal": name} if container is None else {"signal": name, "container": container}
        try:
            self.post(f"tasks/{arn}/signal", body)
        except urllib.error.HTTPError as problem:
            assert problem.code == 404, problem

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    server = Local(tmp_path_factory.mktemp("local"), [])
    yield server
    server.end()


@pytest.fixture
def local(shared: Local) -> Iterator[Local]:
    """The shared server, with nothing running before and after."""
    yield shared
    shared.tidy()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Local]]:
    """Starts servers with options of their own."""
    servers: list[Local] = []

    def another(*options: str, seed: dict[str, Any] | None = None) -> Local:
        directory = tmp_path / str(len(servers))
        directory.mkdir()
        servers.append(Local(directory, list(options), seed))
        return servers[-1]

    yield another
    for server in servers:
        server.end()
