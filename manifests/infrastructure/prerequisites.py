"""What must be so before a stack is made. Every check runs; each finding says what to do."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from installation import Account, Stack, brief

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


def zone_of(account: Account, domain: str) -> tuple[str, str] | None:
    """Id and name of the public zone with the longest name that the domain is in."""
    best: tuple[str, str] | None = None
    for page in account["route53"].get_paginator("list_hosted_zones").paginate():
        for zone in page["HostedZones"]:
            name = zone["Name"].rstrip(".")
            fits = domain == name or domain.endswith(f".{name}")
            if fits and not zone["Config"]["PrivateZone"] and (best is None or len(name) > len(best[1])):
                best = zone["Id"].rsplit("/", 1)[-1], name
    return best


def check(account: Account, stack: Stack, given: dict[str, Any]) -> Findings:
    """`given` are all parameters of the stack that is to be."""
    findings = Findings()
    for one in (_state, _records, _images, _instances, _quotas):
        try:
            one(account, stack, given, findings)
        except ClientError as error:
            findings.unknown(f"{one.__name__.strip('_')}: {brief(error)}")
    return findings


def _state(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    found = stack.found()
    status = found["StackStatus"] if found else "none"
    if status in ("none", "REVIEW_IN_PROGRESS"):
        findings.good(f"there is no stack {stack.name} yet")
    elif status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        findings.bad(f"the stack {stack.name} is {status}", "delete it: make undeploy")
    elif status.endswith("IN_PROGRESS"):
        findings.bad(f"the stack {stack.name} is {status}", "wait until that is done")
    else:
        findings.good(f"the stack {stack.name} is {status}, and will be updated")


def _records(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    zone, domain, install = given["HostedZoneId"], given["Domain"], given["InstallId"]
    known = account["route53"].get_hosted_zone(Id=zone)["HostedZone"]
    name = known["Name"].rstrip(".")
    if known["Config"]["PrivateZone"]:
        findings.bad(f"{zone} is a private zone", "name the public zone of the domain")
        return
    if domain != name and not domain.endswith(f".{name}"):
        findings.bad(f"{zone} is the zone of {name}, which {domain} is not in", "name the zone of the domain")
        return
    findings.good(f"{zone} is the public zone of {name}")
    owner, wildcard = f"_wildcard._dormouse.{domain}.", f"\\052.{domain}."
    records = {}
    for start in (owner, wildcard):
        page = account["route53"].list_resource_record_sets(HostedZoneId=zone, StartRecordName=start, MaxItems="3")
        for one in page["ResourceRecordSets"]:
            records[one["Name"], one["Type"]] = [value["Value"] for value in one.get("ResourceRecords", [])]
    mine = any(f"install={install}," in value for value in records.get((owner, "TXT"), []))
    if (owner, "TXT") in records and not mine:
        findings.bad(
            f"another installation has {domain}: {records[owner, 'TXT'][0]}",
            "use another domain, or undeploy that one",
        )
    elif not mine and any(key[0] == wildcard for key in records):
        findings.bad(f"*.{domain} has a record that is not Dormouse's", "remove it, or use a domain below")
    else:
        findings.good(f"*.{domain} is free")


def _images(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    for parameter in ("ControllerImage", "ProxyImage", "ServiceSidecarImage"):
        image = given[parameter]
        match = ECR.match(image)
        if not match:
            findings.unknown(f"{parameter} {image}: only images in ECR are looked up")
            continue
        owner, region, repository, tag, digest = match.groups()
        if region != account.region:
            findings.note(f"{parameter} {image} is in another region: pulls cost $0.02 a GB, and take longer")
            continue
        which = {"imageDigest": digest[1:]} if digest else {"imageTag": tag or "latest"}
        try:
            account["ecr"].describe_images(registryId=owner, repositoryName=repository, imageIds=[which])
            findings.good(f"{parameter} {image} is there")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ImageNotFoundException", "RepositoryNotFoundException"):
                raise
            findings.bad(f"{parameter} {image} is not there", "push it first: README.md, Images")


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


def _quotas(account: Account, stack: Stack, given: dict[str, Any], findings: Findings) -> None:
    most = int(given["MaxInstances"])
    types = account["ec2"].describe_instance_types(InstanceTypes=[given["InstanceType"]])["InstanceTypes"]
    cores = types[0]["VCpuInfo"]["DefaultVCpus"] * most
    proxies = most * int(given["MaxTasksPerInstance"]) * PROXY_VCPUS
    for (service, code), needed, what in (
        (INSTANCE_QUOTA, cores, f"{most} x {given['InstanceType']}"),
        (FARGATE_QUOTA, proxies + 0.5, "as many proxies as the instances hold services"),
    ):
        try:
            quota = account["service-quotas"].get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
        except (ClientError, BotoCoreError) as error:
            findings.unknown(f"quota {code} of {service}: {error}")
            continue
        if quota["Value"] < needed:
            findings.note(f"{what} take {needed:g} vCPUs; the quota {code} is {quota['Value']:g}: have it raised")
        else:
            findings.good(f"{what}: {needed:g} vCPUs of a quota of {quota['Value']:g}")
