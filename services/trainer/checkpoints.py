"""Checkpoints as transformers writes them: `checkpoint-{step}` directories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

_STATE = "trainer_state.json"  # written last, so a directory without it is half a checkpoint


def last_checkpoint(directory: Path) -> Path | None:
    """The newest whole checkpoint; half ones, left by a crash, are removed."""
    whole: list[tuple[int, Path]] = []
    for path in directory.glob("checkpoint-*"):
        step = _step(path)
        if step is None:
            shutil.rmtree(path, ignore_errors=True)
        else:
            whole.append((step, path))
    return max(whole)[1] if whole else None


def _step(path: Path) -> int | None:
    try:
        state = json.loads((path / _STATE).read_text())
        return int(state["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
