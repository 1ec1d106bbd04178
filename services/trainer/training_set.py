"""All rows of a run as tokens, in the order in which they are trained on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from datasets import Dataset

from services.trainer.batches import plan_batches, rehearsal_rows_per_batch
from services.trainer.chat_tokens import TokenRow, tokenize
from services.trainer.engine import EngineError
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.rows import Row, read_rows, sample_rows
from services.trainer.training_job import TrainingJob

_log = logging.getLogger(__name__)


def training_set(tokenizer: Any, job: TrainingJob) -> Dataset:
    """All rows of the run in the order in which they are trained on."""
    parameters = job.hyperparameters
    golden = _fitting(tokenizer, list(read_rows(Path(job.train_file))), parameters)
    if not golden:
        raise EngineError("EMPTY_DATASET", "no training row is short enough to learn from")
    rehearsal = _fitting(tokenizer, _rehearsal(job), parameters)
    plan = plan_batches(
        [len(row.input_ids) for row in golden],
        [len(row.input_ids) for row in rehearsal],
        parameters,
    )
    rows = [*golden, *rehearsal]
    ordered = [rows[number] for batch in plan for number in batch]
    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in ordered],
            "labels": [row.labels for row in ordered],
        }
    )


def _rehearsal(job: TrainingJob) -> list[Row]:
    count = rehearsal_rows_per_batch(job.hyperparameters) * job.hyperparameters.max_steps
    if not job.rehearsal_file or not count:
        return []
    return sample_rows(Path(job.rehearsal_file), count, job.hyperparameters.seed)


def _fitting(tokenizer: Any, rows: list[Row], parameters: Hyperparameters) -> list[TokenRow]:
    """The rows as tokens; those above max_length are left out, as half an answer teaches wrong."""
    tokens = tokenize(tokenizer, rows)
    fitting = [row for row in tokens if len(row.input_ids) <= parameters.max_length]
    if len(fitting) < len(tokens):
        _log.warning("%d rows are too long and left out", len(tokens) - len(fitting))
    return fitting
