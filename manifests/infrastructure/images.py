"""Builds the images and pushes them into the account's own registry: for whoever names none."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from pathlib import Path

from botocore.exceptions import ClientError
from installation import Account, Refused, say

ROOT = Path(__file__).resolve().parents[2]
# Parameter of the template -> program, recipe.
IMAGES = {
    "ControllerImage": ("dormouse", "controller"),
    "ProxyImage": ("dormouse-proxy", "proxy"),
    "ServiceSidecarImage": ("dormouse-service", "service"),
}
# Everything runs on what Architecture says, which may change; single services may run on the other one.
PLATFORMS = "linux/amd64,linux/arm64"


def repository(install: str, program: str) -> str:
    """An installation's own: another one's end takes nothing from it."""
    return f"dormouse/{install}/{program}"


def planned(account: Account, install: str) -> dict[str, str]:
    """The parameters of the template that name what will be built and pushed."""
    registry, version = f"{account.number}.dkr.ecr.{account.region}.amazonaws.com", _version()
    return {slot: f"{registry}/{repository(install, program)}:{version}" for slot, (program, _) in IMAGES.items()}


def can_build() -> bool:
    return shutil.which("docker") is not None


def push(account: Account, install: str, wanted: dict[str, str]) -> None:
    """Builds and pushes what was planned."""
    token = account["ecr"].get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
    registry = wanted["ControllerImage"].split("/", 1)[0]
    _docker(["login", "--username", user, "--password-stdin", registry], password)
    for parameter, (program, recipe) in IMAGES.items():
        image = wanted[parameter]
        version = image.rsplit(":", 1)[1]
        _make(account, install, repository(install, program))
        say(f"Building {image} for {PLATFORMS}")
        arguments = ["--platform", PLATFORMS, "--file", f"localstack/images/{recipe}.Dockerfile", "--tag", image]
        _docker(["buildx", "build", *arguments, "--build-arg", f"VERSION={version}", "--push", "."])


def found(account: Account, install: str) -> list[str]:
    """The repositories that were made here for an installation."""
    names = [repository(install, program) for program, _ in IMAGES.values()]
    return [name for name in names if _is_ours(account, install, name)]


def remove(account: Account, names: list[str]) -> None:
    for name in names:
        account["ecr"].delete_repository(repositoryName=name, force=True)


def _is_ours(account: Account, install: str, name: str) -> bool:
    try:
        (one,) = account["ecr"].describe_repositories(repositoryNames=[name])["repositories"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            return False
        raise
    tags = account["ecr"].list_tags_for_resource(resourceArn=one["repositoryArn"])["tags"]
    return {"Key": "dormouse:install", "Value": install} in tags


def _make(account: Account, install: str, name: str) -> None:
    try:
        tags = [{"Key": "dormouse:install", "Value": install}]
        account["ecr"].create_repository(repositoryName=name, tags=tags)
    except ClientError as error:
        if error.response["Error"]["Code"] != "RepositoryAlreadyExistsException":
            raise


def _version() -> str:
    """The commit; with changes of one's own, or outside a repository, also the time."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    name = commit.stdout.strip() if commit.returncode == 0 else "unknown"
    return name if name and "dirty" not in name and name != "unknown" else f"{name}-{int(time.time())}"


def _docker(arguments: list[str], stdin: str | None = None) -> None:
    done = subprocess.run(["docker", *arguments], cwd=ROOT, input=stdin, text=True)
    if done.returncode != 0:
        raise Refused(f"docker {arguments[0]} ended with {done.returncode}")
