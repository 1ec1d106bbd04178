"""What every engine built on trl shares: the recipe, the reports, and patience with memory."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from services.trainer.checkpoints import last_checkpoint
from services.trainer.engine import EngineError, Reporter
from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from shared.half_precision import bfloat16_is_fast

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_CPU_OUT_OF_MEMORY = "can't allocate memory"  # torch has no type of its own for it
_log = logging.getLogger(__name__)


def recipe(job: TrainingJob, rows_at_once: int, **more: Any) -> SFTConfig:
    """The run's hyperparameters as trl takes them; `more` is what an engine adds.

    A step is always `batch_size` rows: what does not go through at once is accumulated.
    """
    parameters, on_gpu = job.hyperparameters, torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(job.checkpoints),
        max_steps=parameters.max_steps,
        per_device_train_batch_size=rows_at_once,
        gradient_accumulation_steps=parameters.batch_size // rows_at_once,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.schedule,
        warmup_steps=parameters.warmup_steps,
        weight_decay=parameters.weight_decay,
        seed=parameters.seed,
        max_length=parameters.max_length,
        train_sampling_strategy="sequential",  # the dataset is in the planned order already
        dataset_kwargs={"skip_prepare_dataset": True},
        use_cpu=not on_gpu,
        bf16=bfloat16_is_fast(),
        dataloader_pin_memory=on_gpu,
        logging_steps=1,
        save_strategy="steps",
        save_steps=min(parameters.checkpoint_steps, parameters.max_steps),
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        **more,
    )


def train(job: TrainingJob, rows_at_once: int, made: Callable[[int], SFTTrainer]) -> SFTTrainer:
    """Trains with what `made` makes for a number of rows at once; the trainer that got through.

    Where memory runs out, in the middle of whatever step, training goes on from the last
    checkpoint with half the rows at once; EngineError (OUT_OF_MEMORY) where one row is too much.
    """
    while True:
        trainer = made(rows_at_once)
        checkpoint = last_checkpoint(job.checkpoints)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            if rows_at_once == 1:
                raise EngineError(
                    "OUT_OF_MEMORY",
                    "a single row is too much for the memory there is; a smaller max_length or "
                    "a smaller base would fit",
                ) from None
        else:
            return trainer
        # The next one must be made only after the last one is gone, its traceback with it.
        del trainer
        _free()
        rows_at_once = half(rows_at_once, job.hyperparameters.batch_size)
        _log.warning("out of memory; going on with %d rows at once", rows_at_once)


def half(rows_at_once: int, batch_size: int) -> int:
    """The largest divisor of a batch that is at most half as many rows."""
    return max(n for n in range(1, rows_at_once // 2 + 1) if batch_size % n == 0)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        _CPU_OUT_OF_MEMORY in str(error)
    )


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def device_memory_bytes() -> int:
    """The most that this process held of the GPU, 0 on a CPU."""
    return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else 0


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Hands each logged step on, with the speed since training began in this process."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._began = 0.0
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the clock; a resumed run begins at its checkpoint's step."""
        self._began = time.monotonic()
        self._first_step = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Called after every step, as logging_steps is 1."""
        if not logs or "loss" not in logs:
            return
        elapsed = max(time.monotonic() - self._began, 1e-6)
        per_step = elapsed / max(state.global_step - self._first_step, 1)
        self._reporter.progress(
            Progress(
                step=state.global_step,
                max_steps=state.max_steps,
                loss=float(logs["loss"]),
                learning_rate=float(logs["learning_rate"]),
                tokens_per_second=float(logs["num_tokens"]) / elapsed,
                eta_seconds=per_step * (state.max_steps - state.global_step),
                device_memory_bytes=device_memory_bytes(),
            )
        )
