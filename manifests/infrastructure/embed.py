"""Brings policies/*.json into dormouse.yaml, where the comments `begin` and `end` name them.

python embed.py           writes them
python embed.py --check   fails when the template has something else
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "dormouse.yaml"
BLOCK = re.compile(r"^( *)# begin (policies/[\w-]+\.json)\n.*?^ *# end \2\n", re.MULTILINE | re.DOTALL)


def written(value: Any, indent: str) -> list[str]:
    """A value as block-style YAML; texts with `${` are for CloudFormation to fill in."""
    match value:
        case dict():
            lines: list[str] = []
            for key, one in value.items():
                lines += (
                    [f"{indent}{key}:", *written(one, indent + "  ")]
                    if isinstance(one, (dict, list))
                    else [f"{indent}{key}: {scalar(one)}"]
                )
            return lines
        case list():
            lines = []
            for one in value:
                if isinstance(one, (dict, list)):
                    first, *rest = written(one, indent + "  ")
                    lines += [f"{indent}- {first.strip()}", *rest]
                else:
                    lines.append(f"{indent}- {scalar(one)}")
            return lines
    return [f"{indent}{scalar(value)}"]


def scalar(value: Any) -> str:
    """Quoted as JSON is, which YAML reads alike."""
    return f"!Sub {json.dumps(value)}" if isinstance(value, str) and "${" in value else json.dumps(value)


def embedded(template: str) -> str:
    """The template with the policies as they are now."""

    def block(match: re.Match[str]) -> str:
        indent, name = match.groups()
        document = written(json.loads((HERE / name).read_text()), indent)
        return "\n".join([f"{indent}# begin {name}", *document, f"{indent}# end {name}"]) + "\n"

    return BLOCK.sub(block, template)


def main() -> int:
    now = TEMPLATE.read_text()
    wanted = embedded(now)
    if "--check" in sys.argv[1:]:
        if now != wanted:
            print("dormouse.yaml does not hold the policies as they are: run embed.py", file=sys.stderr)
        return int(now != wanted)
    TEMPLATE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
