"""Runs inside an image, from standard input, and prints as JSON what is installed in it.

Standard library only, and for every Python that an image may have.
"""

import hashlib
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

# Our own environment, the guests' packages, the system's and those of Python's official image.
_FOLDERS = (
    "opt/venv/lib/python3*/site-packages",
    "opt/batos/sandbox-packages/*",
    "usr/lib/python3/dist-packages",
    "usr/local/lib/python3*/site-packages",
)
_RECORDS = ("opt/venv/installed.json", "opt/batos/guest-data.json")
_RUNSC = Path("/opt/batos/gvisor/runsc")
_STATUS = Path("/var/lib/dpkg/status")
_DOCS = Path("/usr/share/doc")


def python_packages() -> list[dict[str, Any]]:
    """Name, version, folder and what the package says of its licence."""
    found = []
    for folder in sorted(path for pattern in _FOLDERS for path in Path("/").glob(pattern)):
        for each in metadata.distributions(path=[str(folder)]):
            said = each.metadata
            classifiers = said.get_all("Classifier") or []
            found.append(
                {
                    "name": said["Name"],
                    "version": each.version,
                    "folder": str(folder),
                    "expression": said["License-Expression"],
                    "license": said["License"],
                    "classifiers": [line for line in classifiers if line.startswith("License ::")],
                }
            )
    return found


def debian_packages() -> list[dict[str, Any]]:
    """Those that dpkg has installed, with the licences that their copyright files name."""
    found = []
    for paragraph in _STATUS.read_text("utf-8").split("\n\n"):
        fields = dict(re.findall(r"^(\S+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            names = {key.lower(): fields[key] for key in ("Package", "Version", "Architecture")}
            found.append({**names, "licenses": _licenses(fields["Package"])})
    return found


def _licenses(package: str) -> list[str]:
    """Empty where the file is not in Debian's machine-readable form."""
    file = _DOCS / package / "copyright"
    if not file.is_file():
        return []
    return sorted(set(re.findall(r"^License: *(\S.{0,80}?) *$", file.read_text("utf-8"), re.M)))


def gvisor() -> dict[str, str] | None:
    """Version and SHA-256 of runsc, where the image has it."""
    if not _RUNSC.exists():
        return None
    command = [str(_RUNSC), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(_RUNSC.read_bytes()).hexdigest()
    return {"version": said.split()[2], "sha256": digest, "path": str(_RUNSC)}


def installed_files() -> list[dict[str, str]]:
    """The wheels that were installed, with their hashes, as the build wrote them down."""
    records = (Path("/") / path for path in _RECORDS)
    return [item for file in records if file.exists() for item in json.loads(file.read_text())]


if __name__ == "__main__":
    json.dump(
        {
            "python": python_packages(),
            "debian": debian_packages(),
            "gvisor": gvisor(),
            "files": installed_files(),
        },
        sys.stdout,
    )
