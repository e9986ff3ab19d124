"""Where a task's processes listen: a loopback address of its own, behind an ENI that EC2 knows."""

from __future__ import annotations

import contextlib
from typing import Any

from awslocal.errors import AwsError
from awslocal.tasks import Task


class Loopback:
    """Linux has the whole of 127/8: each task gets one address of it, private and public at once."""

    def __init__(self, world: Any, ec2: Any) -> None:
        self.world = world
        self.ec2 = ec2

    def attach(self, task: Task, configuration: dict[str, Any]) -> None:
        task.address = self.take_address()
        task.eni = self.ec2.create_network_interface(
            subnet=configuration["subnets"][0],
            private_ip_address=task.address,
            group_ids=configuration.get("securityGroups"),
            description=f"arn:aws:ecs:{self.world.config.region}:attachment/{task.attachment_id}",
        )
        task.eni.status = "in-use"
        task.eni.interface_type = "interface"
        if task.launch_type == "FARGATE" and configuration.get("assignPublicIp") == "ENABLED":
            task.eni.public_ip = self.public_address(task)

    def public_address(self, task: Task) -> str:
        return task.address

    def take_address(self) -> str:
        return self.world.addresses.take()

    def give_address(self, address: str) -> None:
        self.world.addresses.release(address)

    def endpoint(self, task: Task) -> str:
        """Where the task's processes reach this server."""
        return self.world.endpoint

    def close(self) -> None:
        """Called when the server ends, after its processes."""

    def listen_address(self, task: Task) -> str:
        return task.address

    def argv(self, task: Task, argv: list[str]) -> list[str]:
        return argv

    def release(self, task: Task) -> None:
        if task.eni is None:
            return
        task.attachment_status = "DELETED"
        with contextlib.suppress(Exception):
            self.ec2.delete_network_interface(task.eni.id)
        self.give_address(task.address)

    def validate(self, configuration: dict[str, Any]) -> None:
        """The subnets and groups must exist, as moto would not ask."""
        subnets = configuration.get("subnets") or []
        if not subnets:
            raise AwsError("InvalidParameterException", "subnets can not be empty.")
        known = {subnet.id for subnet in self.ec2.describe_subnets()}
        for one in subnets:
            if one not in known:
                raise AwsError(
                    "InvalidParameterException",
                    f"Error retrieving subnet information for [{one}]: The subnet ID '{one}' does not exist "
                    "(ErrorCode: InvalidSubnetID.NotFound)",
                )
        for one in configuration.get("securityGroups") or []:
            if not self.ec2.get_security_group_from_id(one):
                raise AwsError(
                    "InvalidParameterException",
                    f"Error retrieving security group information for [{one}]: The security group '{one}' does not "
                    "exist (ErrorCode: InvalidGroup.NotFound)",
                )
