"""Network namespaces, where there may be any: root only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request

import pytest

from tests.conftest import Local, eventually

NAME = "dormouse-test-probe"


def possible() -> bool:
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        return False
    made = subprocess.run(["ip", "netns", "add", NAME], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", NAME], capture_output=True, check=False)
    return made


pytestmark = pytest.mark.skipif(not possible(), reason="network namespaces need root")


def answers(address: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((address, 9050)) == 0


def test_each_task_has_a_stack_and_its_link_can_be_cut(start) -> None:
    local: Local = start("--network=netns")
    definition = local.define("web", {"name": "app", "image": "dormouse-demo:1", "command": []})
    tasks = [local.reaches(local.run(definition), "RUNNING") for _ in range(2)]
    one, two = (task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in tasks)
    assert one.startswith("10.")
    eventually(lambda: answers(one) and answers(two), "both listen")
    with urllib.request.urlopen(f"http://{one}:9050/") as answer:
        # The task's id comes from the metadata endpoint, through the bridge.
        assert tasks[0]["taskArn"].split("/")[-1] in answer.read().decode()
    local.post(f"tasks/{tasks[0]['taskArn']}/link", {"up": False})
    assert not answers(one) and answers(two)
    local.post(f"tasks/{tasks[0]['taskArn']}/link", {"up": True})
    eventually(lambda: answers(one), "it is back")
    reach = {
        "name": "reach",
        "command": ["python3", "-c", f"import socket; socket.create_connection(('{two}', 9050), 3)"],
    }
    task = local.reaches(local.run(local.define("reach", reach)), "STOPPED")
    assert task["containers"][0]["exitCode"] == 0, local.get(f"logs/{task['taskArn'].split('/')[-1]}/reach")
    local.end()
    assert f"dormouse{one.split('.')[1]}-" not in subprocess.check_output(["ip", "netns", "list"], text=True)
