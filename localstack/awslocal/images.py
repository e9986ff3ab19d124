"""The map from container images to local commands."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

DEMO_APP = Path(__file__).resolve().parent.parent / "demo" / "app.py"
DEFAULT_IMAGES = [
    {"image": "dormouse-demo:*", "command": ["${PYTHON}", str(DEMO_APP)]},
]


def expand(text: str, here: str) -> str:
    """Replaces ${NAME} and ${NAME:-default} from the environment; an unset name is a mistake worth stopping for."""

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name not in os.environ and default is None:
            raise ValueError(f"images: ${{{name}}} is not set in the environment (in {text!r})")
        return os.environ.get(name) or default or ""

    known = text.replace("${HERE}", here).replace("${PYTHON}", sys.executable)
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, known)


@dataclass
class Image:
    """One line of the map."""

    pattern: str
    kind: str = "binary"
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    healthcheck: list[str] | None = None

    def argv(self, entry_point: list[str], command: list[str]) -> list[str]:
        """What to execute for a container with this image."""
        if self.kind == "exec":
            return (entry_point + command) or self.command
        return self.command + command

    def health_argv(self, test: list[str]) -> list[str]:
        """What to execute for a container definition's healthCheck.command."""
        if self.healthcheck:
            return self.healthcheck
        how, *words = test
        if how == "CMD-SHELL":
            return ["/bin/sh", "-c", *words]
        if how != "CMD":
            words = test
        if self.kind == "binary" and self.command:
            # The path inside the image is not a path here: it means the image's own program.
            same = Path(words[0]).name == Path(self.command[0]).name
            if same or shutil.which(words[0]) is None:
                return self.command + words[1:]
        return words


class Images:
    """All known images; the first pattern that matches wins."""

    def __init__(self, path: Path | None) -> None:
        entries = json.loads(path.read_text()) if path else []
        if isinstance(entries, dict):
            entries = entries["images"]
        here = str(path.absolute().parent) if path else ""
        self._images = [self._parse(entry, here) for entry in [*entries, *DEFAULT_IMAGES]]

    @staticmethod
    def _parse(entry: dict, here: str) -> Image:
        known = {"image", "kind", "command", "environment", "healthcheck", "comment"}
        if unknown := set(entry) - known:
            raise ValueError(f"images: unknown field {sorted(unknown)[0]!r} (accepted: {', '.join(sorted(known))})")
        kind = entry.get("kind", "binary")
        if kind not in ("binary", "exec"):
            raise ValueError(f"images: kind {kind!r} of {entry['image']!r} (accepted: binary, exec)")
        command = [expand(word, here) for word in entry.get("command", [])]
        if kind == "binary" and not command:
            raise ValueError(f"images: {entry['image']!r} needs a command")
        check = entry.get("healthcheck")
        return Image(
            pattern=expand(entry["image"], here),
            kind=kind,
            command=command,
            environment={name: expand(value, here) for name, value in entry.get("environment", {}).items()},
            healthcheck=[expand(word, here) for word in check] if check else None,
        )

    def find(self, name: str) -> Image | None:
        # An image without a tag or digest means its latest, as for every registry.
        if ":" not in name.rsplit("/", 1)[-1] and "@" not in name:
            name += ":latest"
        return next((image for image in self._images if fnmatch.fnmatchcase(name, image.pattern)), None)
