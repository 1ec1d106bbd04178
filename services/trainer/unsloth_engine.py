"""The unsloth engine: 4-bit QLoRA with Unsloth's kernels, on an NVIDIA GPU.

QLoRA: Dettmers et al. 2023. Unsloth patches transformers and trl as it is imported, so it comes
first, and in a worker of its own only.
"""

from __future__ import annotations

from unsloth import FastLanguageModel  # isort: skip

from typing import Any

from trl import SFTTrainer

from services.trainer.engine import Engine, EngineError, Reporter
from services.trainer.fine_tune import LINEAR_LAYERS, ProgressCallback, half, recipe, train
from services.trainer.model_export import (
    check_exportable,
    export_adapter,
    scale,
    written,
)
from services.trainer.training_job import TrainingJob
from services.trainer.training_set import training_set

_ROWS_AT_ONCE = 2


class UnslothEngine:
    """Fine-tunes with Unsloth's model under `trl.SFTTrainer`; merges to 16 bits."""

    def run(self, job: TrainingJob, reporter: Reporter) -> None:
        """As `Engine.run`."""
        if job.gguf_file:
            raise EngineError("BASE_UNUSABLE", "Unsloth takes no GGUF; use the trl engine")
        model, tokenizer = _load(job)
        check_exportable(model.config.model_type, job)
        dataset = training_set(tokenizer, job)
        reporter.phase("training")

        def made(rows_at_once: int) -> SFTTrainer:
            nonlocal model
            loaded, model = model, None  # the first one is there; another takes the base anew
            loaded = loaded or _load(job)[0]
            return SFTTrainer(
                model=loaded,
                args=recipe(job, rows_at_once, optim="adamw_8bit"),
                train_dataset=dataset,
                processing_class=tokenizer,
                callbacks=[ProgressCallback(reporter)],
            )

        batch_size = job.hyperparameters.batch_size
        trainer = train(job, half(2 * min(_ROWS_AT_ONCE, batch_size), batch_size), made)
        reporter.phase("exporting")
        _export(trainer.model, tokenizer, job)


def _load(job: TrainingJob) -> tuple[Any, Any]:
    parameters = job.hyperparameters
    try:
        model, tokenizer = FastLanguageModel.from_pretrained(
            model_name=job.base,
            max_seq_length=parameters.max_length,
            dtype=None,  # BF16 where the GPU has it
            load_in_4bit=True,
            random_state=parameters.seed,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineError("BASE_UNUSABLE", f"the base cannot be loaded: {error}") from error
    if not tokenizer.chat_template:
        raise EngineError("BASE_UNUSABLE", "the base has no chat template")
    adapted = FastLanguageModel.get_peft_model(
        model,
        r=parameters.lora_rank,
        target_modules=LINEAR_LAYERS,
        lora_alpha=parameters.lora_alpha,
        lora_dropout=parameters.lora_dropout,
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=parameters.seed,
    )
    return adapted, tokenizer


def _export(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Unsloth merges from the 16-bit base, not from the 4-bit one that was trained on."""
    if job.export == "adapter":
        export_adapter(adapted, tokenizer, job)
        return
    scale(adapted, job.hyperparameters.merge_scale)
    with written(tokenizer, job) as partial:
        adapted.save_pretrained_merged(str(partial), tokenizer, save_method="merged_16bit")


ENGINE: Engine = UnslothEngine()
