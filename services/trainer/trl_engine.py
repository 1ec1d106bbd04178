"""The trl engine: plain transformers, peft and trl, on a CPU or a GPU.

LoRA: Hu et al. 2021, on all linear layers of a llama block as in Dettmers et al. 2023 (QLoRA).
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, TrainerCallback
from trl import SFTConfig, SFTTrainer

from services.trainer.batches import plan_batches, rehearsal_rows_per_batch
from services.trainer.chat_tokens import TokenRow, tokenize
from services.trainer.checkpoints import last_checkpoint
from services.trainer.engine import Engine, EngineError, Reporter
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.model_export import export
from services.trainer.progress import Progress
from services.trainer.rows import Row, read_rows, sample_rows
from services.trainer.training_job import TrainingJob
from shared.half_precision import bfloat16_is_fast

_LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_log = logging.getLogger(__name__)


class TrlEngine:
    """Fine-tunes with `trl.SFTTrainer`; the batches are planned here and tokenized beforehand."""

    def run(self, job: TrainingJob, reporter: Reporter) -> None:
        """As `Engine.run`."""
        tokenizer, model = _load(job)
        dataset = _training_set(tokenizer, job)
        reporter.phase("training")
        trainer = _trainer(job, tokenizer, model, dataset, reporter)
        _train(trainer, job)
        reporter.phase("exporting")
        export(trainer.model, trainer.processing_class, job)


def _load(job: TrainingJob) -> tuple[Any, Any]:
    # Unpacked at once: blocks cannot be trained, and only some devices can compute on them.
    unpacked = {"gguf_file": job.gguf_file, "quantization_config": GgufConfig(dequantize=True)}
    where = unpacked if job.gguf_file else {}
    try:
        # Never the GGUF's own: transformers knows not how byte-level BPE was cut there.
        tokenizer = AutoTokenizer.from_pretrained(job.base)
        dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
        model = AutoModelForCausalLM.from_pretrained(job.base, dtype=dtype, **where)
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineError("BASE_UNUSABLE", f"the base cannot be loaded: {error}") from error
    if not tokenizer.chat_template:
        raise EngineError("BASE_UNUSABLE", "the base has no chat template")
    return tokenizer, model


def _training_set(tokenizer: Any, job: TrainingJob) -> Dataset:
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


def _trainer(
    job: TrainingJob, tokenizer: Any, model: Any, dataset: Dataset, reporter: Reporter
) -> SFTTrainer:
    parameters = job.hyperparameters
    return SFTTrainer(
        model=model,
        args=_config(job),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=parameters.lora_rank,
            lora_alpha=parameters.lora_alpha,
            lora_dropout=parameters.lora_dropout,
            target_modules=_LINEAR_LAYERS,
            task_type="CAUSAL_LM",
        ),
        callbacks=[_ProgressCallback(reporter)],
    )


def _config(job: TrainingJob) -> SFTConfig:
    parameters = job.hyperparameters
    return SFTConfig(
        output_dir=str(job.checkpoints),
        max_steps=parameters.max_steps,
        per_device_train_batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.schedule,
        warmup_steps=parameters.warmup_steps,
        weight_decay=parameters.weight_decay,
        seed=parameters.seed,
        max_length=parameters.max_length,
        train_sampling_strategy="sequential",  # the dataset is in the planned order already
        dataset_kwargs={"skip_prepare_dataset": True},
        gradient_checkpointing=torch.cuda.is_available(),  # on a CPU it only costs time
        use_cpu=not torch.cuda.is_available(),
        bf16=bfloat16_is_fast(),
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        save_strategy="steps",
        save_steps=min(parameters.checkpoint_steps, parameters.max_steps),
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
    )


def _train(trainer: SFTTrainer, job: TrainingJob) -> None:
    checkpoint = last_checkpoint(job.checkpoints)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


class _ProgressCallback(TrainerCallback):  # type: ignore[misc]
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
            )
        )


ENGINE: Engine = TrlEngine()
