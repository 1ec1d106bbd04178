"""Where the demo stands, on disk, so that a demo that was cut off goes on where it was."""

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.claim import Evidence

_FILE = "journey.json"


@dataclass
class Journey:
    """One run of the demo.

    `memos` is what later steps need of earlier ones; `starts` counts how often it was begun.
    """

    directory: Path
    seed: int
    run_id: str
    starts: int = 0
    completed: list[str] = field(default_factory=list)
    memos: dict[str, Any] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    finished: bool = False

    def request_id(self, label: str) -> str:
        """A UUID for one request; the same for the same label within one start."""
        return str(uuid.uuid5(uuid.UUID(self.run_id), f"{self.starts}/{label}"))

    def complete(self, evidence: Evidence) -> None:
        """Notes a proven step."""
        self.completed.append(evidence.step)
        self.evidence.append(evidence)
        self.save()

    def save(self) -> None:
        """Writes the journey under another name, syncs it, and renames it."""
        content = {k: v for k, v in asdict(self).items() if k != "directory"}
        temporary = self.directory / f"{_FILE}.part"
        with temporary.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.directory / _FILE)


def begin(directory: Path, seed: int) -> Journey:
    """Goes on with an unfinished journey of this seed; otherwise clears the directory and begins.

    Only a directory that is empty, or that a journey was made in, is ever cleared.
    """
    journey = _unfinished(directory, seed) or _fresh(directory, seed)
    journey.starts += 1
    journey.save()
    return journey


def _unfinished(directory: Path, seed: int) -> Journey | None:
    try:
        content = json.loads((directory / _FILE).read_text())
    except (OSError, ValueError):
        return None
    if content["finished"] or content["seed"] != seed:
        return None
    content["evidence"] = [Evidence(**each) for each in content["evidence"]]
    return Journey(directory=directory, **content)


def _fresh(directory: Path, seed: int) -> Journey:
    if directory.exists() and any(directory.iterdir()):
        if not (directory / _FILE).exists():
            raise FileExistsError(f"{directory} holds something else; choose another --data-dir")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    return Journey(directory=directory, seed=seed, run_id=str(uuid.uuid4()))
