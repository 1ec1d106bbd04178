from __future__ import annotations

import json
from pathlib import Path

from services.trainer.checkpoints import last_checkpoint


def checkpoint(root: Path, step: int, state: str | None = None) -> Path:
    path = root / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "adapter_model.safetensors").touch()
    if state != "":
        (path / "trainer_state.json").write_text(state or json.dumps({"global_step": step}))
    return path


def test_the_newest_whole_one_is_taken_and_half_ones_go(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5)
    newest = checkpoint(tmp_path, 20)
    half = checkpoint(tmp_path, 25, state="")
    torn = checkpoint(tmp_path, 30, state='{"global_st')
    assert last_checkpoint(tmp_path) == newest
    assert not half.exists()
    assert not torn.exists()


def test_without_any_training_begins_anew(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
    assert last_checkpoint(tmp_path) is None
