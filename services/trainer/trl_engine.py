"""The trl engine: plain transformers, peft and trl, on a CPU or a GPU.

LoRA: Hu et al. 2021, on all linear layers of a llama block as in Dettmers et al. 2023 (QLoRA).
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from trl import SFTTrainer

from services.trainer.engine import Engine, EngineError, Reporter
from services.trainer.fine_tune import LINEAR_LAYERS, ProgressCallback, recipe, train
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.model_export import check_exportable, export
from services.trainer.training_job import TrainingJob
from services.trainer.training_set import training_set


class TrlEngine:
    """Fine-tunes with `trl.SFTTrainer`; the batches are planned here and tokenized beforehand."""

    def run(self, job: TrainingJob, reporter: Reporter) -> None:
        """As `Engine.run`."""
        tokenizer, model = _load(job)
        check_exportable(model.config.model_type, job)
        dataset = training_set(tokenizer, job)
        reporter.phase("training")

        def made(rows_at_once: int) -> SFTTrainer:
            nonlocal model
            loaded, model = model, None  # the first one is there; another takes the base anew
            loaded = loaded or _load(job)[1]
            return SFTTrainer(
                model=loaded,
                # On a CPU recomputing what was not kept only costs time.
                args=recipe(job, rows_at_once, gradient_checkpointing=torch.cuda.is_available()),
                train_dataset=dataset,
                processing_class=tokenizer,
                peft_config=_lora(job.hyperparameters),
                callbacks=[ProgressCallback(reporter)],
            )

        trainer = train(job, job.hyperparameters.batch_size, made)
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


def _lora(parameters: Hyperparameters) -> LoraConfig:
    return LoraConfig(
        r=parameters.lora_rank,
        lora_alpha=parameters.lora_alpha,
        lora_dropout=parameters.lora_dropout,
        target_modules=LINEAR_LAYERS,
        task_type="CAUSAL_LM",
    )


ENGINE: Engine = TrlEngine()
