"""The bill of materials of a program, as CycloneDX 1.5: every crate that is linked into it, by Cargo's own word.

python localstack/images/sbom.py dormouse-proxy x86_64-unknown-linux-gnu
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def linked(metadata: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The package and all that it depends on, without what only builds or tests it."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    waiting = [one for one in metadata["workspace_members"] if packages[one]["name"] == name]
    found: dict[str, dict[str, Any]] = {}
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found[one] = packages[one]
        for need in nodes[one]["deps"]:
            if any(kind["kind"] is None for kind in need["dep_kinds"]):
                waiting.append(need["pkg"])
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def component(package: dict[str, Any], checksums: dict[tuple[str, str], str]) -> dict[str, Any]:
    name, version = package["name"], package["version"]
    one: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:cargo/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:cargo/{name}@{version}",
    }
    if package.get("license"):
        one["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if (name, version) in checksums:
        one["hashes"] = [{"alg": "SHA-256", "content": checksums[name, version]}]
    return one


def bill(name: str, target: str) -> dict[str, Any]:
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(one["name"], one["version"]): one["checksum"] for one in lock if "checksum" in one}
    packages = linked(metadata, name)
    own = next(package for package in packages if package["name"] == name)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**component(own, checksums), "type": "application"}},
        "components": [component(package, checksums) for package in packages if package is not own],
    }


if __name__ == "__main__":
    program, target = sys.argv[1:]
    print(json.dumps(bill(program, target), indent=1))
