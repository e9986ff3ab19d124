"""EC2's network interfaces: found by id at once, and gone with their tasks; and AWS's own machine images."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from moto.ec2.exceptions import InvalidNetworkInterfaceIdError
from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.utils import parse_user_data
from moto.utilities.utils import load_resource

# AWS deprecates an image of its own two years after it was made.
LASTS = timedelta(days=2 * 365)


@cache
def optimised(region: str) -> dict[str, dict[str, Any]]:
    """The ECS-optimised images that moto knows, by id. Not loaded at the start: there are more than a thousand."""
    known = load_resource(f"ec2/resources/ecs/optimized_amis/{region}.json")
    return {one["ami_id"]: {**one, "owner_alias": "amazon"} for one in known}


def newest(region: str, architecture: str) -> str:
    """The id of the newest one of a processor."""
    own = [
        one
        for one in optimised(region).values()
        if one["architecture"] == architecture and one["name"].startswith("al2023-ami-ecs-hvm-")
    ]
    return str(max(own, key=lambda one: str(one["name"]))["ami_id"])


def architecture(region: str, image: str) -> dict[str, str]:
    """What the agent of an instance that starts from an image says of its processor; nothing of images of one's own."""
    known = optimised(region).get(image)
    return {"ecs.cpu-architecture": str(known["architecture"])} if known else {}


def _deprecated_at(name: str) -> datetime | None:
    made = re.search(r"20\d{6}", name)
    if made is None:
        return None
    return datetime.strptime(made.group(), "%Y%m%d") + LASTS


def teach_moto() -> None:
    describe_images = AmisResponse.describe_images

    def images(response: Any) -> Any:
        backend = response.ec2_backend
        for one in [*response._get_param("ImageIds", []), *response._filters_from_querystring().get("image-id", [])]:
            if one not in backend.amis and (known := optimised(backend.region_name).get(one)):
                backend.amis[one] = Ami(backend, **known)
                backend.amis[one].deprecation_time = _deprecated_at(known["name"])
        answer = describe_images(response)
        if not response._get_bool_param("IncludeDeprecated"):
            now = datetime.now()
            fresh = [one for one in answer.result["Images"] if (getattr(one, "deprecation_time", None) or now) >= now]
            answer.result["Images"] = fresh
        return answer

    AmisResponse.describe_images = images
    describe, value = NetworkInterfaceBackend.get_all_network_interfaces, NetworkInterface.get_filter_value

    def get_all_network_interfaces(backend: Any, eni_ids: list[str] | None = None, filters: Any = None) -> Any:
        if eni_ids and not filters:
            for one in eni_ids:
                if one not in backend.enis:
                    raise InvalidNetworkInterfaceIdError(one)
            return [backend.enis[one] for one in eni_ids]
        return describe(backend, eni_ids, filters)

    def get_filter_value(eni: NetworkInterface, name: str, method_name: str | None = None) -> Any:
        if name in ("association.public-ip", "addresses.association.public-ip"):
            return eni.public_ip
        if name == "status":
            return eni.status
        return value(eni, name, method_name)

    create = LaunchTemplate.create_version

    def create_version(template: LaunchTemplate, data: dict[str, Any], description: str) -> Any:
        """moto takes a later version's user data as it comes, and then launches nothing."""
        if isinstance(text := data.get("UserData"), str):
            data = {**data, "UserData": parse_user_data(text)}
        return create(template, data, description)

    LaunchTemplate.create_version = create_version
    NetworkInterfaceBackend.get_all_network_interfaces = get_all_network_interfaces
    NetworkInterface.get_filter_value = get_filter_value
