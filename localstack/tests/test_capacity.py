"""The auto scaling group, its container instances, and where tasks are placed."""

from __future__ import annotations

from typing import Any

from tests.conftest import Local, eventually
from tests.test_tasks import refused


def place(local: Local, definition: str, **more: Any) -> dict[str, Any]:
    return local.client("ecs").run_task(
        cluster="dormouse-service", launchType="EC2", networkConfiguration=local.network(), taskDefinition=definition,
        **more,
    )  # fmt: skip


def test_an_instance_joins_and_is_described(local: Local) -> None:
    ecs, asg = local.client("ecs"), local.client("autoscaling")
    asg.set_desired_capacity(AutoScalingGroupName="dormouse-asg", DesiredCapacity=2)
    group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["dormouse-asg"])["AutoScalingGroups"][0]
    assert [one["LifecycleState"] for one in group["Instances"]] == ["Pending", "Pending"]
    local.capacity(2)
    group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["dormouse-asg"])["AutoScalingGroups"][0]
    assert group["DesiredCapacity"] == 2
    assert {(one["LifecycleState"], one["ProtectedFromScaleIn"]) for one in group["Instances"]} == {
        ("InService", False)
    }
    arns = ecs.list_container_instances(cluster="dormouse-service", status="ACTIVE")["containerInstanceArns"]
    assert len(arns) == 2
    answer = ecs.describe_container_instances(cluster="dormouse-service", containerInstances=[*arns, "nope"])
    assert [one["reason"] for one in answer["failures"]] == ["MISSING"]
    shown = answer["containerInstances"][0]
    assert shown["agentConnected"] and shown["status"] == "ACTIVE" and shown["registeredAt"]
    assert {one["ec2InstanceId"] for one in answer["containerInstances"]} == {
        one["InstanceId"] for one in group["Instances"]
    }
    sizes = {one["name"]: one.get("integerValue") for one in shown["remainingResources"]}
    assert (sizes["CPU"], sizes["MEMORY"]) == (2048, 4096)
    cluster = ecs.describe_clusters(clusters=["dormouse-service"])["clusters"][0]
    assert cluster["registeredContainerInstancesCount"] == 2


def test_placement_respects_size_and_interfaces(local: Local) -> None:
    local.capacity(1)
    small, ecs = local.define("small"), local.client("ecs")
    answer = place(local, small, count=4)
    assert len(answer["tasks"]) == 3
    assert [one["reason"] for one in answer["failures"]] == ["RESOURCE:ENI"]
    arn = answer["failures"][0]["arn"]
    shown = ecs.describe_container_instances(cluster="dormouse-service", containerInstances=[arn])
    sizes = {one["name"]: one.get("integerValue") for one in shown["containerInstances"][0]["remainingResources"]}
    assert (sizes["CPU"], sizes["MEMORY"]) == (2048 - 3 * 256, 4096 - 3 * 512)
    for task in answer["tasks"]:
        assert local.reaches(task, "RUNNING")["containerInstanceArn"] == arn
    counts = ecs.describe_container_instances(cluster="dormouse-service", containerInstances=[arn])
    assert counts["containerInstances"][0]["runningTasksCount"] == 3
    hosted = ecs.list_tasks(cluster="dormouse-service", containerInstance=arn)["taskArns"]
    assert set(hosted) == {one["taskArn"] for one in answer["tasks"]}
    ecs.stop_task(cluster="dormouse-service", task=answer["tasks"][0]["taskArn"])
    local.reaches(answer["tasks"][0], "STOPPED")
    big = local.define("big", cpu="4096", memory="512", requiresCompatibilities=["EC2"])
    assert place(local, big)["failures"][0]["reason"] == "RESOURCE:CPU"
    fat = local.define("fat", cpu="256", memory="8192", requiresCompatibilities=["EC2"])
    assert place(local, fat)["failures"][0]["reason"] == "RESOURCE:MEMORY"
    assert len(place(local, small)["tasks"]) == 1


def test_draining_and_disconnected_instances_get_nothing(local: Local) -> None:
    one, two = local.capacity(2)
    ecs, small = local.client("ecs"), local.define("small")
    first = one["containerInstance"]["arn"]
    answer = ecs.update_container_instances_state(
        cluster="dormouse-service", containerInstances=[first], status="DRAINING"
    )
    assert answer["containerInstances"][0]["status"] == "DRAINING"
    assert ecs.list_container_instances(cluster="dormouse-service", status="DRAINING")["containerInstanceArns"] == [
        first
    ]
    for _ in range(2):
        assert place(local, small)["tasks"][0]["containerInstanceArn"] == two["containerInstance"]["arn"]
    local.post(f"instances/{two['instance']}/disconnect")
    assert [failure["reason"] for failure in place(local, small)["failures"]] == ["AGENT"]
    local.post(f"instances/{two['instance']}/connect")
    assert place(local, small)["tasks"]
    refused(
        "InvalidParameterException", "10", ecs.update_container_instances_state,
        cluster="dormouse-service", containerInstances=[f"{number:032}" for number in range(11)], status="ACTIVE",
    )  # fmt: skip


def test_a_disconnected_agent_stops_nothing(local: Local) -> None:
    (one,) = local.capacity(1)
    task = place(local, local.define("cut"))["tasks"][0]
    local.reaches(task, "RUNNING")
    local.post(f"instances/{one['instance']}/disconnect")
    local.client("ecs").stop_task(cluster="dormouse-service", task=task["taskArn"])
    local.client("ecs").stop_task(cluster="dormouse-service", task=task["taskArn"])
    seen = local.describe(task)
    assert (seen["lastStatus"], seen["desiredStatus"]) == ("DEACTIVATING", "STOPPED")
    assert local.get(f"tasks/{task['taskArn']}")["containers"][0]["pid"]
    local.post(f"instances/{one['instance']}/connect")
    local.reaches(task, "STOPPED")


def test_limits_of_the_group(local: Local) -> None:
    asg = local.client("autoscaling")
    name = {"AutoScalingGroupName": "dormouse-asg"}
    refused("ValidationError", "New SetDesiredCapacity value 11 is above max value 10 for the AutoScalingGroup.",
            asg.set_desired_capacity, **name, DesiredCapacity=11)  # fmt: skip
    asg.update_auto_scaling_group(**name, MinSize=1)
    refused("ValidationError", "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.",
            asg.set_desired_capacity, **name, DesiredCapacity=0)  # fmt: skip
    refused("ValidationError", "must be between", asg.update_auto_scaling_group, **name, DesiredCapacity=20)
    refused("ValidationError", "not found", asg.set_desired_capacity, AutoScalingGroupName="none", DesiredCapacity=1)
    only = eventually(lambda: local.get("instances")["instances"], "the minimum was launched")[0]["instance"]
    refused("ValidationError", "violate group's min size", asg.terminate_instance_in_auto_scaling_group,
            InstanceId=only, ShouldDecrementDesiredCapacity=True)  # fmt: skip
    refused("ValidationError", "No managed instance found", asg.terminate_instance_in_auto_scaling_group,
            InstanceId="i-0123456789abcdef0", ShouldDecrementDesiredCapacity=True)  # fmt: skip
    asg.terminate_instance_in_auto_scaling_group(InstanceId=only, ShouldDecrementDesiredCapacity=False)
    replaced = local.capacity(1)
    assert replaced[0]["instance"] != only


def test_protection_and_scale_in(local: Local) -> None:
    one, two = local.capacity(2)
    asg = local.client("autoscaling")
    name = {"AutoScalingGroupName": "dormouse-asg"}
    asg.set_instance_protection(**name, InstanceIds=[one["instance"]], ProtectedFromScaleIn=True)
    refused("ValidationError", "50", asg.set_instance_protection, **name, ProtectedFromScaleIn=True,
            InstanceIds=[f"i-{number:017x}" for number in range(51)])  # fmt: skip
    asg.set_desired_capacity(**name, DesiredCapacity=0)
    eventually(lambda: [this["instance"] for this in local.get("instances")["instances"]] == [one["instance"]], "")
    asg.set_instance_protection(**name, InstanceIds=[one["instance"]], ProtectedFromScaleIn=False)
    eventually(lambda: not local.get("instances")["instances"], "it goes as soon as it may")
    stats = local.get("stats")
    assert [change["to"] for change in stats["setDesiredCapacity"]] == [2, 0]
    assert stats["busyTerminations"] == []
    assert two["instance"] not in str(local.get("instances"))


def test_new_instances_may_be_protected(local: Local) -> None:
    asg = local.client("autoscaling")
    name = {"AutoScalingGroupName": "dormouse-asg"}
    asg.update_auto_scaling_group(**name, NewInstancesProtectedFromScaleIn=True)
    assert local.capacity(1)[0]["protected"]
    asg.update_auto_scaling_group(**name, NewInstancesProtectedFromScaleIn=False)


def test_a_termination_kills_and_is_on_record(local: Local) -> None:
    (one,) = local.capacity(1)
    task = place(local, local.define("victim"))["tasks"][0]
    local.reaches(task, "RUNNING")
    asg, ecs = local.client("autoscaling"), local.client("ecs")
    activity = asg.terminate_instance_in_auto_scaling_group(
        InstanceId=one["instance"], ShouldDecrementDesiredCapacity=True
    )["Activity"]
    assert one["instance"] in activity["Description"]
    seen = local.reaches(task, "STOPPED")
    assert seen["stoppedReason"] == f"Host EC2 (instance {one['instance']}) terminated."
    eventually(lambda: not ecs.list_container_instances(cluster="dormouse-service")["containerInstanceArns"], "it left")
    terminated = local.get("stats")["busyTerminations"]
    assert [(this["instance"], this["tasks"]) for this in terminated] == [(one["instance"], [task["taskArn"]])]
    group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["dormouse-asg"])["AutoScalingGroups"][0]
    assert (group["DesiredCapacity"], group["Instances"]) == (0, [])
    state = local.client("ec2").describe_instances(InstanceIds=[one["instance"]])
    assert state["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"


def test_ec2_termination_and_failure_are_replaced(local: Local) -> None:
    (one,) = local.capacity(1)
    task = place(local, local.define("victim"))["tasks"][0]
    local.reaches(task, "RUNNING")
    local.client("ec2").terminate_instances(InstanceIds=[one["instance"]])
    assert "terminated" in local.reaches(task, "STOPPED")["stoppedReason"]
    (two,) = local.capacity(1)
    assert two["instance"] != one["instance"]
    local.post(f"instances/{two['instance']}/fail")
    (three,) = local.capacity(1)
    assert three["instance"] != two["instance"]


def test_insufficient_capacity(local: Local) -> None:
    asg = local.client("autoscaling")
    local.post("capacity", {"insufficient": True})
    asg.set_desired_capacity(AutoScalingGroupName="dormouse-asg", DesiredCapacity=1)

    def failed() -> list[Any]:
        known = asg.describe_scaling_activities(AutoScalingGroupName="dormouse-asg")["Activities"]
        return [one for one in known if one["StatusCode"] == "Failed"]

    assert "sufficient t3.xlarge capacity" in eventually(failed, "a failed activity")[0]["StatusMessage"]
    assert not local.get("instances")["instances"]
    local.post("capacity", {"insufficient": False})
    eventually(lambda: local.get("instances")["instances"], "launched after all")
