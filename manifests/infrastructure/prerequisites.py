"""What must be so before a stack is made. Every check runs; each finding says what to do."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from domain import check_others, check_zone
from installation import Account, Stack, brief

import images

ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@]+)(?::([\w.-]+))?(@sha256:\w+)?$")
ARCHITECTURES = {"ARM64": "arm64", "X86_64": "x86_64"}
# Quotas by service and code: running on-demand standard instances, in vCPUs; Fargate on demand, in vCPUs.
INSTANCE_QUOTA = ("ec2", "L-1216C47A")
FARGATE_QUOTA = ("fargate", "L-3032A538")
PROXY_VCPUS = 0.25


class Findings:
    """What was found: good, not checked, or in the way."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wrong = 0

    def good(self, text: str) -> None:
        self.lines.append(f"  ok       {text}")

    def unknown(self, text: str) -> None:
        self.lines.append(f"  unknown  {text}")

    def note(self, text: str) -> None:
        self.lines.append(f"  note     {text}")

    def bad(self, text: str, fix: str) -> None:
        self.wrong += 1
        self.lines += [f"  WRONG    {text}", f"           {fix}"]


def check(account: Account, stack: Stack, given: dict[str, Any], built: bool) -> Findings:
    """`given` are all parameters of the stack that is to be; whether its images are built here first."""
    findings = Findings()
    for one in (_state, check_zone, check_others, _build if built else _images, _instances):
        try:
            one(account, stack, given, findings)
        except ClientError as error:
            # What was not looked at may be in the way.
            findings.bad(f"{error.operation_name}: {brief(error)}", "have that call allowed, or try again")
    return findings


def _state(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    found = stack.found()
    status = found["StackStatus"] if found else "none"
    if status in ("none", "REVIEW_IN_PROGRESS"):
        findings.good(f"there is no stack {stack.name} yet")
    elif status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        findings.bad(f"the stack {stack.name} is {status}", f"delete it: make undeploy INSTALL_ID={given['InstallId']}")
    elif status.endswith("IN_PROGRESS"):
        findings.bad(f"the stack {stack.name} is {status}", "wait until that is done")
    elif status == "UPDATE_ROLLBACK_FAILED":
        findings.bad(
            f"the stack {stack.name} is {status}",
            f"aws cloudformation continue-update-rollback --stack-name {stack.name}",
        )
    else:
        findings.good(f"the stack {stack.name} is {status}, and will be updated")


def _build(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    if images.can_build():
        findings.note("the three images are built here first, and pushed into this account's ECR")
    else:
        findings.bad("no IMAGES are named, and there is no docker here to build them with", "README.md, Images")


def _images(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    for parameter in images.IMAGES:
        image = given[parameter]
        match = ECR.match(image)
        if not match:
            findings.unknown(f"{parameter} {image}: only images in ECR are looked up")
            continue
        owner, region, repository, tag, digest = match.groups()
        far = region != account.region
        which = {"imageDigest": digest[1:]} if digest else {"imageTag": tag or "latest"}
        try:
            ecr = (Account(region) if far else account)["ecr"]
            ecr.describe_images(registryId=owner, repositoryName=repository, imageIds=[which])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("ImageNotFoundException", "RepositoryNotFoundException"):
                findings.bad(
                    f"{parameter} {image} is not there", "push it first (README.md, Images), or name another TAG"
                )
            elif owner != account.number:
                # Who may pull need not be the one who looks.
                findings.unknown(f"{parameter} {image}: {brief(error)}")
            else:
                raise
        else:
            if far:
                findings.note(f"{parameter} {image} is in another region: pulls cost $0.02 a GB, and take longer")
            else:
                findings.good(f"{parameter} {image} is there")


def _instances(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    types = [given[one] for one in ("InstanceType", "InstanceType2", "InstanceType3") if given[one] != "none"]
    wanted = ARCHITECTURES[given["Architecture"]]
    try:
        found = account["ec2"].describe_instance_types(InstanceTypes=types)["InstanceTypes"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidInstanceType":
            raise
        findings.bad(f"not offered in {account.region}: {brief(error)}", "choose other instance types")
        return
    for one in found:
        name, interfaces = one["InstanceType"], one["NetworkInfo"]["MaximumNetworkInterfaces"]
        if wanted not in one["ProcessorInfo"]["SupportedArchitectures"]:
            findings.bad(f"{name} is not {given['Architecture']}", "choose another type, or the other Architecture")
        elif int(given["MaxTasksPerInstance"]) > interfaces - 1:
            findings.note(
                f"{name} has {interfaces} network interfaces: {interfaces - 1} tasks, unless ENI trunking is on "
                f"(MaxTasksPerInstance is {given['MaxTasksPerInstance']})"
            )
        else:
            findings.good(f"{name} is {given['Architecture']}, and holds {interfaces - 1} tasks")
        if name == given["InstanceType"]:
            _quotas(account, given, one["VCpuInfo"]["DefaultVCpus"], findings)


def _quotas(account: Account, given: dict[str, Any], vcpus: int, findings: Findings) -> None:
    most = int(given["MaxInstances"])
    cores = vcpus * most
    proxies = most * int(given["MaxTasksPerInstance"]) * PROXY_VCPUS
    for (service, code), needed, what in (
        (INSTANCE_QUOTA, cores, f"{most} x {given['InstanceType']}"),
        (FARGATE_QUOTA, proxies + 0.5, "as many proxies as the instances hold services"),
    ):
        try:
            quota = account["service-quotas"].get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
        except ClientError as error:
            findings.unknown(f"quota {code} of {service}: {brief(error)}")
            continue
        except BotoCoreError as error:
            findings.unknown(f"quota {code} of {service}: {error}")
            continue
        if quota["Value"] < needed:
            findings.note(f"{what} take {needed:g} vCPUs; the quota {code} is {quota['Value']:g}: have it raised")
        else:
            findings.good(f"{what}: {needed:g} vCPUs of a quota of {quota['Value']:g}")
