"""Makes or updates an installation: checks, says what comes and what it costs, asks, and makes it by a change set.

python manifests/infrastructure/deploy.py --domain example.com --images 123456789012.dkr.ecr.eu-west-1.amazonaws.com
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import time
from collections import Counter
from typing import Any

import price
from botocore.exceptions import ClientError
from installation import TEMPLATE, Account, Refused, Stack, agreed, parser, run, say, template
from prerequisites import check, zone_of

import images

# CloudFormation takes a template of so many bytes without a bucket.
LONGEST = 51_200
PATIENCE = 3600.0
# How CloudFormation says that all is as it should be.
NO_CHANGES = re.compile(r"didn't contain changes|No updates are to be performed")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    made = parser("make deploy", "Deploys Dormouse into your AWS account.")
    made.add_argument("--domain", required=True, help="public domain; services are <name>.<domain>")
    made.add_argument("--images", help="registry and path before /dormouse, /dormouse-proxy and /dormouse-service")
    made.add_argument("--tag", default="latest", help="tag of the images (default: latest)")
    made.add_argument("--build", action="store_true", help="build the images from here, and push them into ECR")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the template")
    made.add_argument("--trunking", action="store_true", help="turn ENI trunking on, for the whole account and region")
    made.add_argument("--dry-run", action="store_true", help="make the change set, show it, and remove it")
    return made.parse_args(argv)


def parameters(given: argparse.Namespace, account: Account, stack: Stack) -> tuple[dict[str, str], dict[str, str]]:
    """All parameters as they will be, and those of them that are set now; the others keep what they have."""
    slots = template()["Parameters"]
    now: dict[str, str] = {"Domain": given.domain.rstrip(".").lower(), "InstallId": given.install_id}
    if given.images:
        names = {"ControllerImage": "", "ProxyImage": "-proxy", "ServiceSidecarImage": "-service"}
        now |= {name: f"{given.images.rstrip('/')}/dormouse{end}:{given.tag}" for name, end in names.items()}
    for one in given.set:
        name, equals, value = one.partition("=")
        if name not in slots or not equals:
            raise Refused(f"--set {one}: give NAME=VALUE; the template has the parameters {', '.join(slots)}")
        now[name] = value
    refuse_wrong(slots, now)
    before = stack.parameters()
    if "HostedZoneId" not in now | before:
        zone = zone_of(account, now["Domain"])
        if zone is None:
            raise Refused(
                f"this account has no public hosted zone for {now['Domain']} or a domain above it: make one (aws "
                f"route53 create-hosted-zone --name {now['Domain']} --caller-reference $RANDOM), and name its four "
                "name servers at the registrar of the domain"
            )
        now["HostedZoneId"] = zone[0]
    unnamed = [name for name in images.IMAGES if name not in now | before]
    if given.build or unnamed:
        question = f"Build the images here, and push them into this account's ECR (dormouse/{given.install_id}/…)?"
        if given.dry_run or not agreed(question, given.yes):
            raise Refused(f"not given: {', '.join(unnamed or images.IMAGES)} (IMAGES=… names a registry and path)")
        now |= images.push(account, given.install_id)
    if "ApiToken" not in now | before:
        now["ApiToken"] = secrets.token_urlsafe(32)
    whole = {name: str(slot["Default"]) for name, slot in slots.items() if "Default" in slot} | before | now
    missing = [name for name in slots if name not in whole]
    if missing:
        raise Refused(f"not given: {', '.join(missing)} (SET=NAME=VALUE)")
    refuse_wrong(slots, whole)
    return whole, now


def refuse_wrong(slots: dict[str, Any], given: dict[str, str]) -> None:
    wrong = [f"{name} cannot be {value!r}: {why}" for name, value in given.items() if (why := refusal(slots[name], value))]
    if wrong:
        raise Refused("; ".join(wrong))


def refusal(slot: dict[str, Any], value: str) -> str | None:
    """Why the template does not accept a value. CloudFormation would say so, too, one at a time and later."""
    if slot.get("NoEcho") and set(value) == {"*"}:
        return None
    if slot["Type"] == "Number":
        low, high = slot.get("MinValue", 0), slot.get("MaxValue", float("inf"))
        if not value.isdigit() or not low <= int(value) <= high:
            return f"a number from {low} to {high}"
    if "AllowedValues" in slot and value not in (accepted := [str(one) for one in slot["AllowedValues"]]):
        return f"one of {', '.join(accepted)}"
    if "AllowedPattern" in slot and not re.fullmatch(slot["AllowedPattern"], value):
        return slot.get("ConstraintDescription", slot["AllowedPattern"])
    return None


def change_set(stack: Stack, whole: dict[str, str], now: dict[str, str]) -> dict[str, Any] | None:
    """What CloudFormation would do; None when nothing changes."""
    body = TEMPLATE.read_text()
    if len(body.encode()) > LONGEST:
        raise Refused(f"{TEMPLATE} is longer than {LONGEST} bytes")
    client, found = stack.account["cloudformation"], stack.found()
    fresh = found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"
    known = stack.parameters()
    given = [
        {"ParameterKey": name, "ParameterValue": whole[name]}
        if fresh or name in now or name not in known
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in whole
    ]
    try:
        made = client.create_change_set(
            StackName=stack.name,
            ChangeSetName=f"dormouse-{int(time.time())}",
            ChangeSetType="CREATE" if fresh else "UPDATE",
            TemplateBody=body,
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": "dormouse:install", "Value": whole["InstallId"]}],
        )
    except ClientError as error:
        if NO_CHANGES.search(error.response["Error"]["Message"]):
            return None
        raise
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pages = client.get_paginator("describe_change_set").paginate(ChangeSetName=made["Id"], StackName=stack.name)
        seen, *rest = pages
        if seen["Status"] == "CREATE_COMPLETE":
            changes = [change for page in (seen, *rest) for change in page["Changes"]]
            return {**seen, "Changes": changes, "fresh": fresh, "id": made["Id"]}
        if seen["Status"] == "FAILED":
            client.delete_change_set(ChangeSetName=made["Id"], StackName=stack.name)
            why = seen.get("StatusReason", "")
            if NO_CHANGES.search(why):
                return None
            raise Refused(f"the change set failed: {why}")
        time.sleep(2)
    raise Refused("the change set is not ready after an hour")


def show(changes: dict[str, Any]) -> None:
    kinds: Counter[str] = Counter()
    for one in changes["Changes"]:
        found = one["ResourceChange"]
        if found["Action"] == "Add":
            kinds[found["ResourceType"]] += 1
            continue
        replaced = " — REPLACED, what is in it is lost" if found.get("Replacement") == "True" else ""
        say(f"  {found['Action'].lower()} {found['LogicalResourceId']} ({found['ResourceType']}){replaced}")
    for kind, count in sorted(kinds.items()):
        say(f"  add {count} x {kind}")


def execute(stack: Stack, changes: dict[str, Any]) -> None:
    client = stack.account["cloudformation"]
    client.execute_change_set(ChangeSetName=changes["id"], StackName=stack.name)
    seen: set[str] = set()
    begun = changes.get("CreationTime")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in reversed(client.describe_stack_events(StackName=stack.name)["StackEvents"]):
            if event["EventId"] in seen or (begun and event["Timestamp"] < begun):
                continue
            seen.add(event["EventId"])
            why = event.get("ResourceStatusReason")
            say(f"  {event['ResourceStatus']:<24} {event['LogicalResourceId']}{f' ({why})' if why else ''}")
        status = (stack.found() or {}).get("StackStatus", "")
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return
        if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")):
            raise Refused(f"the stack {stack.name} is {status}: the first failure above says why")
        time.sleep(5)
    raise Refused(f"the stack {stack.name} is not done after an hour; it goes on without us")


def finish(account: Account, stack: Stack, trunking: bool) -> None:
    """What CloudFormation has no words for."""
    group = stack.settings()["SERVICE_ASG_NAME"]
    # Else Auto Scaling would launch instances only to even out the zones.
    account["autoscaling"].suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["AZRebalance"])
    if trunking:
        account["ecs"].put_account_setting_default(name="awsvpcTrunking", value="enabled")


def told(stack: Stack, whole: dict[str, str]) -> None:
    for name, value in sorted(stack.settings().items()):
        print(f"{name}={value}")
    secret, domain = stack.outputs()["ControllerSecretArn"], whole["Domain"]
    say()
    say(f"Deployed. Once its controller is up (a minute), every name below {domain} leads to it.")
    say("The API's token:")
    say(f"  aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text")
    if whole["OperatorCidr"] == "none":
        say("Nobody but tasks reaches the API yet: SET=OperatorCidr=203.0.113.7/32 lets a network in.")
    else:
        say(f"  export DORMOUSE_SERVER=http://dormouse.{domain}:9070 DORMOUSE_TOKEN=… ; dormouse get")


def deploy(given: argparse.Namespace, account: Account, stack: Stack) -> None:
    """Checks, shows, asks, and makes or updates the stack."""
    whole, now = parameters(given, account, stack)
    findings = check(account, stack, whole)
    say("Before anything is made:")
    for line in findings.lines:
        say(line)
    if findings.wrong:
        raise Refused(f"{findings.wrong} of these must be put right first")
    changes = change_set(stack, whole, now)
    if changes is None:
        say(f"The stack {stack.name} is as it should be.")
    else:
        say(f"What changes in the stack {stack.name}:")
        show(changes)
        known = price.prices()
        say(f"What it costs while everything sleeps, at {known['region']}'s list prices of {known['date']}, in $:")
        say(price.table(whole))
        if given.trunking:
            say("ENI trunking will be turned on for this account and region, for every cluster in it.")
        go = False
        try:
            go = not given.dry_run and agreed(f"Do this in {account.region}?", given.yes)
        finally:
            # Also where nobody could be asked, or somebody answered with Ctrl-C.
            if not go:
                _forget(stack, changes)
        if not go:
            return
        execute(stack, changes)
    finish(account, stack, given.trunking)
    told(stack, whole)


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    return run(given, lambda account, stack: deploy(given, account, stack))


def _forget(stack: Stack, changes: dict[str, Any]) -> None:
    """Leaves nothing of a change set that was only looked at."""
    client = stack.account["cloudformation"]
    client.delete_change_set(ChangeSetName=changes["id"], StackName=stack.name)
    if changes["fresh"]:
        client.delete_stack(StackName=stack.name)
    say("Nothing was changed.")


if __name__ == "__main__":
    sys.exit(main())
