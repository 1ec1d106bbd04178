"""Tokens a second of a training engine, beside a bare TRL loop on the same rows.

Usage: python -m benchmarks.training_throughput [--engine trl|unsloth] [--steps N] [--rounds N]

Both fine-tune the starter model with the same LoRA, steps, rows a step and learning rate, on rows
of its rehearsal; what is counted are tokens that are no padding. The bare loop is what one writes
from TRL's documentation: prompt and completion rows for `SFTTrainer`, which tokenizes and shuffles
them. The engine plans its batches by length, keeps checkpoints and reports every step. Each side
has a process of its own in every round, in turns; medians are compared. With --engine unsloth,
which needs an NVIDIA GPU, unsloth stands beside the trl engine's bare loop on that GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.trainer.bases import Base, Catalogue
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.rows import sample_rows
from services.trainer.training_job import TrainingJob

BASES = Path(__file__).resolve().parents[1] / "deploy" / "bases.toml"
ROWS = 400
SIDES = ("engine", "bare")


class Watch:
    """A reporter that keeps the last report."""

    last: Progress

    def progress(self, progress: Progress) -> None:
        """Keeps it."""
        self.last = progress

    def phase(self, name: str) -> None:
        """Nothing to keep."""


def recipe(base: Base, steps: int) -> Hyperparameters:
    """The starter's own, without rehearsal: all rows are golden here."""
    return dataclasses.replace(
        base.hyperparameters,
        max_steps=steps,
        rehearsal_share=0.0,
        checkpoint_steps=max(1, steps // 2),
    )


def rows_of(base: Base) -> list[dict[str, Any]]:
    """Prompt and completion rows."""
    assert base.rehearsal is not None
    return [
        {"prompt": list(row.prompt), "completion": [row.completion]}
        for row in sample_rows(base.rehearsal, ROWS, seed=1)
    ]


def engine_side(name: str, base: Base, steps: int, folder: Path) -> float:
    """Tokens a second of our engine's training, its export not counted."""
    from services.trainer.engine import load_engine

    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows_of(base)), encoding="utf-8")
    watch = Watch()
    job = TrainingJob(
        base=base.model,
        gguf_file=base.gguf_file,
        train_file=str(file),
        rehearsal_file=None,
        directory=str(folder / "run"),
        hyperparameters=recipe(base, steps),
        probe=({"role": "user", "content": "Hello."},),
    )
    load_engine(name).run(job, watch)
    return watch.last.tokens_per_second


def bare_side(base: Base, steps: int, folder: Path) -> float:
    """Tokens a second of `SFTTrainer` as its documentation has it."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from services.trainer.fine_tune import LINEAR_LAYERS

    class Clock(TrainerCallback):  # type: ignore[misc]
        began = ended = tokens = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.monotonic()

        def on_log(self, *_: Any, logs: Any = None, **__: Any) -> None:
            if logs and "num_tokens" in logs and "loss" in logs:
                self.ended, self.tokens = time.monotonic(), float(logs["num_tokens"])

    parameters, on_gpu, clock = recipe(base, steps), torch.cuda.is_available(), Clock()
    packed = {"gguf_file": base.gguf_file, "quantization_config": GgufConfig(dequantize=True)}
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            base.model,
            dtype=torch.bfloat16 if on_gpu else torch.float32,
            **(packed if base.gguf_file else {}),
        ),
        args=SFTConfig(
            output_dir=str(folder / "bare"),
            max_steps=steps,
            per_device_train_batch_size=parameters.batch_size,
            learning_rate=parameters.learning_rate,
            max_length=parameters.max_length,
            gradient_checkpointing=on_gpu,
            use_cpu=not on_gpu,
            bf16=on_gpu,
            dataloader_pin_memory=on_gpu,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows_of(base)),
        processing_class=AutoTokenizer.from_pretrained(base.model),
        peft_config=LoraConfig(
            r=parameters.lora_rank,
            lora_alpha=parameters.lora_alpha,
            target_modules=LINEAR_LAYERS,
            task_type="CAUSAL_LM",
        ),
        callbacks=[clock],
    )
    trainer.train()
    return clock.tokens / (clock.ended - clock.began)


def measured(side: str, arguments: argparse.Namespace) -> float:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_throughput", "--side", side]
    command += ["--engine", arguments.engine, "--steps", str(arguments.steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise SystemExit(f"the {side} side failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def one_side(arguments: argparse.Namespace) -> float:
    """What a process of its own does."""
    base = Catalogue.read(BASES).base("starter")
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        if arguments.side == "bare":
            return bare_side(base, arguments.steps, Path(folder))
        return engine_side(arguments.engine, base, arguments.steps, Path(folder))


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["trl", "unsloth"], default="trl")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(one_side(arguments))
        return
    turns = [side for _ in range(arguments.rounds) for side in SIDES]
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for side in track(turns, "training", console=Console(stderr=True)):
        rates[side].append(measured(side, arguments))
    engine, bare = (statistics.median(rates[side]) for side in SIDES)
    table = Table("", "tokens/s")
    table.add_row(f"the {arguments.engine} engine", f"{engine:.0f}")
    table.add_row("a bare TRL loop", f"{bare:.0f}")
    Console().print(table)
    figures = {"tokens_per_second": round(engine), "bare_tokens_per_second": round(bare)}
    print(json.dumps({**figures, "ratio": round(engine / bare, 3)}))


if __name__ == "__main__":
    main()
