"""What a built image holds, asked of the image itself; it runs without a network."""

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

NAMES = (
    "memory",
    "sandbox-executor",
    "toolforge",
    "trainer",
    "supervisor",
    "gateway",
    "model-server",
    "operator",
)

_REPOSITORY = "batos/"
_PROBE = Path(__file__).with_name("probe.py")
_SECONDS = 120


class ImageError(Exception):
    """An image could not be asked; the text says why."""


@dataclass(frozen=True)
class Image:
    """A built image and its inventory, in the shape that probe.py prints."""

    name: str
    identifier: str
    created: datetime
    inventory: dict[str, Any]


def examine(name: str) -> Image:
    """One of NAMES. Raises ImageError where it is not built or has no Python."""
    tag = _REPOSITORY + name
    (inspected,) = json.loads(_docker("image", "inspect", tag))
    run = ("run", "--rm", "--interactive", "--network", "none", "--user", "0")
    said = _docker(*run, "--entrypoint", "python", tag, "-", program=_PROBE.read_text("utf-8"))
    created = datetime.fromisoformat(inspected["Created"][:19] + "+00:00")
    return Image(tag, inspected["Id"], created, json.loads(said))


def _docker(*arguments: str, program: str = "") -> str:
    done = subprocess.run(
        ["docker", *arguments],
        input=program,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ImageError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
