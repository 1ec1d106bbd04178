"""A trained model as a directory that model servers import: safetensors, tokenizer, template."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from services.trainer.chat_tokens import count_prompt_tokens
from services.trainer.engine import EngineError
from services.trainer.training_job import TrainingJob
from shared.durable import sync

# What model servers convert adapters of (Ollama's source, August 2026).
_ADAPTABLE = frozenset({"llama", "gemma2"})


def export(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Writes `job.merged` and `job.parity` of a peft model, as the job wants it exported.

    The directory appears whole or not at all. Raises EngineError (ADAPTER_UNSUPPORTED) where the
    architecture's adapters are taken by no model server.
    """
    if job.export == "adapter":
        export_adapter(adapted, tokenizer, job)
    else:
        _export_merged(adapted, tokenizer, job)


def export_adapter(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Writes the adapter alone, in PEFT's layout, weighed by the run's `merge_scale`."""
    architecture = adapted.config.model_type
    if architecture not in _ADAPTABLE:
        raise EngineError(
            "ADAPTER_UNSUPPORTED",
            f"adapters of {architecture} are taken by no model server; export merged models",
        )
    weigh(adapted, job.hyperparameters.merge_scale)
    with written(tokenizer, job) as partial:
        adapted.save_pretrained(partial)


def weigh(adapted: Any, share: float) -> None:
    """Keeps so much of what was learnt in the weights themselves, which `scale` leaves alone."""
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if ".lora_B." in name:
                weight.mul_(share)


def _export_merged(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Merges by the run's `merge_scale`. Weights are BF16 where the base was, otherwise F16."""
    kept_as = adapted.config.dtype
    scale(adapted, job.hyperparameters.merge_scale)
    merged = adapted.merge_and_unload()
    merged = merged.to(torch.bfloat16 if kept_as == torch.bfloat16 else torch.float16)
    with written(tokenizer, job) as partial:
        merged.save_pretrained(partial, max_shard_size="4GB")


@contextlib.contextmanager
def written(tokenizer: Any, job: TrainingJob) -> Iterator[Path]:
    """A folder for a model's weights; with the tokenizer it becomes `job.merged`, whole."""
    partial = job.merged.with_name("merged.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    # In tokenizer_config.json, where every reader of such directories looks for the template.
    tokenizer.save_pretrained(partial, save_jinja_files=False)
    _write_parity(tokenizer, job)
    for path in sorted(partial.iterdir()):
        sync(path)
    sync(partial)
    partial.rename(job.merged)
    sync(job.merged.parent)


def scale(adapted: Any, share: float) -> None:
    """Keeps so much of what a peft model's LoRA layers have learnt (0 to 1)."""
    for layer in adapted.modules():
        if isinstance(layer, LoraLayer):
            layer.scale_layer(share)


def _write_parity(tokenizer: Any, job: TrainingJob) -> None:
    count = count_prompt_tokens(tokenizer, job.probe)
    job.parity.write_text(json.dumps({"messages": job.probe, "token_count": count}))
    sync(job.parity)
