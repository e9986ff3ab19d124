"""All services of the local AWS, put together in the order in which they need each other."""

from __future__ import annotations

from awslocal import ec2, logs
from awslocal.autoscaling import AutoScaling
from awslocal.ecs import Ecs
from awslocal.iam import Policies
from awslocal.route53 import Route53
from awslocal.world import World


class Services:
    """The services that hold state of their own beside moto's."""

    def __init__(self, world: World) -> None:
        ec2.teach_moto()
        logs.teach_moto()
        self.policies = Policies(world)
        self.ecs = Ecs(world, self.policies)
        self.autoscaling = AutoScaling(self.ecs)
        self.route53 = Route53(world)

    def learn_stacks(self) -> None:
        """CloudFormation brings every service of moto along, which takes a while: only for who asks for it."""
        from awslocal import cloudformation, stack_deletion

        cloudformation.teach_moto()
        stack_deletion.teach_moto(self.ecs.tasks)
