"""The HTTP server: every AWS call passes here, is counted, may be refused or fail, and runs under the one lock."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from awslocal import errors
from awslocal.calls import Call, identify
from awslocal.control import Control
from awslocal.errors import Answer, AwsError
from awslocal.faults import Rule
from awslocal.history import History
from awslocal.services import Services
from awslocal.world import World

# Services whose moto application has the name with which requests are signed; others are found by moto's dispatcher.
DIRECT = {
    "ecs", "autoscaling", "route53", "ec2", "dynamodb", "sts", "iam", "ssm", "secretsmanager", "cloudformation", "logs",
}  # fmt: skip
ERROR_CODE = re.compile(rb'"__type":\s*"(?:[^"#]*#)?([^"]+)"|<Code>([^<]+)</Code>')


class Application:
    """The WSGI application."""

    def __init__(self, world: World, services: Services) -> None:
        self.world = world
        self.services = services
        self.control = Control(world, services)
        self.policies = services.policies
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._apps: dict[str, Any] = {}
        self._past: dict[tuple[str, bytes], History] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
        body = environ["wsgi.input"].read(-1 if chunked else int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.get("PATH_INFO", "").startswith("/_local"):
            status, headers, content = self.control.answer(environ, body)
        else:
            status, headers, content = self._aws(environ, body)
        if status == 0:
            # A lost answer: the client sees its connection end.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            status = 500
        headers["Content-Length"] = str(len(content))
        start_response(f"{status} {_phrase(status)}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    def _aws(self, environ: dict[str, Any], body: bytes) -> Answer:
        call = identify(environ, body)
        self.world.stats.called(call.name, call.key)
        refused = self.policies.check(call)
        if refused:
            return self._error(call, refused)
        rules = self.world.faults.due(call.name, call.params()) if self.world.faults.any() else []
        for rule in rules:
            if rule.kind == "delay":
                time.sleep(rule.delay)
        for rule in rules:
            answer = self._before(call, rule)
            if answer:
                return answer
        lag = max((rule.delay for rule in rules if rule.kind == "read-lag"), default=0.0)
        answer = self._run(environ, call, lag)
        for rule in rules:
            if rule.kind == "lose-answer" and rule.close:
                return 0, {}, b""
            if rule.kind in ("lose-answer", "error-after"):
                return self._error(call, _injected(rule))
        return answer

    def _before(self, call: Call, rule: Rule) -> Answer | None:
        """What a rule answers in place of the call."""
        match rule.kind:
            case "throttle":
                return self._error(call, errors.throttled(call.service, rule.code, rule.message))
            case "error-before" | "http500":
                return self._error(call, _injected(rule))
            case "failures":
                arn = self.world.arn("ecs", f"container-instance/injected/{uuid.uuid4().hex}")
                failures = [{"arn": arn, "reason": rule.code or "RESOURCE:CPU"}]
                return _json({"tasks": [], "containerInstances": [], "failures": failures})
        return None

    def _run(self, environ: dict[str, Any], call: Call, lag: float) -> Answer:
        operation = self.services.ecs.operations.get(call.operation) if call.service == "ecs" else None
        try:
            if operation:
                params = call.json
                with self.world.lock:
                    return _json(operation(params, lag))
            with self.world.lock:
                self.services.route53.lag = lag
                answer = self._call_moto(environ, call)
        except AwsError as problem:
            return self._error(call, problem)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return self._error(call, AwsError("InternalFailure", "The local AWS failed: see its log.", 500))
        if answer[0] >= 400:
            code = ERROR_CODE.search(answer[2])
            self.world.stats.failed(call.name, (code.group(1) or code.group(2)).decode() if code else str(answer[0]))
        return self._lagging(call, answer, lag) if lag and call.service != "route53" else answer

    def _call_moto(self, environ: dict[str, Any], call: Call) -> Answer:
        app: Any = self._moto
        if call.service in DIRECT and "Streams" not in environ.get("HTTP_X_AMZ_TARGET", ""):
            if call.service not in self._apps:
                if call.service == "cloudformation":
                    self.services.learn_stacks()
                self._apps[call.service] = create_backend_app(call.service)
            app = self._apps[call.service]
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            started[:] = [int(status.split(" ", 1)[0]), dict(headers)]
            return lambda _: None

        chunks = app(environ, start_response)
        content = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        return started[0], started[1], content

    def _lagging(self, call: Call, answer: Answer, lag: float) -> Answer:
        """An earlier answer to the same question, where no history of the state itself is kept."""
        history = self._past.setdefault((call.name, call.body), History())
        history.put(answer)
        return history.at(lag) or history.oldest()

    def _error(self, call: Call, problem: AwsError) -> Answer:
        self.world.stats.failed(call.name, problem.code)
        return errors.write(call.service, problem)


def _injected(rule: Rule) -> AwsError:
    server = rule.kind in ("http500", "lose-answer")
    code = rule.code or ("InternalFailure" if server else "ServiceUnavailable")
    return AwsError(code, rule.message or "An injected fault.", 500 if server else 400)


def _json(result: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    return 200, headers, json.dumps(result).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does: a new one for every call would cost more than the call."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        app: Any = self.server.app
        return formatdate((time.time() if timestamp is None else timestamp) + app.world.ahead, usegmt=True)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Server(ThreadedWSGIServer):
    """A thread for each connection."""

    request_queue_size = 512

    def __init__(self, world: World, services: Services) -> None:
        # Tasks in namespaces reach the server by the bridge's address.
        everywhere = world.config.network == "netns" and world.config.host == "127.0.0.1"
        host = "0.0.0.0" if everywhere else world.config.host
        super().__init__(host, world.config.port, Application(world, services), Handler)
        world.endpoint = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self.server_address[1]}"
