"""A trained model as a directory that model servers import: safetensors and tokenizer, or GGUF."""

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
from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.export import export_gguf, half_precision

# The architectures that each kind of export is for: what model servers convert adapters of
# (Ollama's source, August 2026), and what `shared.llama_gguf` writes.
_KINDS = {"adapter": frozenset({"llama", "gemma2"}), "gguf": frozenset({"llama"})}
_GGUF = "model.gguf"


def check_exportable(architecture: str, job: TrainingJob) -> None:
    """EngineError (EXPORT_UNSUPPORTED) where a base cannot be exported as the job wants it."""
    if architecture not in _KINDS.get(job.export, {architecture}):
        raise EngineError(
            "EXPORT_UNSUPPORTED",
            f"a model of {architecture} cannot be exported as {job.export}, only one of "
            f"{', '.join(sorted(_KINDS[job.export]))}; set BATOS_TRAINER_EXPORT=merged",
        )


def export(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Writes `job.merged` and `job.parity` of a peft model, as the job wants it exported.

    The directory appears whole or not at all.
    """
    if job.export == "adapter":
        export_adapter(adapted, tokenizer, job)
    else:
        _export_merged(adapted, tokenizer, job)


def export_adapter(adapted: Any, tokenizer: Any, job: TrainingJob) -> None:
    """Writes the adapter alone, in PEFT's layout, weighed by the run's `merge_scale`."""
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
    """A folder for a model's weights; with the tokenizer it becomes `job.merged`, whole.

    Where the job wants GGUF, one file of it takes the place of both; it is not quantised, as model
    servers do that when they create a model. Raises EngineError (EXPORT_UNSUPPORTED).
    """
    partial = job.merged.with_name("merged.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    # In tokenizer_config.json, where every reader of such directories looks for the template.
    tokenizer.save_pretrained(partial, save_jinja_files=False)
    _write_parity(tokenizer, job)
    if job.export == "gguf":
        _become_gguf(partial)
    for path in sorted(partial.iterdir()):
        sync(path)
    sync(partial)
    partial.rename(job.merged)
    sync(job.merged.parent)


def _become_gguf(model_dir: Path) -> None:
    try:
        export_gguf(model_dir, model_dir / _GGUF, half_precision(model_dir))
    except BadModelError as error:
        raise EngineError("EXPORT_UNSUPPORTED", f"the model is not made GGUF: {error}") from error
    for path in model_dir.iterdir():
        if path.name != _GGUF:
            path.unlink()


def scale(adapted: Any, share: float) -> None:
    """Keeps so much of what a peft model's LoRA layers have learnt (0 to 1)."""
    for layer in adapted.modules():
        if isinstance(layer, LoraLayer):
            layer.scale_layer(share)


def _write_parity(tokenizer: Any, job: TrainingJob) -> None:
    count = count_prompt_tokens(tokenizer, job.probe)
    job.parity.write_text(json.dumps({"messages": job.probe, "token_count": count}))
    sync(job.parity)
