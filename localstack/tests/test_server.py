"""Starting, seeding and ending: nothing may outlive the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from awslocal.images import Images
from tests.conftest import ROOT, Local, eventually


def pids(local: Local) -> list[int]:
    tasks = local.get("tasks?live=1")["tasks"]
    return [one["pid"] for task in tasks for one in task["containers"] if one["pid"]]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def running(local: Local) -> list[int]:
    definition = local.define("left", {"name": "main", "command": ["sh", "-c", "trap '' TERM; sleep 600 & wait"]})
    local.reaches(local.run(definition), "RUNNING")
    local.reaches(local.run(local.define("other")), "RUNNING")
    known = pids(local)
    assert len(known) == 2
    return known


def test_the_end_ends_everything(start) -> None:
    local = start()
    known = running(local)
    local.process.terminate()
    assert local.process.wait(10) == 0
    eventually(lambda: not any(alive(pid) for pid in known), "all processes are gone")


def test_even_a_kill_ends_everything(start) -> None:
    local = start()
    known = running(local)
    local.process.kill()
    eventually(lambda: not any(alive(pid) for pid in known), "all processes are gone")


def test_dying_with_the_parent(start, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "awslocal", "serve", "--port=0", f"--ready-file={ready}", "--die-with-parent",
               f"--data={tmp_path / 'data'}"]  # fmt: skip
    script = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", script, *command], cwd=ROOT)
    eventually(ready.exists, "the server is up", 30)
    pid = int(__import__("json").loads(ready.read_text())["pid"])
    parent.kill()
    parent.wait()
    eventually(lambda: not alive(pid), "the server is gone")


def test_two_servers_share_no_address(start) -> None:
    one, two = start(), start()
    first, second = ({task["address"] for task in [_run(local)]} for local in (one, two))
    assert not first & second


def _run(local: Local) -> dict:
    return local.get(f"tasks/{local.run(local.define('x'))['taskArn']}")


def test_a_seed_of_its_own(start) -> None:
    container = {"name": "main", "image": "exec:1", "memory": 64}
    local = start(seed={
        "domain": "dormouse.test",
        "proxyCluster": "all",
        "serviceCluster": "all",
        "asg": {"name": "hosts", "min": 1, "max": 2, "desired": 1},
        "records": [{"name": "mine.dormouse.test", "type": "A", "values": ["127.9.9.9"]}],
        "taskDefinitions": [{"family": "seeded", "containerDefinitions": [container]}],
    })  # fmt: skip
    assert local.world["clusters"] == ["all"]
    assert local.env["SERVICE_ASG_NAME"] == "hosts"
    assert "PRIVATE_HOSTED_ZONE_ID" not in local.env
    records = local.get("records")["zones"][0]["records"]
    assert [one["Name"] for one in records if one["Type"] == "A"] == ["mine.dormouse.test."]
    eventually(lambda: local.client("ecs").list_container_instances(cluster="all")["containerInstanceArns"], "it joins")
    assert local.client("ecs").list_task_definitions()["taskDefinitionArns"]


def test_wrong_options_are_told(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text('{"domian": "x"}')
    images = tmp_path / "images.json"
    images.write_text('[{"image": "x", "command": ["${SURELY_NOT_SET}"]}]')
    for option, words in ((f"--seed={seed}", "domian"), (f"--images={images}", "SURELY_NOT_SET")):
        done = subprocess.run(
            [sys.executable, "-m", "awslocal", "serve", "--port=0", f"--data={tmp_path}", option],
            cwd=ROOT, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_the_images_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DORMOUSE_BIN", raising=False)
    images = Images(ROOT / "images.json")
    assert images.find("dormouse-proxy:dev").command == [f"{ROOT}/../target/release/dormouse-proxy"]
    assert images.find("public.ecr.aws/nginx/nginx:1.27").argv([], ["nginx"])[1:] == [f"{ROOT}/demo/app.py", "nginx"]
    assert images.find("dormouse-demo:1").command == [sys.executable, str(ROOT / "demo" / "app.py")]
    assert images.find("elsewhere:1") is None
    monkeypatch.setenv("DORMOUSE_BIN", "/bin")
    image = Images(ROOT / "images.json").find("dormouse-service:1")
    assert image.health_argv(["CMD", "/dormouse-service", "healthcheck"]) == ["/bin/dormouse-service", "healthcheck"]


def test_callers_are_told_apart(local: Local) -> None:
    local.client("ecs", "AKIALOCALDORMOUSE001").list_clusters()
    local.client("ecs", "AKIALOCALDORMOUSE002").list_clusters()
    callers = local.get("stats")["callers"]
    assert callers["AKIALOCALDORMOUSE001"] == callers["AKIALOCALDORMOUSE002"] == {"ecs.ListClusters": 1}
    assert os.getpid() not in pids(local)
