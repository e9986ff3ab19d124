"""Makes or updates an installation: checks, says what comes and what it costs, asks, and makes it by a change set.

python manifests/infrastructure/deploy.py --domain example.com --images 123456789012.dkr.ecr.eu-west-1.amazonaws.com
"""

from __future__ import annotations

import argparse
import difflib
import re
import secrets
import sys
import time
from collections import Counter
from typing import Any

import price
from botocore.exceptions import ClientError
from domain import zone_of
from installation import TEMPLATE, Account, Refused, Stack, agreed, brief, parser, run, say, template
from prerequisites import check

import images

# CloudFormation takes a template of so many bytes without a bucket.
LONGEST = 51_200
PATIENCE = 3600.0
# What follows an image's name.
TAGGED = re.compile(r"(:[\w.-]+)?(@sha256:\w+)?$")
# How CloudFormation says that all is as it should be.
NO_CHANGES = re.compile(r"didn't contain changes|No updates are to be performed")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    made = parser("make deploy", "Deploys Dormouse into your AWS account.")
    made.add_argument("--domain", required=True, help="public domain; services are <name>.<domain>")
    made.add_argument("--images", help="registry and path before /dormouse, /dormouse-proxy and /dormouse-service")
    made.add_argument("--tag", help="tag of the images (default: latest)")
    made.add_argument("--build", action="store_true", help="build the images from here, and push them into ECR")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the template")
    made.add_argument("--trunking", action="store_true", help="turn ENI trunking on, for the whole account and region")
    made.add_argument("--dry-run", action="store_true", help="make the change set, show it, and remove it")
    return made.parse_args(argv)


def named(given: argparse.Namespace, before: dict[str, str]) -> dict[str, str]:
    """The parameters that the command names, with the images of before under another tag."""
    slots = template()["Parameters"]
    now = {"Domain": given.domain.rstrip(".").lower(), "InstallId": given.install_id}
    for parameter, (program, _) in images.IMAGES.items():
        if given.images:
            now[parameter] = f"{given.images.rstrip('/')}/{program}:{given.tag or 'latest'}"
        elif given.tag and parameter in before:
            now[parameter] = f"{TAGGED.sub('', before[parameter])}:{given.tag}"
    for one in given.set:
        name, equals, value = one.partition("=")
        if name == "InstallId":
            raise Refused(f"SET={one}: the installation is named by INSTALL_ID=…")
        if name not in slots:
            lower = {slot.lower(): slot for slot in slots}
            near = difflib.get_close_matches(name.lower(), lower, 1, 0.8)
            rather = f"did you mean {lower[near[0]]}?" if near else f"it has {', '.join(slots)}"
            raise Refused(f"SET={one}: the template has no {name}; {rather}")
        if not equals:
            raise Refused(f"SET={one}: give SET={name}=VALUE")
        now[name] = value
    refuse_wrong(slots, now)
    return now


def parameters(
    given: argparse.Namespace, account: Account, stack: Stack, before: dict[str, str]
) -> tuple[dict[str, str], dict[str, str], bool]:
    """All parameters as they will be, and those of them that are set now; the others keep what they have.

    And whether images are to be built: asked for, or none are named.
    """
    slots = template()["Parameters"]
    now = named(given, before)
    served = before.get("Domain")
    if served and served != now["Domain"] and not stack.fresh():
        raise Refused(
            f"the installation {given.install_id} serves {served}: its records there would stay behind. Give "
            f"{now['Domain']} an installation of its own, INSTALL_ID=…, or end this one first: make undeploy "
            f"INSTALL_ID={given.install_id}"
        )
    if "HostedZoneId" not in now | before:
        now["HostedZoneId"] = zone_of(account, now["Domain"])
    built = given.build or any(one not in now | before for one in images.IMAGES)
    if built:
        now |= images.planned(account, given.install_id)
    if "ApiToken" not in now | before:
        now["ApiToken"] = secrets.token_urlsafe(32)
    whole = {name: str(slot["Default"]) for name, slot in slots.items() if "Default" in slot} | before | now
    missing = [name for name in slots if name not in whole]
    if missing:
        raise Refused(f"not given: {', '.join(missing)} (SET=NAME=VALUE)")
    refuse_wrong(slots, whole)
    return whole, now, built


def refuse_wrong(slots: dict[str, Any], given: dict[str, str]) -> None:
    wrong = [
        f"{name} cannot be {value!r}: {why}" for name, value in given.items() if (why := refusal(slots[name], value))
    ]
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
    client, fresh = stack.account["cloudformation"], stack.fresh()
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
    try:
        seen = _looked_at(client, stack, made["Id"])
    except BaseException:
        _forget(stack, made["Id"], fresh)
        raise
    if seen["Status"] == "FAILED":
        _forget(stack, made["Id"], fresh)
        why = seen.get("StatusReason", "")
        if NO_CHANGES.search(why):
            return None
        raise Refused(f"the change set failed: {why}")
    return {**seen, "fresh": fresh, "id": made["Id"]}


def _looked_at(client: Any, stack: Stack, change_set_id: str) -> dict[str, Any]:
    """A change set, once CloudFormation has made it or given up, with all of its changes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pages = client.get_paginator("describe_change_set").paginate(ChangeSetName=change_set_id, StackName=stack.name)
        seen, *rest = pages
        if seen["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return {**seen, "Changes": [change for page in (seen, *rest) for change in page["Changes"]]}
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
    if not changes["Changes"]:
        say("  nothing but parameters and outputs")


def follow(stack: Stack, changes: dict[str, Any]) -> None:
    """Tells what CloudFormation does, until it is done."""
    client = stack.account["cloudformation"]
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
    try:
        # Else Auto Scaling would launch instances only to even out the zones.
        account["autoscaling"].suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["AZRebalance"])
        if trunking:
            account["ecs"].put_account_setting_default(name="awsvpcTrunking", value="enabled")
    except ClientError as error:
        raise Refused(
            f"the stack {stack.name} is made, but {error.operation_name}: {brief(error)}. Have that allowed, and call "
            "it again"
        ) from error


def told(stack: Stack, whole: dict[str, str], deployed: bool) -> None:
    for name, value in sorted(stack.settings().items()):
        print(f"{name}={value}")
    secret, domain = stack.outputs()["ControllerSecretArn"], whole["Domain"]
    say()
    if deployed:
        say(f"Deployed. Once its controller is up (a minute), every name below {domain} leads to it.")
    say("The API's token:")
    say(f"  aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text")
    if whole["OperatorCidr"] == "none":
        say("Nobody but tasks reaches the API yet: SET=OperatorCidr=203.0.113.7/32 lets a network in.")
    else:
        say(f"  export DORMOUSE_SERVER=http://dormouse.{domain}:9070 DORMOUSE_TOKEN=… ; dormouse get")


def deploy(given: argparse.Namespace, account: Account, stack: Stack) -> None:
    """Checks, shows, asks, and makes or updates the stack."""
    # A wrong value needs no answer from AWS.
    named(given, {})
    whole, now, built = parameters(given, account, stack, stack.parameters())
    findings = check(account, stack, whole, built)
    say("Before anything is made:")
    for line in findings.lines:
        say(line)
    if findings.wrong:
        raise Refused(f"{findings.wrong} of these must be put right first")
    if built and not given.dry_run:
        build(given, account, whole)
    changes = change_set(stack, whole, now)
    trunking = "ENI trunking will be turned on for this account and region, for every cluster in it."
    if changes is None:
        say(f"The stack {stack.name} is as it should be.")
        if given.trunking:
            say(trunking)
        if given.dry_run or (given.trunking and not agreed(f"Do this in {account.region}?", given.yes)):
            say("Nothing was changed.")
            return
    else:
        say(f"What changes in the stack {stack.name}:")
        show(changes)
        known = price.prices()
        say(f"What it costs while everything sleeps, at {known['region']}'s list prices of {known['date']}, in $:")
        say(price.table(whole))
        if given.trunking:
            say(trunking)
        begun = False
        try:
            if not given.dry_run and agreed(f"Do this in {account.region}?", given.yes):
                account["cloudformation"].execute_change_set(ChangeSetName=changes["id"], StackName=stack.name)
                begun = True
        finally:
            # Also where nobody could be asked, or somebody answered with Ctrl-C, or it is refused.
            if not begun:
                _forget(stack, changes["id"], changes["fresh"])
                say("Nothing was changed.")
        if not begun:
            return
        follow(stack, changes)
    finish(account, stack, given.trunking)
    told(stack, whole, changes is not None)


def build(given: argparse.Namespace, account: Account, whole: dict[str, str]) -> None:
    """Builds the images, if that is agreed to."""
    question = f"Build the images here, and push them into this account's ECR (dormouse/{given.install_id}/…)?"
    if not agreed(question, given.yes):
        raise Refused(f"not given: {', '.join(images.IMAGES)} (IMAGES=… names a registry and path)")
    images.push(account, given.install_id, {name: whole[name] for name in images.IMAGES})


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    return run(given, lambda account, stack: deploy(given, account, stack))


def _forget(stack: Stack, change_set_id: str, fresh: bool) -> None:
    """Leaves nothing of a change set that was only looked at."""
    client = stack.account["cloudformation"]
    client.delete_change_set(ChangeSetName=change_set_id, StackName=stack.name)
    if fresh:
        client.delete_stack(StackName=stack.name)


if __name__ == "__main__":
    sys.exit(main())
