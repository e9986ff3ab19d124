"""Ends an installation: everything asleep, what bears its ownership marks gone, the stack deleted.

python manifests/infrastructure/undeploy.py --install-id main
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from installation import Account, Refused, Stack, agreed, installations, parser, run, say

import images

PATIENCE = 1800.0
LOOK = 5.0
# A batch of Route 53 has 1,000 elements at most; a service has two record sets of a few.
SETS_PER_BATCH = 100


def arguments(argv: list[str] | None) -> argparse.Namespace:
    made = parser("make undeploy", "Removes an installation, and all that it made.")
    made.add_argument("--server", default=os.environ.get("DORMOUSE_SERVER"), help="the API, if it can be reached")
    return made.parse_args(argv)


def until(what: str, is_so: Callable[[], bool], look: float = LOOK) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise Refused(f"not within {PATIENCE / 60:.0f} minutes: {what}. Call it again to go on")
        time.sleep(look)


class Installation:
    """What is there, and how each part of it ends."""

    def __init__(self, account: Account, stack: Stack) -> None:
        self.account = account
        self.stack = stack
        self.outputs = stack.outputs()
        self.settings = stack.settings()
        self.install = self.settings.get("DORMOUSE_INSTALL_ID", "")
        clusters = (self.settings.get("PROXY_CLUSTER"), self.settings.get("SERVICE_CLUSTER"))
        self.clusters = [one for one in dict.fromkeys(clusters) if one]

    def asleep(self, server: str | None) -> None:
        """Puts every service to sleep through the API, so that no request is cut off."""
        if not server:
            say("  no DORMOUSE_SERVER: services are not put to sleep first; requests in flight will be cut off")
            return
        secret = self.account["secretsmanager"].get_secret_value(SecretId=self.outputs["ControllerSecretArn"])
        token = json.loads(secret["SecretString"])["apiToken"]

        def call(method: str, path: str) -> Any:
            request = urllib.request.Request(server.rstrip("/") + path, method=method)
            request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=150) as answer:
                return json.load(answer)

        try:
            services = call("GET", "/v1/services")["items"]
        except (urllib.error.URLError, OSError) as problem:
            say(f"  {server} does not answer ({problem}): requests in flight will be cut off")
            return
        names = [one["metadata"]["name"] for one in services if one["status"]["phase"] != "Asleep"]
        for name in names:
            call("POST", f"/v1/services/{name}/sleep")
        for name in names:
            try:
                call("POST", f"/v1/services/{name}/sleep?wait=120s")
            except urllib.error.HTTPError as problem:
                say(f"  {name} is not asleep after two minutes ({problem.code})")
        say(f"  {len(services)} services are declared, {len(names)} were put to sleep")

    def controller(self) -> None:
        """Ends the controller, which would start again what ends here."""
        ecs, cluster, name = self.account["ecs"], self.settings["PROXY_CLUSTER"], self.outputs["ControllerServiceName"]
        service = ecs.describe_services(cluster=cluster, services=[name])["services"]
        if not service or service[0]["status"] != "ACTIVE":
            return
        ecs.update_service(cluster=cluster, service=name, desiredCount=0)
        until("the controller has ended", lambda: not ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"])
        say("  it has ended")

    def tasks(self) -> list[tuple[str, str]]:
        """Cluster and ARN of every task of this installation."""
        pages = self.account["ecs"].get_paginator("list_tasks")
        return [
            (cluster, arn)
            for cluster in self._there()
            for page in pages.paginate(cluster=cluster, startedBy=f"dormouse/{self.install}")
            for arn in page["taskArns"]
        ]

    def _there(self) -> list[str]:
        if not self.clusters:
            return []
        found = self.account["ecs"].describe_clusters(clusters=self.clusters)["clusters"]
        return [one["clusterName"] for one in found if one["status"] == "ACTIVE"]

    def stop(self) -> None:
        tasks = self.tasks()
        for cluster, arn in tasks:
            self.account["ecs"].stop_task(cluster=cluster, task=arn, reason="dormouse: the installation is removed")
        say(f"  {len(tasks)} tasks were asked to stop")
        until("all tasks have stopped", lambda: not self._live(tasks))

    def _live(self, tasks: list[tuple[str, str]]) -> list[str]:
        live = []
        for cluster in self.clusters:
            arns = [arn for place, arn in tasks if place == cluster]
            for start in range(0, len(arns), 100):
                answer = self.account["ecs"].describe_tasks(cluster=cluster, tasks=arns[start : start + 100])
                live += [one["taskArn"] for one in answer["tasks"] if one["lastStatus"] != "STOPPED"]
        return live

    def records(self, zone: str) -> list[dict[str, Any]]:
        """The record sets of this installation in a zone: what an ownership TXT of it names, and still is so."""
        pages = self.account["route53"].get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        sets = [one for page in pages for one in page["ResourceRecordSets"]]
        plain = {(_plain(one["Name"]), one["Type"]): one for one in sets if "SetIdentifier" not in one}
        found = []
        for (name, kind), one in plain.items():
            values = [value["Value"].strip('"') for value in one.get("ResourceRecords", [])]
            owner, marked, domain = name.partition("._dormouse.")
            head = f"heritage=dormouse,install={self.install},service={owner},"
            if kind != "TXT" or not marked or not any(value.startswith(head) for value in values):
                continue
            if zone == self.settings["HOSTED_ZONE_ID"] and domain != self.settings["DOMAIN"]:
                # In another region there may be one of the same name.
                continue
            found.append(one)
            for value in values:
                target, _, addresses = value.removeprefix("a=").partition(":")
                record = plain.get((target, "A")) if value.startswith("a=") else None
                given = sorted(addresses.split("+"))
                if record and sorted(v["Value"] for v in record.get("ResourceRecords", [])) == given:
                    found.append(record)
        return found

    def zones(self) -> list[str]:
        return [self.settings[one] for one in ("HOSTED_ZONE_ID", "PRIVATE_HOSTED_ZONE_ID") if one in self.settings]

    def remove_records(self) -> None:
        for zone in self.zones():
            sets = self.records(zone)
            for start in range(0, len(sets), SETS_PER_BATCH):
                part = sets[start : start + SETS_PER_BATCH]
                changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in part]
                batch = {"Comment": f"dormouse {self.install}: removed", "Changes": changes}
                self.account["route53"].change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
            say(f"  {len(sets)} record sets were deleted in {zone}")

    def _group(self) -> dict[str, Any] | None:
        name = self.settings["SERVICE_ASG_NAME"]
        found = self.account["autoscaling"].describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(iter(found["AutoScalingGroups"]), None)

    def remove_instances(self) -> None:
        group, client = self._group(), self.account["autoscaling"]
        if group is None:
            return
        name = group["AutoScalingGroupName"]
        ids = [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]
        for start in range(0, len(ids), 50):
            part = ids[start : start + 50]
            client.set_instance_protection(AutoScalingGroupName=name, InstanceIds=part, ProtectedFromScaleIn=False)
        client.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)
        say(f"  {len(group['Instances'])} instances are ended")

        def none_left() -> bool:
            left = (self._group() or {"Instances": []})["Instances"]
            for one in left:
                if one["LifecycleState"] == "Terminating:Wait":
                    # Nothing runs on it any more that the hook would wait for.
                    client.complete_lifecycle_action(
                        AutoScalingGroupName=name,
                        LifecycleHookName="drain",
                        InstanceId=one["InstanceId"],
                        LifecycleActionResult="CONTINUE",
                    )
            return not left

        until("all instances are gone", none_left)

    def _services(self) -> dict[str, bool]:
        return self.definitions(f"dormouse-{self.install}-")

    def _controllers(self) -> dict[str, bool]:
        """The stack's own, of which ECS remembers every one that was in use."""
        return self.definitions(f"dormouse-controller-{self.install}")

    def definitions(self, prefix: str) -> dict[str, bool]:
        """Task definitions of this installation, also those that are only remembered; whether each is active."""
        ecs = self.account["ecs"]
        families = ecs.get_paginator("list_task_definition_families").paginate(familyPrefix=prefix, status="ALL")
        found = [
            (arn, status == "ACTIVE")
            for family in [one for page in families for one in page["families"]]
            for status in ("ACTIVE", "INACTIVE")
            for page in ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
            for arn in page["taskDefinitionArns"]
        ]
        # The family of another installation may begin like ours: its tag tells.
        return {arn: active for arn, active in found if self._ours(arn)}

    def _ours(self, arn: str) -> bool:
        answer = self.account["ecs"].describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return {"key": "dormouse:install", "value": self.install} in answer.get("tags", [])

    def deregister(self) -> None:
        self._deregister(self._services())

    def _deregister(self, found: dict[str, bool]) -> None:
        for arn in (one for one, active in found.items() if active):
            self.account["ecs"].deregister_task_definition(taskDefinition=arn)
        arns = list(found)
        for start in range(0, len(arns), 10):
            self.account["ecs"].delete_task_definitions(taskDefinitions=arns[start : start + 10])
        say(f"  {len(arns)} task definitions were deleted")

    def remove_images(self) -> None:
        names = images.found(self.account, self.install)
        images.remove(self.account, names)
        say(f"  {len(names)} repositories were deleted")

    def delete_stack(self) -> None:
        self.account["cloudformation"].delete_stack(StackName=self.stack.name)
        until("the stack is deleted", self._deleted)
        say(f"  {self.stack.name} is deleted")
        if self.install:
            self._deregister(self._controllers())

    def _deleted(self) -> bool:
        found = self.stack.found()
        if found and found["StackStatus"] == "DELETE_FAILED":
            why = found.get("StackStatusReason", "its events say why")
            raise Refused(f"the stack {self.stack.name} could not be deleted: {why}")
        return found is None or found["StackStatus"] == "DELETE_COMPLETE"

    def left(self) -> list[str]:
        """What should be gone, and is not."""
        left = [f"stack {self.stack.name}"] if not self._deleted() else []
        left += [f"task {arn}" for _, arn in self.tasks()]
        left += [f"record {one['Name']} {one['Type']} in {zone}" for zone in self.zones() for one in self.records(zone)]
        left += [f"task definition {arn}" for arn in self._services() | self._controllers()]
        left += [f"cluster {one}" for one in self._there()]
        left += [f"group {self.settings['SERVICE_ASG_NAME']}"] if self._group() else []
        table = self.settings["LAUNCH_LOCKS_TABLE_NAME"]
        tables = self.account["dynamodb"].get_paginator("list_tables").paginate()
        left += [f"table {one}" for page in tables for one in page["TableNames"] if one == table]
        groups = self.account["logs"].describe_log_groups(logGroupNamePrefix=f"/dormouse/{self.install}/")["logGroups"]
        return left + [f"log group {one['logGroupName']}" for one in groups]


def _plain(name: str) -> str:
    return name.rstrip(".").replace("\\052", "*")


def undeploy(given: argparse.Namespace, account: Account, stack: Stack) -> None:
    """Puts all to sleep, and removes what there is."""
    if stack.found() is None:
        others = ", ".join(f"{one.install} ({one.domain})" for one in installations(account))
        say(f"There is no stack {stack.name} in {account.region}{f'; there is {others}' if others else ''}.")
        # It ends before the images do.
        names = images.found(account, given.install_id)
        if names and agreed(f"{len(names)} repositories of images are left of it. Delete them?", given.yes):
            images.remove(account, names)
            say(f"{len(names)} repositories were deleted.")
        return
    one = Installation(account, stack)
    if not one.outputs:
        # It never came into being: nothing of it can have made anything.
        if agreed(f"The stack {stack.name} is not whole. Delete it?", given.yes):
            one.delete_stack()
        return
    say(f"This ends the installation {one.install} of {one.settings['DOMAIN']}: its services, their records, the")
    say("instances, and the table with everything that was declared.")
    if not agreed("Do that?", given.yes):
        say("Nothing was changed.")
        return
    for what, step in (
        ("Services", lambda: one.asleep(given.server)),
        ("Controller", one.controller),
        ("Records", one.remove_records),
        ("Tasks", one.stop),
        ("Instances", one.remove_instances),
        ("Task definitions", one.deregister),
        ("Stack", one.delete_stack),
        ("Images", one.remove_images),
    ):
        say(f"{what}:")
        step()
    left = one.left()
    for thing in left:
        say(f"left: {thing}")
    if left:
        raise Refused(f"{len(left)} things are left; call it again, or remove them by hand")
    say("Nothing is left. DynamoDB keeps a backup of the table for 35 days, free of charge.")


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    return run(given, lambda account, stack: undeploy(given, account, stack))


if __name__ == "__main__":
    sys.exit(main())
