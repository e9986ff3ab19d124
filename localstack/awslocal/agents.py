"""What AWS does under an account's roles: an instance joins and reports, a task's images and secrets are read.

Nothing is called for it here. What matters is that the role allows it: else it fails as it would there.
"""

from __future__ import annotations

import re
from typing import Any

from moto.iam import iam_backends

from awslocal import logs
from awslocal.authorization import Ask, cluster_context
from awslocal.iam import Policies
from awslocal.tasks import Container, Task
from awslocal.world import ACCOUNT, World

ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@]+)")


def instance_role(group: Any) -> str | None:
    """The role of a group's instances, by its launch template's instance profile."""
    template = group.ec2_launch_template
    data = template.get_version(group.launch_template_version).data if template else {}
    profile = data.get("IamInstanceProfile") or {}
    for one in iam_backends[ACCOUNT]["aws"].instance_profiles.values():
        if profile.get("Arn") == one.arn or profile.get("Name") == one.name:
            return next((role.arn for role in one.roles), None)
    return None


class Agents:
    """Each answers why something may not be done; None when it may."""

    def __init__(self, world: World, policies: Policies) -> None:
        self.world = world
        self.policies = policies

    def join(self, role: str | None, cluster: str) -> str | None:
        here = [self.world.arn("ecs", f"cluster/{cluster}")]
        asked = Ask("ecs:DiscoverPollEndpoint", ["*"]), Ask("ecs:RegisterContainerInstance", here)
        return self.policies.act(role, *asked)

    def connect(self, role: str | None, cluster: str, instance: str) -> str | None:
        actions = "ecs:Poll", "ecs:StartTelemetrySession"
        return self.policies.act(role, *(Ask(one, [instance], cluster_context(self.world, cluster)) for one in actions))

    def drain(self, role: str | None, cluster: str, instance: str) -> str | None:
        context = cluster_context(self.world, cluster)
        return self.policies.act(role, Ask("ecs:UpdateContainerInstancesState", [instance], context))

    def report(self, role: str | None, cluster: str) -> str | None:
        here = [self.world.arn("ecs", f"cluster/{cluster}")]
        what = "Attachment", "Container", "Task"
        names = [f"ecs:Submit{one}StateChange{'s' if one == 'Attachment' else ''}" for one in what]
        return self.policies.act(role, *(Ask(one, here) for one in names))

    def start(self, task: Task, container: Container) -> str | None:
        """Image, secrets and log of a container, under the execution role; without one, under the instance's."""
        host = task.container_instance
        role = getattr(task.definition, "execution_role_arn", None) or (host.role if host else None)
        return self.policies.act(role, *self._image(container), *self._secrets(container), *self._log(task, container))

    def _image(self, container: Container) -> list[Ask]:
        match = ECR.match(container.image)
        if not match:
            return []
        account, region, repository = match.groups()
        here = [f"arn:aws:ecr:{region}:{account}:repository/{repository}"]
        layers = "BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"
        return [Ask("ecr:GetAuthorizationToken", ["*"]), *(Ask(f"ecr:{one}", here) for one in layers)]

    def _secrets(self, container: Container) -> list[Ask]:
        found = []
        for one in container.definition.get("secrets") or []:
            reference = one["valueFrom"]
            if ":secretsmanager:" in reference:
                found.append(Ask("secretsmanager:GetSecretValue", [":".join(reference.split(":")[:7])]))
            else:
                name = reference.split(":parameter", 1)[-1].lstrip("/")
                found.append(Ask("ssm:GetParameters", [self.world.arn("ssm", f"parameter/{name}")]))
        return found

    def _log(self, task: Task, container: Container) -> list[Ask]:
        wanted = logs.stream(task, container)
        if wanted is None:
            return []
        group, stream = wanted
        here = [self.world.arn("logs", f"log-group:{group}:log-stream:{stream}")]
        return [Ask("logs:CreateLogStream", here), Ask("logs:PutLogEvents", here)]
