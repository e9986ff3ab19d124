"""DynamoDB is moto's: the server's one lock is what makes its conditional writes atomic."""

from __future__ import annotations

from typing import Any

from moto.dynamodb import dynamodb_backends

from awslocal.world import ACCOUNT


def create_table(region: str, name: str, key: str, ttl: str) -> None:
    """A table with a string key, paid per request, with a TTL attribute (by which nothing is ever deleted here)."""
    backend = dynamodb_backends[ACCOUNT][region]
    backend.create_table(
        name,
        schema=[{"AttributeName": key, "KeyType": "HASH"}],
        throughput=None,
        attr=[{"AttributeName": key, "AttributeType": "S"}],
        global_indexes=None,
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    backend.update_time_to_live(name, {"Enabled": True, "AttributeName": ttl})


def items(region: str, table: str) -> list[dict[str, Any]]:
    """Every item of a table, in DynamoDB's JSON."""
    found = dynamodb_backends[ACCOUNT][region].tables.get(table)
    return [item.to_json()["Attributes"] for item in found.all_items()] if found else []
