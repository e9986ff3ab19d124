"""What an installation costs a month while everything sleeps, from prices.json: a line for each thing that is paid."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).resolve().parent / "prices.json"
# The lease's row is written every third of DORMOUSE_LEASE, which the template sets to 30 s.
LEASE_WRITE_SECONDS = 10
# So many services are reckoned with.
SERVICES = 10


@dataclass
class Line:
    """One thing, how its price comes about, and what it costs a month in dollars."""

    what: str
    how: str
    dollars: float


def prices() -> dict[str, Any]:
    return json.loads(PRICES.read_text())


def idle(parameters: dict[str, Any]) -> list[Line]:
    """The lines for the parameters of a stack.

    What is assumed stands beside the prices. While everything sleeps the table is read as a whole every two minutes,
    consistently: a read unit for every 4 KiB. A sleeping service's row is as large as it was measured with a hundred of
    them. What is logged while nothing happens was nothing in ten minutes.
    """
    known = prices()
    assumed = known["assumed"]
    vcpu, gib = assumed["controllerVcpu"], assumed["controllerGib"]
    hours = known["hoursPerMonth"]
    seconds = hours * 3600
    architecture = parameters["Architecture"]
    count = int(parameters["ControllerCount"])
    cpu, memory = known["fargateVcpuHour"][architecture], known["fargateGibHour"][architecture]
    task = (vcpu * cpu + gib * memory) * hours * count
    how = f"{count} x ({vcpu} vCPU x ${cpu} + {gib} GB x ${memory}) x {hours} h"
    if parameters["ControllerSpot"] == "true":
        task *= 1 - known["fargateSpotDiscount"]
        how += f", less {known['fargateSpotDiscount']:.0%} on Spot"
    address = known["publicIpv4Hour"]
    writes = seconds / LEASE_WRITE_SECONDS
    scan, log = assumed["scanSeconds"], assumed["logGb"]
    reads = seconds / scan * math.ceil(SERVICES * assumed["rowBytes"] / assumed["unitBytes"])
    per_write, per_read = known["dynamodbMillionWrites"], known["dynamodbMillionReads"]
    lines = [
        Line("controller, Fargate", how, task),
        Line("its public IPv4 address", f"{count} x ${address} x {hours} h", address * hours * count),
        Line("private zone of its name", f"1 x ${known['hostedZoneMonth']}", known["hostedZoneMonth"]),
        Line("secret", f"1 x ${known['secretMonth']}", known["secretMonth"]),
        Line(
            "table: the lease",
            f"{writes:,.0f} writes x ${per_write} a million",
            writes * per_write / 1e6,
        ),
        Line(
            f"table: {SERVICES} services read every {scan} s",
            f"{reads:,.0f} read units x ${per_read} a million",
            reads * per_read / 1e6,
        ),
        Line("logs", f"{log} GB x ${known['logsGb']}", log * known["logsGb"]),
    ]
    if parameters["NatGateway"] == "true":
        nat = known["natGatewayHour"]
        lines.append(Line("NAT gateway and its address", f"(${nat} + ${address}) x {hours} h", (nat + address) * hours))
    return lines


def table(parameters: dict[str, Any]) -> str:
    """The lines and their sum, as text."""
    lines = idle(parameters)
    rows = [f"  {one.what:<40} {one.how:<58} {one.dollars:7.2f}" for one in lines]
    rows.append(f"  {'a month':<40} {'':<58} {sum(one.dollars for one in lines):7.2f}")
    return "\n".join(rows)
