"""The demo's user container: a small threaded HTTP server that says who answered. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SERVICE = os.environ.get("SERVICE_NAME", "demo")
GREETING = os.environ.get("GREETING", "Good morning.")
STARTED = time.time()
unhealthy = threading.Event()

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{service}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
  :root {{ color-scheme: light dark; --ink:#2b2418; --paper:#f6f1e7; --mark:#a4702b; }}
  @media (prefers-color-scheme: dark) {{ :root {{ --ink:#efe6d6; --paper:#1d1a15; --mark:#dba45c; }} }}
  body {{ margin:0; min-height:100vh; display:grid; place-items:center; background:var(--paper); color:var(--ink);
         font:17px/1.6 Georgia,"Times New Roman",serif; }}
  main {{ padding:2rem; max-width:34rem; }}
  h1 {{ font-size:2.6rem; line-height:1.1; margin:0 0 .4rem; }}
  p {{ margin:.2rem 0 1.2rem; }}
  dl {{ display:grid; grid-template-columns:auto 1fr; gap:.2rem 1.2rem; margin:0; border-top:2px solid var(--mark);
       padding-top:1rem; font:14px/1.6 ui-monospace,monospace; }}
  dt {{ color:var(--mark); }} dd {{ margin:0; overflow-wrap:anywhere; }}
</style></head>
<body><main><h1>{service}</h1><p>{greeting}</p>
<dl><dt>task</dt><dd>{task}</dd><dt>address</dt><dd>{address}</dd><dt>awake for</dt><dd>{age} s</dd></dl>
</main></body></html>
"""


def task_id() -> str:
    """The task's id, from the metadata endpoint that ECS gives; the process id where there is none."""
    uri = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if uri:
        try:
            with urllib.request.urlopen(f"{uri}/task", timeout=2) as answer:
                return json.load(answer)["TaskARN"].rsplit("/", 1)[-1]
        except (OSError, ValueError, KeyError):
            pass
    return f"process {os.getpid()}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    task = ""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Served-By", f"{SERVICE} {self.task}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return content
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def route(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
            return
        body = self.body()
        match url.path:
            case "/echo":
                self.echo(body)
            case "/slow":
                time.sleep(float(query.get("ms", 1000)) / 1000)
                self.answer(200, b"slow\n")
            case "/sse":
                self.events(int(query.get("count", 5)), float(query.get("ms", 200)) / 1000)
            case "/bytes":
                self.answer(200, b"x" * int(query.get("n", 1024)), "application/octet-stream")
            case "/crash":
                self.answer(200, b"crashing\n")
                os._exit(1)
            case "/sleep":
                with open(os.environ.get("SHUTDOWN_FILE", "/tmp/shutdown"), "w"):
                    self.answer(200, b"asked to sleep\n")
            case "/fail-health":
                unhealthy.clear() if unhealthy.is_set() else unhealthy.set()
                self.answer(200, b"failing\n" if unhealthy.is_set() else b"well\n")
            case "/" | "/health":
                self.home()
            case _:
                self.answer(404, b"not found\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = route

    def home(self) -> None:
        if unhealthy.is_set():
            self.answer(500, b"failing\n")
            return
        words = {
            "service": SERVICE,
            "greeting": GREETING,
            "task": self.task,
            "address": ":".join(str(part) for part in self.server.server_address[:2]),
            "age": f"{time.time() - STARTED:.1f}",
        }
        page = PAGE.format(**{name: html.escape(word) for name, word in words.items()})
        self.answer(200, page.encode(), "text/html; charset=utf-8")

    def echo(self, body: bytes) -> None:
        told = {
            "service": SERVICE,
            "task": self.task,
            "method": self.command,
            "path": self.path,
            "client": self.client_address[0],
            "headers": dict(self.headers.items()),
            "body": body.decode("utf-8", "replace"),
        }
        self.answer(200, json.dumps(told, indent=1).encode() + b"\n", "application/json")

    def events(self, count: int, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count):
            self.wfile.write(f"id: {number}\ndata: {SERVICE} {number}\n\n".encode())
            self.wfile.flush()
            time.sleep(pause)
        self.close_connection = True

    def websocket(self) -> None:
        """RFC 6455, as far as an echo needs it: unfragmented text and binary frames, ping, close."""
        key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while head := self.rfile.read(2):
            opcode, size = head[0] & 15, head[1] & 127
            if size == 126:
                (size,) = struct.unpack(">H", self.rfile.read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self.rfile.read(8))
            mask = self.rfile.read(4) if head[1] & 128 else b"\0\0\0\0"
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(size)))
            self.frame(10 if opcode == 9 else opcode, data)
            if opcode == 8:
                return

    def frame(self, opcode: int, data: bytes) -> None:
        if len(data) < 126:
            head = struct.pack(">BB", 128 | opcode, len(data))
        elif len(data) < 65536:
            head = struct.pack(">BBH", 128 | opcode, 126, len(data))
        else:
            head = struct.pack(">BBQ", 128 | opcode, 127, len(data))
        self.wfile.write(head + data)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """A thread for each connection, and room for many that come at once."""

    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self) -> None:
        # The base class would ask DNS for this host's name, which costs seconds where nobody answers.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    time.sleep(float(os.environ.get("START_DELAY_MS", 0)) / 1000)
    Handler.task = task_id()
    address = os.environ.get("LISTEN_ADDRESS", "0.0.0.0"), int(os.environ.get("PORT", 9050))
    server = Server(address, Handler)
    print(f"{SERVICE} listens on {address[0]}:{address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
