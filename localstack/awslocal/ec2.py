"""EC2's network interfaces: found by id at once, and gone with the tasks that had them."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import InvalidNetworkInterfaceIdError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend


def teach_moto() -> None:
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

    NetworkInterfaceBackend.get_all_network_interfaces = get_all_network_interfaces
    NetworkInterface.get_filter_value = get_filter_value
