"""A stack of dormouse.yaml: where it is, what it says, and what its template accepts."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "dormouse.yaml"
# Outputs that are no settings of the controller.
OTHERS = {
    "ControllerRoleArn",
    "ControllerSecretArn",
    "ControllerSecurityGroupId",
    "ControllerServiceName",
    "ServiceRolePath",
}


class Refused(Exception):
    """What stops us, in words for the user."""


def say(text: str = "") -> None:
    print(text, file=sys.stderr, flush=True)


def agreed(question: str, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Refused("nobody is there to be asked: set YES=1 to go on without a question")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def variable(output: str) -> str:
    """The setting that an output is: HostedZoneId is HOSTED_ZONE_ID."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()


def template() -> dict[str, Any]:
    """The template; what CloudFormation's own functions would make of it is left out."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: {f"!{suffix}": node.value})
    return yaml.load(TEMPLATE.read_text(), Loader)


def brief(error: ClientError) -> str:
    """An AWS error in one line, with the action that is missing where one is."""
    found = error.response["Error"]
    return f"{found['Code']}: {found['Message']}"


class Account:
    """Clients of one account and region. Without patience an answer is not waited for long."""

    def __init__(self, region: str | None, patient: bool = True) -> None:
        session = boto3.session.Session(region_name=region or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise Refused("no region: set AWS_REGION, or a region in your AWS profile")
        self.region: str = session.region_name
        self._session = session
        retries = {"mode": "adaptive", "total_max_attempts": 10}
        self._config = (
            Config(retries=retries) if patient else Config(connect_timeout=5, retries={"total_max_attempts": 1})
        )
        self._clients: dict[str, Any] = {}

    @cached_property
    def number(self) -> str:
        return self["sts"].get_caller_identity()["Account"]

    def __getitem__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=self._config)
        return self._clients[service]


class Stack:
    """An installation, by the name of its stack."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name

    def found(self) -> dict[str, Any] | None:
        try:
            return self.account["cloudformation"].describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def fresh(self) -> bool:
        """Whether nothing of it was made yet: an unfinished look at it leaves a stack that is only reviewed."""
        found = self.found()
        return found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"

    def outputs(self) -> dict[str, str]:
        found = self.found() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs") or []}

    def settings(self) -> dict[str, str]:
        """The controller's settings, by the names of their variables."""
        return {variable(key): value for key, value in self.outputs().items() if key not in OTHERS}

    def parameters(self) -> dict[str, str]:
        found = self.found() or {}
        return {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters") or []}


@dataclass
class Other:
    """An installation that is there: which stack it is, and whose names it has."""

    stack: str
    install: str
    domain: str


def installations(account: Account) -> list[Other]:
    """Those of this account and region."""
    found = []
    for page in account["cloudformation"].get_paginator("describe_stacks").paginate():
        for one in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags") or []}
            given = {slot["ParameterKey"]: slot["ParameterValue"] for slot in one.get("Parameters") or []}
            if "dormouse:install" in tags and "Domain" in given and one["StackStatus"] != "REVIEW_IN_PROGRESS":
                found.append(Other(one["StackName"], tags["dormouse:install"], given["Domain"]))
    return found


def caller(account: Account) -> str:
    try:
        return account["sts"].get_caller_identity()["Arn"]
    except EndpointConnectionError as error:
        raise Refused(f"AWS does not answer in {account.region} ({error}): is AWS_REGION right?") from error
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"no usable AWS credentials ({error}): log in, or set AWS_PROFILE") from error


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """What both programs can be told."""
    made = argparse.ArgumentParser(prog=program, description=description)
    made.add_argument("--install-id", default="main", help="tells installations apart (default: main)")
    made.add_argument("--region", help="default: AWS_REGION, or the profile's")
    made.add_argument("--yes", action="store_true", help="do not ask")
    return made


def run(given: argparse.Namespace, do: Callable[[Account, Stack], None]) -> int:
    """How both begin and end: whose account it is and which stack; and in words what stops them. The exit code."""
    try:
        slot = template()["Parameters"]["InstallId"]
        if not re.fullmatch(slot["AllowedPattern"], given.install_id):
            raise Refused(f"INSTALL_ID cannot be {given.install_id!r}: {slot['ConstraintDescription']}")
        account = Account(given.region)
        say(f"Account and caller: {caller(account)}, region {account.region}")
        do(account, Stack(account, f"dormouse-{given.install_id}"))
        return 0
    except Refused as problem:
        say(f"error: {problem}")
    except ClientError as error:
        say(f"error: {error.operation_name}: {brief(error)}")
    except BotoCoreError as error:
        say(f"error: {error}")
    return 1
