"""The demo's user container."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived

from tests.conftest import ROOT, eventually


def start(program: str, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "LISTEN_ADDRESS": "127.0.0.1", "PORT": str(port), "SERVICE_NAME": "hello", "GREETING": "<Hi>",
           "SHUTDOWN_FILE": str(tmp_path / "shutdown"), "START_DELAY_MS": "50"}  # fmt: skip
    process = subprocess.Popen([sys.executable, str(ROOT / "demo" / program)], env=env, stdout=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens, "the app listens")
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.wait()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    yield from start("app.py", tmp_path)


@pytest.fixture
def h2c(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    yield from start("h2c.py", tmp_path)


def get(url: str, **more: object) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **more), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read()


def test_pages(app: tuple[str, subprocess.Popen], tmp_path: Path) -> None:
    url, process = app
    status, page = get(f"{url}/")
    assert status == 200 and b"hello" in page and b"&lt;Hi&gt;" in page
    told = json.loads(get(f"{url}/echo?a=b", data=b"x=1", method="PUT", headers={"X-Own": "1"})[1])
    assert (told["method"], told["path"], told["body"], told["headers"]["X-Own"]) == ("PUT", "/echo?a=b", "x=1", "1")
    assert len(get(f"{url}/bytes?n=100000")[1]) == 100000
    assert get(f"{url}/slow?ms=20")[0] == 200
    assert get(f"{url}/sse?count=2&ms=1")[1].count(b"data: hello") == 2
    assert get(f"{url}/none")[0] == 404
    get(f"{url}/fail-health")
    assert get(f"{url}/")[0] == 500
    get(f"{url}/fail-health")
    assert get(f"{url}/")[0] == 200
    get(f"{url}/sleep")
    assert (tmp_path / "shutdown").exists()
    get(f"{url}/crash")
    assert process.wait(5) == 1


def test_it_ends_well(app: tuple[str, subprocess.Popen]) -> None:
    app[1].terminate()
    assert app[1].wait(5) == 0


def test_http2(h2c: tuple[str, subprocess.Popen]) -> None:
    host, port = h2c[0].removeprefix("http://").split(":")
    connection = H2Connection()
    connection.initiate_connection()
    for stream in (1, 3):
        head = [(":method", "GET"), (":path", f"/{stream}"), (":scheme", "http"), (":authority", "x")]
        connection.send_headers(stream, head, end_stream=True)
    seen = []
    with socket.create_connection((host, int(port)), 5) as wire:
        wire.sendall(connection.data_to_send())
        while sum(isinstance(event, StreamEnded) for event in seen) < 2:
            data = wire.recv(65536)
            assert data, seen
            seen += connection.receive_data(data)
    said = b"".join(event.data for event in seen if isinstance(event, DataReceived))
    assert said == b"hello answers /1 over HTTP/2\nhello answers /3 over HTTP/2\n"
    assert [event.headers for event in seen if isinstance(event, TrailersReceived)] == [[(b"grpc-status", b"12")]] * 2


def test_websocket_echo(app: tuple[str, subprocess.Popen]) -> None:
    host, port = app[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as wire:
        key = base64.b64encode(b"0123456789abcdef").decode()
        wire.sendall(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = wire.makefile("rb")
        assert b"101" in stream.readline()
        while stream.readline().strip():
            pass
        mask = b"\1\2\3\4"
        text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(b"hello"))
        wire.sendall(b"\x81\x85" + mask + text)
        assert stream.read(7) == b"\x81\x05hello"
        wire.sendall(b"\x88\x80" + mask)
        assert stream.read(2) == b"\x88\x00"


def test_many_connections_at_once(app: tuple[str, subprocess.Popen]) -> None:
    host, port = app[0].removeprefix("http://").split(":")
    wires = [socket.create_connection((host, int(port)), 5) for _ in range(300)]
    for wire in wires:
        wire.sendall(b"GET /bytes?n=2 HTTP/1.1\r\nHost: x\r\n\r\n")
    for wire in wires:
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        wire.close()
