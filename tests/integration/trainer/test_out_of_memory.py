"""Memory that runs out in the middle of a step: real training, the failure put in its way."""

import gzip
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaModel

from services.trainer.engine import EngineError
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from services.trainer.trl_engine import TrlEngine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

WEIGHTS = Path(__file__).resolve().parents[3] / "services/model_server/starter_model/weights"
STEPS, BATCH = 6, 8


class Reports:
    """What an engine says."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.phases: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress.step)

    def phase(self, name: str) -> None:
        self.phases.append(name)


@contextmanager
def room_for(rows: int, after: int) -> Iterator[list[int]]:
    """Every forward pass of more rows runs out of memory, once there were `after` of them.

    Gives the rows of each pass that went through.
    """
    passed: list[int] = []

    def refuse(module: torch.nn.Module, arguments: Any, named: dict[str, Any]) -> None:
        count = len(named["input_ids"] if named.get("input_ids") is not None else arguments[0])
        if count > rows and len(passed) >= after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        passed.append(count)

    made = LlamaModel.__init__

    def init(self: LlamaModel, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        self.register_forward_pre_hook(refuse, with_kwargs=True)

    LlamaModel.__init__ = init
    try:
        yield passed
    finally:
        LlamaModel.__init__ = made


def job(directory: Path) -> TrainingJob:
    rows = gzip.decompress((WEIGHTS / "rehearsal.jsonl.gz").read_bytes()).decode().splitlines()
    train = directory / "train.jsonl"
    messages = [json.loads(row)["messages"] for row in itertools.islice(rows, 40)]
    train.write_text(
        "".join(json.dumps({"prompt": m[:-1], "completion": m[-1:]}) + "\n" for m in messages)
    )
    return TrainingJob(
        base=str(WEIGHTS),
        gguf_file="starter.gguf",
        train_file=str(train),
        rehearsal_file=None,
        directory=str(directory),
        hyperparameters=Hyperparameters(
            max_steps=STEPS, batch_size=BATCH, checkpoint_steps=2, max_length=512
        ),
        probe=({"role": "user", "content": "Hello."},),
    )


def test_training_goes_on_from_its_checkpoint_with_fewer_rows_at_once(tmp_path: Path) -> None:
    reports = Reports()
    with room_for(rows=4, after=3) as passed:
        TrlEngine().run(job(tmp_path), reports)
    assert passed[:3] == [BATCH] * 3  # the fourth step ran out of memory
    assert set(passed[3:]) == {4}
    assert reports.steps == [1, 2, 3, 3, 4, 5, 6]  # again from the checkpoint of step 2
    assert reports.phases == ["training", "exporting"]
    assert (tmp_path / "merged" / "model.safetensors").is_file()


def test_where_not_even_one_row_fits_the_run_ends_in_words(tmp_path: Path) -> None:
    with room_for(rows=0, after=0), pytest.raises(EngineError) as caught:
        TrlEngine().run(job(tmp_path), Reports())
    assert caught.value.reason == "OUT_OF_MEMORY"
    assert "max_length" in str(caught.value)
    assert not (tmp_path / "merged").exists()
