"""Auto Scaling with limits, delays and protected scale-in: its instances boot, join a cluster, and take tasks along."""

from __future__ import annotations

import re
import sys
import uuid
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, TerminateInstanceActivity
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from awslocal.agents import instance_role
from awslocal.ecs import Ecs
from awslocal.errors import AwsError

LIVE = ("Pending", "InService")


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


class AutoScaling:
    """The fleet behind all groups; moto keeps the groups, this decides what their instances do."""

    def __init__(self, ecs: Ecs) -> None:
        self.ecs = ecs
        self.world = ecs.world
        self.activities: dict[str, list[dict[str, Any]]] = {}
        self._retrying: set[str] = set()
        self._teach_moto()

    def _teach_moto(self) -> None:
        update, protect, delete = (
            AutoScalingBackend.update_auto_scaling_group,
            AutoScalingBackend.set_instance_protection,
            AutoScalingBackend.delete_auto_scaling_group,
        )
        fleet = self

        def set_capacity(group: FakeAutoScalingGroup, value: int | None) -> None:
            group.desired_capacity = group.min_size if value is None else value
            fleet.reconcile(group)

        def set_desired_capacity(backend: AutoScalingBackend, name: str, value: int) -> None:
            group = found(backend, name)
            for bound, wrong, word in (
                (group.max_size, value > group.max_size, "above max"),
                (group.min_size, value < group.min_size, "below min"),
            ):
                if wrong:
                    raise invalid(
                        f"New SetDesiredCapacity value {value} is {word} value {bound} for the AutoScalingGroup."
                    )
            fleet.world.stats.desired_capacity(name, group.desired_capacity, value)
            group.set_desired_capacity(value)

        def update_group(backend: AutoScalingBackend, name: str, **given: Any) -> Any:
            group = found(backend, name)
            low = group.min_size if given.get("min_size") is None else given["min_size"]
            high = group.max_size if given.get("max_size") is None else given["max_size"]
            if low > high:
                raise invalid(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
            wanted = given.get("desired_capacity")
            if wanted is None:
                clamped = max(low, min(high, group.desired_capacity))
                given["desired_capacity"] = clamped if clamped != group.desired_capacity else None
                if given["desired_capacity"] is None:
                    # Moto would compare with the number of instances, which may still be booting.
                    group.min_size, group.max_size = low, high
                    given["min_size"] = given["max_size"] = None
            elif not low <= wanted <= high:
                raise invalid(
                    f"Desired capacity:{wanted} must be between the specified min size:{low} and max size:{high}"
                )
            else:
                fleet.world.stats.desired_capacity(name, group.desired_capacity, wanted)
            return update(backend, name, **given)

        def set_instance_protection(backend: AutoScalingBackend, name: str, ids: list[str], on: bool) -> None:
            group = found(backend, name)
            if len(ids) > 50:
                raise invalid("The number of instance ids that can be passed in this request is limited to 50.")
            members = {state.instance.id for state in group.instance_states}
            for one in ids:
                if one not in members:
                    raise invalid(f"The instance {one} is not part of Auto Scaling group {name}.")
            protect(backend, name, ids, on)
            # A group that could not shrink for protection does so as soon as it may.
            fleet.reconcile(group)

        def terminate_instance(backend: AutoScalingBackend, instance_id: str, decrement: bool) -> Any:
            state = fleet.member(backend, instance_id)
            if state is None:
                raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
            group = state.auto_scaling_group
            before = group.desired_capacity
            if state.lifecycle_state not in LIVE:
                return TerminateInstanceActivity(state.instance, before)
            if decrement:
                if before <= group.min_size:
                    raise invalid(
                        f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without "
                        "replacement will violate group's min size constraint. Either set "
                        "shouldDecrementDesiredCapacity flag to false or lower group's min size."
                    )
                group.desired_capacity -= 1
            fleet.terminate(state, "TerminateInstanceInAutoScalingGroup")
            fleet.reconcile(group)
            return TerminateInstanceActivity(state.instance, before)

        def notify_terminate_instances(backend: AutoScalingBackend, ids: list[str]) -> None:
            for one in ids:
                state = fleet.member(backend, one)
                if state is not None and state.lifecycle_state in LIVE:
                    fleet.terminate(state, "TerminateInstances")
                    fleet.reconcile(state.auto_scaling_group)

        def delete_group(backend: AutoScalingBackend, name: str) -> None:
            for state in list(found(backend, name).instance_states):
                if state.lifecycle_state in LIVE:
                    fleet.terminate(state, "DeleteAutoScalingGroup")
            backend.autoscaling_groups[name].min_size = 0
            delete(backend, name)

        def describe_scaling_activities(response: AutoScalingResponse) -> ActionResult:
            name = response._get_param("AutoScalingGroupName")
            most = response._get_int_param("MaxRecords", 100)
            known = [one for group, all_ in fleet.activities.items() if name in (None, group) for one in all_]
            return ActionResult({"Activities": sorted(known, key=lambda one: one["StartTime"], reverse=True)[:most]})

        def found(backend: AutoScalingBackend, name: str) -> FakeAutoScalingGroup:
            if name not in backend.autoscaling_groups:
                raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
            return backend.autoscaling_groups[name]

        FakeAutoScalingGroup.set_desired_capacity = set_capacity
        AutoScalingBackend.set_desired_capacity = set_desired_capacity
        AutoScalingBackend.update_auto_scaling_group = update_group
        AutoScalingBackend.set_instance_protection = set_instance_protection
        AutoScalingBackend.terminate_instance = terminate_instance
        AutoScalingBackend.notify_terminate_instances = notify_terminate_instances
        AutoScalingBackend.delete_auto_scaling_group = delete_group
        AutoScalingResponse.describe_scaling_activities = describe_scaling_activities

    @staticmethod
    def member(backend: AutoScalingBackend, instance_id: str) -> Any:
        states = (state for group in backend.autoscaling_groups.values() for state in group.instance_states)
        return next((state for state in states if state.instance.id == instance_id), None)

    def cluster_of(self, group: FakeAutoScalingGroup) -> str | None:
        """The cluster that the group's instances join: by the seed, a tag, or ECS_CLUSTER in the user data."""
        if group.name in self.world.asg_clusters:
            return self.world.asg_clusters[group.name]
        for tag in group.tags:
            if tag["Key"] == "ecs-cluster":
                return tag["Value"]
        text = group.user_data.decode() if group.user_data else ""
        match = re.search(r"ECS_CLUSTER\s*=\s*[\"']?([\w-]+)", text)
        return match.group(1) if match else None

    def reconcile(self, group: FakeAutoScalingGroup) -> None:
        """Launches or terminates until as many live instances exist as are desired."""
        live = [state for state in group.instance_states if state.lifecycle_state in LIVE]
        missing = group.desired_capacity - len(live)
        if missing > 0:
            if self.world.insufficient_capacity:
                self._refused(group)
            else:
                self._launch(group, missing)
        elif missing < 0:
            for state in [state for state in live if not state.protected_from_scale_in][:-missing]:
                self.terminate(state, "scale-in")

    def _launch(self, group: FakeAutoScalingGroup, count: int) -> None:
        config, clock = self.world.config, self.world.clock
        group.replace_autoscaling_group_instances(count, group.get_propagated_tags())
        for state in group.instance_states[-count:]:
            state.lifecycle_state = "Pending"
            self._note(group, f"Launching a new EC2 instance: {state.instance.id}", "Successful")
            clock.after(config.launch_delay, lambda state=state: self._in_service(state))
            clock.after(config.boot_delay, lambda state=state: self._booted(group, state))

    @staticmethod
    def _in_service(state: Any) -> None:
        if state.lifecycle_state == "Pending":
            state.lifecycle_state = "InService"

    def _booted(self, group: FakeAutoScalingGroup, state: Any) -> None:
        cluster = self.cluster_of(group)
        if state.lifecycle_state not in LIVE or cluster not in self.ecs.moto.clusters:
            return
        role = instance_role(group)
        refused = self.ecs.agents.join(role, cluster)
        if refused:
            print(f"{state.instance.id} does not join {cluster}: {refused}", file=sys.stderr, flush=True)
        else:
            self.ecs.register_instance(cluster, state.instance, group.name, role)

    def _refused(self, group: FakeAutoScalingGroup) -> None:
        if group.name in self._retrying:
            return
        zone = group.availability_zones[0]
        reason = (
            f"We currently do not have sufficient {group.instance_type} capacity in the Availability Zone you "
            f"requested ({zone}). Our system will be working on provisioning additional capacity. "
            "Launching EC2 instance failed."
        )
        self._note(group, f"Launching a new EC2 instance.  Status Reason: {reason}", "Failed", reason)
        self._retrying.add(group.name)
        self.world.clock.after(self.world.config.capacity_retry, lambda: self._retry(group))

    def _retry(self, group: FakeAutoScalingGroup) -> None:
        self._retrying.discard(group.name)
        if group.autoscaling_backend.autoscaling_groups.get(group.name) is group:
            self.reconcile(group)

    def terminate(self, state: Any, cause: str, grace: float | None = None) -> None:
        """Ends an instance and the tasks on it; a termination of a busy one is on record."""
        instance, group = state.instance, state.auto_scaling_group
        grace = self.world.config.terminate_grace if grace is None else grace
        state.lifecycle_state = "Terminating"
        self._note(group, f"Terminating EC2 instance: {instance.id}", "Successful", cause=cause)
        if instance._state.name != "terminated":
            instance._state.name, instance._state.code = "shutting-down", 32
        host = self.ecs.on_host(instance.id)
        if host is not None:
            if host.busy():
                self.world.stats.busy_termination(instance.id, host.busy(), cause)
            host.agent_connected = False
            host.changed()
            for task in list(host.tasks.values()):
                reason = f"Host EC2 (instance {instance.id}) terminated."
                self.ecs.life.stop(task, "TerminationNotice", reason, grace)
        self._finish(state, host)

    def _finish(self, state: Any, host: Any) -> None:
        """Waits for the tasks to be gone, then takes the instance out of its cluster, its group and EC2."""
        if host is not None and host.tasks:
            self.world.clock.after(0.1, lambda: self._finish(state, host))
            return
        if host is not None:
            self.ecs.remove_instance(host)
        group, instance = state.auto_scaling_group, state.instance
        group.instance_states = [one for one in group.instance_states if one is not state]
        if instance._state.name != "terminated":
            instance.terminate()
        for interface in list(instance.nics.values()):
            # Moto keeps them, and a small subnet then runs out of addresses.
            if interface.id in interface.ec2_backend.enis:
                interface.delete()

    def fail(self, state: Any) -> None:
        """The host dies: nothing on it gets a chance to end well."""
        self.terminate(state, "failure", grace=0)
        self.reconcile(state.auto_scaling_group)

    def interrupt(self, state: Any, notice: float) -> None:
        """Spot takes an instance back: its agent drains it, and after the notice it is gone."""
        host = self.ecs.on_host(state.instance.id)
        if host is not None and self.ecs.agents.drain(host.role, host.cluster, host.arn) is None:
            host.status = "DRAINING"
            host.changed()
        self.world.clock.after(notice, lambda: self._taken(state))

    def _taken(self, state: Any) -> None:
        if state.lifecycle_state in LIVE:
            self.fail(state)

    def _note(
        self, group: FakeAutoScalingGroup, description: str, status: str, message: str = "", cause: str = ""
    ) -> None:
        now = utcnow()
        notes = self.activities.setdefault(group.name, [])
        notes.append(
            {
                "ActivityId": str(uuid.uuid4()),
                "AutoScalingGroupName": group.name,
                "Description": description,
                "Cause": cause
                or f"At {now:%Y-%m-%dT%H:%M:%SZ} an instance was started in response to a difference "
                "between desired and actual capacity.",
                "StartTime": now,
                "EndTime": now,
                "StatusCode": status,
                "StatusMessage": message,
                "Progress": 100,
                "Details": "{}",
            }
        )
        del notes[:-200]
