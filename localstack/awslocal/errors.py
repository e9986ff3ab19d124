"""AWS errors, and how each protocol writes them."""

from __future__ import annotations

import json
import uuid
from typing import Any
from xml.sax.saxutils import escape

from moto.core.exceptions import ServiceException

Answer = tuple[int, dict[str, str], bytes]

JSON_SERVICES = {"ecs": "1.1", "dynamodb": "1.0", "ssm": "1.1", "secretsmanager": "1.1", "logs": "1.1", "events": "1.1"}

# What each service calls "too many requests" and "not allowed".
THROTTLED = {
    "ec2": ("RequestLimitExceeded", 503),
    "route53": ("Throttling", 400),
    "autoscaling": ("Throttling", 400),
    "sts": ("Throttling", 400),
}
DENIED = {
    "ec2": "UnauthorizedOperation",
    "route53": "AccessDenied",
    "autoscaling": "AccessDenied",
    "sts": "AccessDenied",
}


class AwsError(ServiceException):
    """An error with an AWS code; moto's own serialisers know how to write it, too."""

    def __init__(self, code: str, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(code, message)
        self.status = status
        self.details = details
        for name, value in details.items():
            setattr(self, name, value)


def invalid(message: str) -> AwsError:
    """ECS's error for most of what is wrong with a request."""
    return AwsError("InvalidParameterException", message)


def throttled(service: str, code: str | None = None, message: str | None = None) -> AwsError:
    known, status = THROTTLED.get(service, ("ThrottlingException", 400))
    return AwsError(code or known, message or "Rate exceeded", status)


def denied(service: str, message: str) -> AwsError:
    return AwsError(DENIED.get(service, "AccessDeniedException"), message, 400 if service in JSON_SERVICES else 403)


def write(service: str, error: ServiceException) -> Answer:
    """The error in the service's protocol."""
    status = getattr(error, "status", 400)
    request_id = str(uuid.uuid4())
    fault = "Sender" if status < 500 else "Receiver"
    code, message = escape(error.code), escape(error.message)
    if service in JSON_SERVICES:
        body = {"__type": error.code, "message": error.message, **getattr(error, "details", {})}
        headers = {
            "Content-Type": f"application/x-amz-json-{JSON_SERVICES[service]}",
            "x-amzn-requestid": request_id,
            "x-amzn-errortype": error.code,
        }
        return status, headers, json.dumps(body).encode()
    if service == "ec2":
        xml = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        xmlns = ' xmlns="https://route53.amazonaws.com/doc/2013-04-01/"' if service == "route53" else ""
        xml = (
            f"<ErrorResponse{xmlns}><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
    return status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()
