"""Tokens a second of the Trainer's engine, beside a bare trl loop on the same rows.

Usage: python -m benchmarks.training_throughput [--steps N] [--batch N]

Both fine-tune the starter model by the same recipe on the same rows, in processes of their own that
take turns, on whatever device torch finds. The engine plans batches of similar length, tokenizes
ahead, keeps checkpoints and reports each step; the bare loop is SFTTrainer as its documentation
shows it, on rows of messages. Counted are the tokens that went through the model, padding left out.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob

WEIGHTS = Path(__file__).resolve().parents[1] / "services/model_server/starter_model/weights"
ROWS = 400


class Reports:
    """Keeps what the engine says last."""

    def __init__(self) -> None:
        self.last: Progress | None = None

    def progress(self, progress: Progress) -> None:
        """After each step."""
        self.last = progress

    def phase(self, name: str) -> None:
        """Which part of the work."""


def messages() -> list[list[dict[str, str]]]:
    """Chats that end with an answer."""
    lines = gzip.decompress((WEIGHTS / "rehearsal.jsonl.gz").read_bytes()).decode().splitlines()
    return [json.loads(line)["messages"] for line in itertools.islice(lines, ROWS)]


def recipe(steps: int, batch: int) -> Hyperparameters:
    """The same for both."""
    return Hyperparameters(
        max_steps=steps, batch_size=batch, max_length=768, checkpoint_steps=10_000
    )


def engine(steps: int, batch: int) -> float:
    """The Trainer's own."""
    from services.trainer.trl_engine import TrlEngine

    with tempfile.TemporaryDirectory(prefix="b") as folder:
        train = Path(folder) / "train.jsonl"
        rows = [{"prompt": chat[:-1], "completion": chat[-1:]} for chat in messages()]
        train.write_text("".join(json.dumps(row) + "\n" for row in rows))
        job = TrainingJob(
            base=str(WEIGHTS),
            gguf_file="starter.gguf",
            train_file=str(train),
            rehearsal_file=None,
            directory=folder,
            hyperparameters=recipe(steps, batch),
            probe=({"role": "user", "content": "Hello."},),
        )
        reports = Reports()
        TrlEngine().run(job, reports)
    assert reports.last is not None
    return reports.last.tokens_per_second


def bare(steps: int, batch: int) -> float:
    """SFTTrainer as its documentation shows it."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from trl import SFTConfig, SFTTrainer

    parameters = recipe(steps, batch)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        str(WEIGHTS),
        gguf_file="starter.gguf",
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16 if on_gpu else torch.float32,
    )
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=batch,
                learning_rate=parameters.learning_rate,
                warmup_steps=parameters.warmup_steps,
                max_length=parameters.max_length,
                seed=parameters.seed,
                use_cpu=not on_gpu,
                assistant_only_loss=True,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_steps=1,
            ),
            train_dataset=Dataset.from_list([{"messages": chat} for chat in messages()]),
            processing_class=AutoTokenizer.from_pretrained(str(WEIGHTS)),
            peft_config=LoraConfig(
                r=parameters.lora_rank,
                lora_alpha=parameters.lora_alpha,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        begun = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - begun
    tokens = [line["num_tokens"] for line in trainer.state.log_history if "num_tokens" in line]
    return float(max(tokens)) / seconds


def alone(way: Callable[[int, int], float], steps: int, batch: int) -> float:
    """In a fresh process, as a worker is one."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(way, (steps, batch))


def measure(steps: int, batch: int, rounds: int) -> dict[str, Any]:
    """Both ways in turns."""
    ways = {"engine": engine, "bare": bare}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(alone(way, steps, batch))
    medians = {name: statistics.median(values) for name, values in found.items()}
    return {
        "engine_tokens_per_second": round(medians["engine"]),
        "bare_tokens_per_second": round(medians["bare"]),
        "ratio": round(medians["engine"] / medians["bare"], 3),
        "steps": steps,
        "batch": batch,
    }


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    line = measure(arguments.steps, arguments.batch, arguments.rounds)
    table = Table("what", "")
    for name, value in line.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
