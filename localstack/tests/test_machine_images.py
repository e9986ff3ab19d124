"""AWS's own machine images: found by their ids, with the processor and the date that they have."""

from __future__ import annotations

from typing import Any

from awslocal.ec2 import optimised
from tests.conftest import Local

NEW_X86 = "al2023-ami-ecs-hvm-"


def found(local: Local, image: str, **more: Any) -> list[dict[str, Any]]:
    filters = [{"Name": "image-id", "Values": [image]}]
    return local.client("ec2").describe_images(Filters=filters, **more)["Images"]


def test_the_seeded_group_starts_from_an_image_that_is_there(local: Local) -> None:
    template = local.client("ec2").describe_launch_template_versions(LaunchTemplateName="dormouse-asg-template")
    image = template["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
    (one,) = found(local, image)
    assert one["Name"].startswith(NEW_X86)
    assert (one["Architecture"], one["State"]) == ("x86_64", "available")
    assert "DeprecationTime" in one


def test_what_is_not_there_is_not_found(local: Local) -> None:
    assert found(local, "ami-00000000000000000") == []


def test_deprecated_images_are_told_to_who_asks_for_them(local: Local) -> None:
    old = next(one["ami_id"] for one in optimised("us-east-1").values() if ".20240131-" in one["name"])
    assert found(local, old) == []
    (one,) = found(local, old, IncludeDeprecated=True)
    assert one["DeprecationTime"].startswith("2026-")
