"""The demo's gRPC container: HTTP/2 without TLS, and who answered. A connection a thread, a stream at a time."""

from __future__ import annotations

import os
import signal
import socket
import socketserver

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

SERVICE = os.environ.get("SERVICE_NAME", "demo")


class Handler(socketserver.BaseRequestHandler):
    """One connection. Bodies are not looked at, and answers fit into any window."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        self.request.sendall(connection.data_to_send())
        asked: dict[int, bytes] = {}
        try:
            while data := self.request.recv(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived):
                        asked[event.stream_id] = dict(event.headers)[b":path"]
                    elif isinstance(event, StreamEnded):
                        self.answer(connection, event.stream_id, asked.pop(event.stream_id))
                self.request.sendall(connection.data_to_send())
        except (OSError, ProtocolError):
            pass

    def answer(self, connection: H2Connection, stream: int, path: bytes) -> None:
        told = b"%s answers %s over HTTP/2\n" % (SERVICE.encode(), path)
        # A browser or curl sees a page; a gRPC client sees the status that says "not implemented", in the trailers.
        connection.send_headers(stream, [(":status", "200"), ("content-type", "text/plain"), ("x-served-by", SERVICE)])
        connection.send_data(stream, told)
        connection.send_headers(stream, [("grpc-status", "12")], end_stream=True)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    address = os.environ.get("LISTEN_ADDRESS", "0.0.0.0"), int(os.environ.get("PORT", 9050))
    with Server(address, Handler) as server:
        print(f"{SERVICE} listens on {address[0]}:{address[1]}, HTTP/2", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
