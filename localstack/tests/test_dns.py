"""Route 53: strict, atomic batches, order, paging, changes."""

from __future__ import annotations

from typing import Any

from tests.conftest import Local, eventually
from tests.test_tasks import refused


def record(name: str, *values: str, kind: str = "A", ttl: int = 10) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}


def change(local: Local, *changes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return local.client("route53").change_resource_record_sets(**batch(local, *changes))


def batch(local: Local, *changes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    steps = [{"Action": action, "ResourceRecordSet": one} for action, one in changes]
    return {"HostedZoneId": local.env["HOSTED_ZONE_ID"], "ChangeBatch": {"Changes": steps}}


def rejected(local: Local, words: str, *changes: tuple[str, dict[str, Any]]) -> None:
    before = names(local)
    refused("InvalidChangeBatch", words, local.client("route53").change_resource_record_sets, **batch(local, *changes))
    assert names(local) == before


def names(local: Local) -> list[tuple[str, str]]:
    zones = local.get("records")["zones"]
    zone = next(one for one in zones if one["id"] == local.env["HOSTED_ZONE_ID"])
    return [(one["Name"], one["Type"]) for one in zone["records"]]


def test_create_and_delete_are_strict(local: Local) -> None:
    hello = record("Hello.Example.com", "127.1.1.1")
    change(local, ("CREATE", hello))
    assert ("hello.example.com.", "A") in names(local)
    exists = "Tried to create resource record set [name='hello.example.com.', type='A'] but it already exists"
    rejected(local, exists, ("CREATE", hello))
    differs = "Tried to delete resource record set [name='hello.example.com.', type='A'] but the values provided do not"
    rejected(local, differs, ("DELETE", record("hello.example.com", "127.1.1.2")))
    rejected(local, differs, ("DELETE", record("hello.example.com", "127.1.1.1", ttl=11)))
    rejected(local, "but it was not found", ("DELETE", record("other.example.com", "127.1.1.1")))
    change(local, ("DELETE", hello), ("CREATE", record("hello.example.com", "127.1.1.2", "127.1.1.3")))
    rejected(local, differs, ("DELETE", hello))
    change(local, ("DELETE", record("hello.example.com.", "127.1.1.3", "127.1.1.2")))
    assert ("hello.example.com.", "A") not in names(local)


def test_a_batch_is_all_or_nothing(local: Local) -> None:
    good = record("good.example.com", "127.1.1.1")
    rejected(local, "not found", ("CREATE", good), ("DELETE", record("bad.example.com", "127.1.1.1")))
    rejected(local, "already exists", ("CREATE", good), ("CREATE", good))
    rejected(local, "is not permitted in zone example.com.", ("CREATE", record("a.example.org", "127.1.1.1")))
    rejected(local, "is not permitted in zone example.com.", ("CREATE", record("a.notexample.com", "127.1.1.1")))
    rejected(local, "ARRDATAIllegalIPv4Address", ("CREATE", record("a.example.com", "nonsense")))
    rejected(local, "quotation", ("CREATE", record("a.example.com", "bare", kind="TXT")))
    rejected(local, "limit of 1000", *[("CREATE", record(f"{n}.example.com", "127.1.1.1")) for n in range(1001)])
    rejected(local, "limit of 32000", ("CREATE", record("a.example.com", f'"{"x" * 32000}"', kind="TXT")))
    change(local, ("CREATE", record("c.example.com", "x.example.com", kind="CNAME")))
    rejected(local, "conflicts with other records", ("CREATE", record("c.example.com", "127.1.1.1")))
    change(local, ("DELETE", record("c.example.com", "x.example.com", kind="CNAME")))


def test_upsert_and_wildcard(local: Local) -> None:
    change(local, ("UPSERT", record("*.example.com", "127.1.1.1")))
    assert ("\\052.example.com.", "A") in names(local)
    change(local, ("UPSERT", record("*.example.com", "127.1.1.2")))
    shown = local.client("route53").list_resource_record_sets(
        HostedZoneId=local.env["HOSTED_ZONE_ID"], StartRecordName="*.example.com", StartRecordType="A", MaxItems="1"
    )["ResourceRecordSets"]
    assert shown == [{**record("\\052.example.com.", "127.1.1.2")}]
    change(local, ("DELETE", record("\\052.example.com", "127.1.1.2")))


def test_records_come_in_order_and_pages(local: Local) -> None:
    dns, zone = local.client("route53"), local.env["HOSTED_ZONE_ID"]
    many = [record(f"n{number:04}.example.com", "127.1.1.1") for number in range(450)]
    many += [record(f"n{number:04}._x.example.com", '"mine"', kind="TXT") for number in range(450)]
    change(local, *[("CREATE", one) for one in many])
    first = dns.list_resource_record_sets(HostedZoneId=zone)
    assert first["IsTruncated"] and len(first["ResourceRecordSets"]) == 300
    assert [one["Type"] for one in first["ResourceRecordSets"][:2]] == ["NS", "SOA"]
    assert first["NextRecordName"] and first["NextRecordType"]
    seen = [one for page in dns.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
            for one in page["ResourceRecordSets"]]  # fmt: skip
    assert len(seen) == 902
    order = [".".join(reversed(one["Name"].rstrip(".").split("."))) for one in seen]
    assert order == sorted(order)
    page = dns.list_resource_record_sets(HostedZoneId=zone, StartRecordName="n0449.example.com", MaxItems="1")
    assert page["ResourceRecordSets"][0]["Name"] == "n0449.example.com."
    assert not page["IsTruncated"]
    change(local, *[("DELETE", one) for one in many])


def test_changes_take_time(local: Local) -> None:
    dns = local.client("route53")
    info = change(local, ("UPSERT", record("t.example.com", "127.1.1.1")))["ChangeInfo"]
    assert info["Status"] == "PENDING"
    eventually(lambda: dns.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "INSYNC", "in sync")
    refused("NoSuchChange", "", dns.get_change, Id="C0000000")
    change(local, ("DELETE", record("t.example.com", "127.1.1.1")))
    refused("NoSuchHostedZone", "", dns.list_resource_record_sets, HostedZoneId="ZNOPE")


def test_the_private_zone_is_there(local: Local) -> None:
    zone = local.client("route53").get_hosted_zone(Id=local.env["PRIVATE_HOSTED_ZONE_ID"])
    assert zone["HostedZone"]["Name"] == "internal."
    assert zone["VPCs"][0]["VPCId"] == local.world["vpc"]
