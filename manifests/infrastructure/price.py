"""What an installation costs a month while everything sleeps, from prices.json: a line for each thing that is paid.

The controller reckons the same of itself (`dormouse cost`, controller/core/src/upkeep.rs). idle.json has what both must
come to, for every choice; a test of each side holds it against the file.

python price.py --write   writes idle.json
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PRICES, IDLE = HERE / "prices.json", HERE / "idle.json"
# The template sets DORMOUSE_LEASE to it. The lease's row is written every third of it, and a standby looks at it every
# tenth of it.
LEASE_SECONDS = 30
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
    writes = seconds / (LEASE_SECONDS / 3)
    scan, log = assumed["scanSeconds"], assumed["logGb"]
    whole = math.ceil(SERVICES * assumed["rowBytes"] / assumed["unitBytes"])
    reads = seconds / scan * whole
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
            "table: the rows",
            f"{reads:,.0f} read units, {SERVICES} services every {scan} s, x ${per_read} a million",
            reads * per_read / 1e6,
        ),
        Line("logs", f"{log} GB x ${known['logsGb']}", log * known["logsGb"]),
    ]
    if count > 1:
        often, follows = LEASE_SECONDS / 10, assumed["standbyScanSeconds"]
        looks = (seconds / often + seconds / follows * whole) * (count - 1)
        how = f"{looks:,.0f} read units, the lease every {often:g} s, rows every {follows} s, x ${per_read} a million"
        lines.append(Line("table: who stands by", how, looks * per_read / 1e6))
    if parameters["NatGateway"] == "true":
        nat = known["natGatewayHour"]
        lines.append(Line("NAT gateway and its address", f"(${nat} + ${address}) x {hours} h", (nat + address) * hours))
    return lines


def table(parameters: dict[str, Any]) -> str:
    """The lines and their sum, as text."""
    lines = idle(parameters)
    width = max(len(one.how) for one in lines)
    rows = [f"  {one.what:<28} {one.how:<{width}} {one.dollars:7.2f}" for one in lines]
    rows.append(f"  {'a month':<28} {'':<{width}} {month(parameters):7.2f}")
    counts = {"1": "one controller", "2": "two, of which the second takes over at once"}
    for count, words in counts.items():
        if count != str(parameters["ControllerCount"]):
            other = month({**parameters, "ControllerCount": count})
            rows.append(f"  With {words} (ControllerCount={count}) it would be {other:.2f}.")
    return "\n".join(rows)


def month(parameters: dict[str, Any]) -> float:
    """The sum of the lines."""
    return sum(one.dollars for one in idle(parameters))


def choices() -> list[dict[str, Any]]:
    """What idle.json holds: for each processor and number of controllers every line in dollars, and on Spot."""
    found = []
    for architecture in ("ARM64", "X86_64"):
        for count in (1, 2):
            given = {"Architecture": architecture, "ControllerCount": count, "NatGateway": "false"}
            lines, on_spot = (idle({**given, "ControllerSpot": spot}) for spot in ("false", "true"))
            both = zip(lines, on_spot, strict=True)
            pairs = [[one.what, round(one.dollars, 4), round(spot.dollars, 4)] for one, spot in both]
            known = {"architecture": architecture, "controllers": count, "lease": LEASE_SECONDS, "services": SERVICES}
            found.append({**known, "lines": pairs})
    return found


def written() -> str:
    """idle.json as it is to be."""
    return json.dumps(choices(), indent=1) + "\n"


if __name__ == "__main__" and "--write" in sys.argv:
    IDLE.write_text(written())
