"""Route 53 with strict, atomic change batches, its own order of records, and changes that take time to be in sync."""

from __future__ import annotations

import ipaddress
import random
import string
import time
from typing import Any
from xml.sax.saxutils import escape

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.route53 import route53_backends
from moto.route53.models import FakeZone, RecordSet
from moto.route53.responses import Route53 as Route53Response

from awslocal.errors import AwsError
from awslocal.history import History
from awslocal.world import ACCOUNT, World

XMLNS = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"'
ELEMENTS, CHARACTERS, PAGE = 1000, 32000, 300
# Changes that moto answers itself, for operations on whole zones.
MOTO_CHANGES = ("C1PA6795UKMFR9", "C2682N5HXP0BZ4", "a1b2c3d4")

Key = tuple[str, str, str]


def normal(name: str) -> str:
    """A name as Route 53 keeps it: lower case, with its trailing dot, and `*` as an octal escape."""
    name = name.lower().replace("*", "\\052")
    return name if name.endswith(".") else f"{name}."


def order(name: str) -> str:
    """Names are ordered by their labels from the right: com.example.hello."""
    return ".".join(reversed(name.replace("\\052", "*").rstrip(".").split("."))) + "."


def view(record: RecordSet) -> dict[str, Any]:
    """A record set in the shape of the API, whoever made it."""
    values = [one["Value"] if isinstance(one, dict) else one for one in record.records or []]
    shown: dict[str, Any] = {
        "Name": normal(record.name),
        "Type": record.type,
        "TTL": int(record.ttl) if record.ttl is not None else None,
        "ResourceRecords": [{"Value": value} for value in values] or None,
        "SetIdentifier": record.set_identifier,
        "Weight": record.weight,
        "Region": record.region,
        "AliasTarget": record.alias_target,
        "Failover": record.failover,
        "GeoLocation": record.geo_location,
        "HealthCheckId": record.health_check_id,
        "MultiValueAnswer": record.multi_value_answer,
    }
    return {name: value for name, value in shown.items() if value is not None}


def key(shown: dict[str, Any]) -> Key:
    return shown["Name"], shown["Type"], shown.get("SetIdentifier", "")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """DELETE must repeat what is there; only the order of the values is free."""

    def comparable(shown: dict[str, Any]) -> dict[str, Any]:
        values = sorted(record["Value"] for record in shown.get("ResourceRecords", []))
        return {**shown, "ResourceRecords": values}

    return comparable(one) == comparable(other)


class Route53:
    """The operations on record sets and changes; zones stay moto's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._changes: dict[str, tuple[Any, float, str | None]] = {}
        self._histories: dict[str, History] = {}
        # Set for the length of a call by the server, which holds the world's lock.
        self.lag = 0.0
        # Moto calls these as methods of its response, which knows the parameters.
        Route53Response.change_resource_record_sets = lambda response: self._change(response)
        Route53Response.list_resource_record_sets = lambda response: self._list(response)
        Route53Response.get_change = lambda response: self._get_change(response)

    def _change(self, response: Route53Response) -> ActionResult:
        zone = response.backend.get_hosted_zone(response._get_param("HostedZoneId"))
        comment = response._get_param("ChangeBatch.Comment")
        self.apply(zone, response._get_param("ChangeBatch.Changes") or [])
        return ActionResult({"ChangeInfo": self._submitted(comment)})

    def _list(self, response: Route53Response) -> tuple[int, dict[str, str], str]:
        zone = response.backend.get_hosted_zone(response._get_param("HostedZoneId"))
        start_name, start_type = response._get_param("StartRecordName"), response._get_param("StartRecordType")
        start_id = response._get_param("StartRecordIdentifier") or ""
        if start_type and not start_name:
            raise AwsError("InvalidInput", "The input is not valid")
        most = min(response._get_int_param("MaxItems", PAGE), PAGE)
        records = self.records(zone, self.lag)
        if start_name:
            start = (order(normal(start_name)), start_type or "", start_id)
            records = [one for one in records if (order(one["Name"]), one["Type"], key(one)[2]) >= start]
        more = records[most] if len(records) > most else {}
        told: dict[str, Any] = {
            "ResourceRecordSets": {"ResourceRecordSet": records[:most]},
            "IsTruncated": bool(more),
            "NextRecordName": more.get("Name"),
            "NextRecordType": more.get("Type"),
            "NextRecordIdentifier": more.get("SetIdentifier"),
            "MaxItems": most,
        }
        # Moto's serialiser takes 25 ms for a page, under the world's lock.
        body = "".join(_element(name, value) for name, value in told.items() if value is not None)
        text = f'<?xml version="1.0"?>\n<ListResourceRecordSetsResponse {XMLNS}>{body}</ListResourceRecordSetsResponse>'
        return 200, {"Content-Type": "text/xml"}, text

    def _get_change(self, response: Route53Response) -> ActionResult:
        change_id = response._get_param("Id").rsplit("/", 1)[-1]
        if change_id in MOTO_CHANGES:
            return ActionResult(
                {"ChangeInfo": {"Id": f"/change/{change_id}", "Status": "INSYNC", "SubmittedAt": utcnow()}}
            )
        if change_id not in self._changes:
            raise AwsError("NoSuchChange", f"Could not find resource with ID: {change_id}", 404)
        return ActionResult({"ChangeInfo": self._info(change_id)})

    def _submitted(self, comment: str | None) -> dict[str, Any]:
        change_id = "C" + "".join(random.choices(string.ascii_uppercase + string.digits, k=20))
        self._changes[change_id] = utcnow(), time.monotonic() + self.world.config.dns_sync_delay, comment
        while len(self._changes) > 10000:
            del self._changes[next(iter(self._changes))]
        return self._info(change_id)

    def _info(self, change_id: str) -> dict[str, Any]:
        submitted, in_sync, comment = self._changes[change_id]
        status = "INSYNC" if time.monotonic() >= in_sync else "PENDING"
        return {"Id": f"/change/{change_id}", "Status": status, "SubmittedAt": submitted, "Comment": comment}

    def records(self, zone: FakeZone, lag: float = 0) -> list[dict[str, Any]]:
        """Every record set of a zone, in Route 53's order."""
        if lag > 0:
            past = self._histories[zone.resource_id].at(lag) if zone.resource_id in self._histories else None
            if past is not None:
                return past
        shown = [view(one) for one in zone.rrsets]
        return sorted(shown, key=lambda one: (order(one["Name"]), one["Type"], key(one)[2]))

    def zones(self) -> list[FakeZone]:
        return list(route53_backends[ACCOUNT]["aws"].zones.values())

    def apply(self, zone: FakeZone, changes: list[dict[str, Any]]) -> None:
        """Applies the whole batch, or nothing of it."""
        if not changes:
            raise AwsError("InvalidInput", "Invalid XML ; the ChangeBatch must contain at least one Change")
        self._check_size(changes)
        table = {key(view(one)): one for one in zone.rrsets}
        problems: list[str] = []
        for change in changes:
            given = RecordSet(change["ResourceRecordSet"])
            given.name = normal(given.name)
            problem = self._step(zone, table, change["Action"], given)
            if problem:
                problems.append(problem)
        if problems:
            raise AwsError("InvalidChangeBatch", f"[{', '.join(problems)}]", messages=problems)
        history = self._histories.setdefault(zone.resource_id, History())
        if history.at(0) is None:
            history.put(self.records(zone), since=0.0)
        zone.rrsets = list(table.values())
        history.put(self.records(zone))

    @staticmethod
    def _step(zone: FakeZone, table: dict[Key, RecordSet], action: str, given: RecordSet) -> str | None:
        shown = view(given)
        name, kind, _ = identity = key(shown)
        label = f"[name='{name}', type='{kind}'" + (f", set-identifier='{identity[2]}']" if identity[2] else "]")
        apex = normal(zone.name)
        if name != apex and not name.endswith(f".{apex}"):
            return f"RRSet with DNS name {name} is not permitted in zone {apex}"
        if action == "DELETE":
            if identity not in table:
                return f"Tried to delete resource record set {label} but it was not found"
            if not same(view(table[identity]), shown):
                return (
                    f"Tried to delete resource record set {label} but the values provided do not match the current "
                    "values"
                )
            if name == apex and kind in ("NS", "SOA"):
                return f"A HostedZone must contain at least one {kind} record for the zone itself."
            del table[identity]
            return None
        if action not in ("CREATE", "UPSERT"):
            return f"Invalid action {action}"
        if action == "CREATE" and identity in table:
            return f"Tried to create resource record set {label} but it already exists"
        if not given.alias_target and (not shown.get("ResourceRecords") or "TTL" not in shown):
            return (
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
                f"TrafficPolicyInstanceId], but found none in Change with [Action={action}, Name={name}, Type={kind}, "
                f"SetIdentifier={identity[2] or 'null'}]"
            )
        if problem := _invalid_value(shown):
            return problem
        others = {one[1] for one in table if one[0] == name and one != identity}
        if others and (kind == "CNAME" or "CNAME" in others) and not (kind == "CNAME" and others == {"CNAME"}):
            return (
                f"RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with other records with "
                f"the same DNS name in zone {apex}"
            )
        table[identity] = given
        return None

    @staticmethod
    def _check_size(changes: list[dict[str, Any]]) -> None:
        elements = characters = 0
        for change in changes:
            weight = 2 if change["Action"] == "UPSERT" else 1
            for record in change["ResourceRecordSet"].get("ResourceRecords") or []:
                elements += weight
                characters += weight * len(record["Value"])
        if elements > ELEMENTS:
            raise AwsError("InvalidChangeBatch", f"Number of records limit of {ELEMENTS} exceeded.")
        if characters > CHARACTERS:
            raise AwsError("InvalidChangeBatch", f"Number of characters limit of {CHARACTERS} exceeded.")


def _element(name: str, value: Any) -> str:
    """XML in the shape of Route 53: a list's items all have the name of the list's only key."""
    if isinstance(value, list) and name == "ResourceRecords":
        return f"<{name}>{''.join(_element('ResourceRecord', one) for one in value)}</{name}>"
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(*pair) for pair in value.items())}</{name}>"
    if isinstance(value, bool):
        value = str(value).lower()
    return f"<{name}>{escape(str(value))}</{name}>"


def _invalid_value(shown: dict[str, Any]) -> str | None:
    values = [one["Value"] for one in shown.get("ResourceRecords", [])]
    if len(set(values)) != len(values):
        return f"Duplicate Resource Record: '{values[0]}'"
    for value in values:
        if shown["Type"] == "A":
            try:
                ipaddress.IPv4Address(value)
            except ValueError:
                return (
                    "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 "
                    f"address) encountered with '{value}''"
                )
        elif shown["Type"] == "TXT" and not (len(value) > 1 and value.startswith('"') and value.endswith('"')):
            return (
                "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in "
                f"quotation marks) encountered with '{value}''"
            )
    return None
