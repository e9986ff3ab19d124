"""The demo: a local AWS, the controller, the examples, and a line to try. Ctrl-C ends every process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCALSTACK = HERE.parent
ROOT = LOCALSTACK.parent
BIN = Path(os.environ.get("DORMOUSE_BIN", ROOT / "target" / "debug"))
EXAMPLES = ROOT / "manifests" / "examples"
API = "http://127.0.0.1:9070"
ACTIVATOR = "127.0.0.1:9060"
DEADLINE = 60.0
# Windows in which these are kept awake would wake them by themselves: the demo is to be quiet until somebody asks.
LEFT_OUT = {"full.yaml", "office-hours.yaml"}

SETTINGS = {
    "PROXY_IMAGE": "dormouse-proxy:dev",
    "SERVICE_SIDECAR_IMAGE": "dormouse-service:dev",
    # Nothing is under this role here; on AWS, Fargate writes lines under it.
    "TASK_EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/dormouse-tasks",
    "DORMOUSE_SECRET": "a secret of the demo, good for nothing else",
    "DORMOUSE_API_LISTEN": "127.0.0.1:9070",
    "DORMOUSE_ACTIVATOR_LISTEN": ACTIVATOR,
    "DORMOUSE_CONTROLLER_URL": API,
    "DORMOUSE_PUBLIC_IP": "127.0.0.1",
    # Short, so that the whole life of a service is seen in a minute.
    "DORMOUSE_DNS_TTL": "2s",
    "DORMOUSE_SCALE_IN_DELAY": "5s",
    "DORMOUSE_DRAIN_WAIT": "3s",
    "DORMOUSE_LOG": os.environ.get("DORMOUSE_LOG", "info"),
    "DORMOUSE_LOG_FORMAT": "text",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def wait_for(what: str, condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        if process.poll() is not None:
            raise SystemExit(f"{what} ended with {process.returncode}")
        if time.monotonic() > end:
            raise SystemExit(f"{what} is not up after {DEADLINE:.0f} s")
        time.sleep(0.05)


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


def start_aws(work: Path) -> subprocess.Popen:
    ready = work / "ready.json"
    command = [sys.executable, "-m", "awslocal", "serve", "--port", "0", "--die-with-parent"]
    command += ["--images", str(HERE / "images.json"), "--seed", str(HERE / "seed.json")]
    command += ["--data", str(work / "aws"), "--ready-file", str(ready)]
    environment = os.environ | {"PYTHONPATH": str(LOCALSTACK), "DORMOUSE_BIN": str(BIN)}
    with (work / "aws.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    wait_for("the local AWS", lambda: ready.exists() and ready.stat().st_size > 0, process)
    return process


def start_controller(work: Path) -> subprocess.Popen:
    if is_up(API + "/healthz"):
        raise SystemExit(f"another controller answers at {API}: end it first")
    endpoint = json.loads((work / "ready.json").read_text())["endpoint"]
    with urllib.request.urlopen(endpoint + "/_local/world") as answer:
        world = json.load(answer)
    environment = os.environ | world["env"] | SETTINGS | {"DORMOUSE_LOG_GROUP": world["logGroup"]}
    # A session of its own: Ctrl-C reaches it through us, once, in order.
    process = subprocess.Popen([str(BIN / "dormouse"), "controller"], env=environment, start_new_session=True)
    wait_for("the controller", lambda: is_up(API + "/readyz"), process)
    return process


def apply() -> None:
    files = [str(file) for file in sorted(EXAMPLES.glob("*.yaml")) if file.name not in LEFT_OUT]
    command = [str(BIN / "dormouse"), "apply", *[word for file in files for word in ("-f", file)]]
    if subprocess.run(command, env=os.environ | {"DORMOUSE_SERVER": API}).returncode != 0:
        raise SystemExit("the examples could not be applied")


def stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    # Also where a shell started us with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory(prefix="dormouse-demo-") as directory:
        work = Path(directory)
        try:
            running.append(start_aws(work))
            running.append(start_controller(work))
            apply()
            say("")
            say("  Everything sleeps: no task, no instance. Wake it with a request, in another terminal:")
            say("")
            say("      curl http://hello.localhost:9060/")
            say("")
            say(f"  Dashboard: {API}/     Below: what the controller does. Ctrl-C ends it all.")
            say("")
            return running[-1].wait()
        except KeyboardInterrupt:
            say("\nending every process")
            return 0
        finally:
            for process in reversed(running):
                stop(process)


if __name__ == "__main__":
    sys.exit(main())
