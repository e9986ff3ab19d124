"""Whose a domain is: its hosted zone, what stands in it, and the installations that it must not be shared with."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from installation import Account, Refused, Stack, installations


def within(domain: str, above: str) -> bool:
    """Whether a domain is another one, or below it."""
    return domain == above or domain.endswith(f".{above}")


def zone_of(account: Account, domain: str) -> str:
    """The id of the public zone with the longest name that the domain is in."""
    zones = [
        zone
        for page in account["route53"].get_paginator("list_hosted_zones").paginate()
        for zone in page["HostedZones"]
    ]
    around = [(zone["Name"].rstrip("."), zone) for zone in zones if within(domain, zone["Name"].rstrip("."))]
    public = [(name, _id(zone)) for name, zone in around if not zone["Config"]["PrivateZone"]]
    if not public:
        private = [_id(zone) for _, zone in around]
        kept = f" ({', '.join(private)} is private)" if private else ""
        raise Refused(
            f"this account has no public hosted zone for {domain} or a domain above it{kept}: make one (aws route53 "
            f"create-hosted-zone --name {domain} --caller-reference $RANDOM), and name its four name servers at the "
            "registrar of the domain"
        )
    longest = max((name for name, _ in public), key=len)
    ids = [zone for name, zone in public if name == longest]
    if len(ids) > 1:
        raise Refused(
            f"there are two or more public zones of {longest} in this account, of which only one can answer: "
            f"{', '.join(ids)}. Say which: SET=HostedZoneId=…; it is the one with the name servers that `dig +short NS "
            f"{longest}` prints"
        )
    return ids[0]


def _id(zone: dict[str, Any]) -> str:
    return zone["Id"].rsplit("/", 1)[-1]


def check_zone(account: Account, stack: Stack, given: dict[str, Any], findings: Any) -> None:
    """Whether the zone is the domain's, and nobody else's records stand where Dormouse's will."""
    zone, domain, install = given["HostedZoneId"], given["Domain"], given["InstallId"]
    try:
        known = account["route53"].get_hosted_zone(Id=zone)["HostedZone"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchHostedZone":
            raise
        findings.bad(f"there is no hosted zone {zone}", f"name the public zone of {domain}: SET=HostedZoneId=…")
        return
    name = known["Name"].rstrip(".")
    if known["Config"]["PrivateZone"]:
        findings.bad(f"{zone} is a private zone", f"name the public zone of {domain}: SET=HostedZoneId=…")
        return
    if not within(domain, name):
        findings.bad(
            f"{zone} is the zone of {name}, which {domain} is not in",
            f"name the public zone of {domain}: SET=HostedZoneId=…",
        )
        return
    findings.good(f"{zone} is the public zone of {name}")
    mine = False
    for above in _up(domain, name):
        mark = _values(account, zone, f"_wildcard._dormouse.{above}", "TXT")
        if mark and (above != domain or not any(f"install={install}," in value for value in mark)):
            findings.bad(
                f"another installation has {above}: {mark[0]}",
                "use a domain that is neither that one nor above or below it, or undeploy that one",
            )
            return
        mine = mine or bool(mark)
    if not mine and any(_values(account, zone, f"*.{domain}", kind) for kind in ("A", "AAAA", "CNAME")):
        findings.bad(f"*.{domain} has a record that is not Dormouse's", "remove it, or use a domain below")
    elif mine and stack.fresh():
        _remains(account, stack, domain, install, findings)
    else:
        findings.good(f"*.{domain} is {'ours' if mine else 'free'}")


def _up(domain: str, zone: str) -> list[str]:
    """The domain, and those above it as far as the zone goes."""
    names = [domain]
    while names[-1] != zone:
        names.append(names[-1].split(".", 1)[1])
    return names


def _values(account: Account, zone: str, name: str, kind: str) -> list[str]:
    """What a record set holds; an alias holds itself."""
    asked = {"HostedZoneId": zone, "StartRecordName": name, "StartRecordType": kind, "MaxItems": "1"}
    for one in account["route53"].list_resource_record_sets(**asked)["ResourceRecordSets"]:
        if (one["Name"].rstrip(".").replace("\\052", "*"), one["Type"]) == (name, kind):
            return [value["Value"] for value in one.get("ResourceRecords", [])] or [str(one.get("AliasTarget"))]
    return []


def _remains(account: Account, stack: Stack, domain: str, install: str, findings: Any) -> None:
    """There are records with this very id, and no stack: of a lost installation, or of one in another region."""
    silent = []
    for region in [one["RegionName"] for one in account["ec2"].describe_regions()["Regions"]]:
        if region == account.region:
            continue
        try:
            there = Stack(Account(region, patient=False), stack.name).parameters()
        except (BotoCoreError, ClientError):
            silent.append(region)
            continue
        if there.get("Domain") == domain:
            findings.bad(
                f"the installation {install} of {domain} is in {region}",
                f"AWS_REGION={region}, or another DOMAIN and INSTALL_ID",
            )
            return
    findings.note(f"*.{domain} has records of an installation {install} that is no more: they are taken over")
    if silent:
        findings.note(f"not looked at: {', '.join(silent)}. If it is there, stop here")


def check_others(account: Account, stack: Stack, given: dict[str, Any], findings: Any) -> None:
    """Installations of this region: what is asked for one's names would go to the other."""
    domain = given["Domain"]
    for other in installations(account):
        if other.stack != stack.name and (within(domain, other.domain) or within(other.domain, domain)):
            findings.bad(
                f"the installation {other.install} (stack {other.stack}) has {other.domain}",
                "use a domain that is neither that one nor above or below it, or undeploy that one: make undeploy "
                f"INSTALL_ID={other.install}",
            )
