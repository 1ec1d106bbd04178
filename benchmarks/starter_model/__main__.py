"""How good the starter model is: drafts are run, answers searched for values, calls compared.

Usage: python -m benchmarks.starter_model [--weights FOLDER] [--count N] [--seed N] [--show N]

Questions are drawn from what training never sees (see services/model_server/starter_model/
corpus/holdout.py); the free-form requests were written by hand before training. Each goes through
the embedded model server with Ollama's client. `pass_at_4`: of the greedy draft and three samples
the spec's examples choose; drafts are judged by further examples, too, which nobody saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.starter_model.judgement import chosen, faults, is_right, repairs
from benchmarks.starter_model.served import WEIGHTS, Answer, Served, gguf_folder
from deploy.local import LocalStack
from services.model_server.starter_model.evaluation import Question, evaluation_set, free_form

DRAFTS = ("seen", "carrier", "phrase", "both", "value", "unseen", "composition")
SAMPLED = ("phrase", "free_form")
ANSWERS = ("recall", "unknown", "told", "tell", "note")
RECALLED = ("recall", "unknown", "told", "note")
SEEDS = (1, 2, 3)


@dataclass
class Report:
    """Shares by split, the answers behind them, and some of those that were wrong."""

    shares: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    wrong: list[tuple[str, Question, Answer]] = field(default_factory=list)

    def add(self, split: str, questions: list[Question], answers: list[Answer]) -> None:
        """Judge the answers of one split."""
        coded = bool(questions) and bool(questions[0].name)
        right = (
            [fault is None for fault in faults(questions, answers)]
            if coded
            else [is_right(q, a) for q, a in zip(questions, answers, strict=True)]
        )
        self.counts[split] = len(questions)
        self.shares[split] = round(sum(right) / max(1, len(right)), 3)
        self.answers += answers
        missed = zip(questions, answers, right, strict=True)
        self.wrong += [(split, q, a) for q, a, good in missed if not good]

    @property
    def tokens_per_second(self) -> float:
        """Of one answer while several are made, the mean over all tokens."""
        return sum(a.tokens for a in self.answers) / sum(a.seconds for a in self.answers)


def measure(served: Served, count: int, seed: int) -> Report:
    """Ask everything."""
    report, failed = Report(), []
    for split in (*DRAFTS, "free_form"):
        free = split == "free_form"
        questions = free_form() if free else evaluation_set(split, count, seed)
        drafts = served.ask_all(questions, split)
        report.add(split, questions, drafts)
        failed += repairs(questions, drafts)
        if split in SAMPLED:
            samples = [served.ask_all(questions, f"{split}, seed {s}", s) for s in SEEDS]
            report.add(f"{split} at 4", questions, chosen(questions, [drafts, *samples]))
    report.add("repair", failed, served.ask_all(failed, "repair"))
    for split in (*ANSWERS, "call"):
        questions = evaluation_set(split, count, seed)
        report.add(split, questions, served.ask_all(questions, split))
    return report


def figures(report: Report) -> dict[str, float]:
    """The figures of the last line."""
    shares = report.shares
    return {
        "first_draft_pass": shares["phrase"],
        "pass_at_4": shares["phrase at 4"],
        "repair_pass": shares["repair"],
        "recall_answer_accuracy": round(sum(shares[s] for s in RECALLED) / len(RECALLED), 3),
        "tool_call_accuracy": shares["call"],
        "tokens_per_second": round(report.tokens_per_second),
        "free_form_first_draft_pass": shares["free_form"],
        "free_form_pass_at_4": shares["free_form at 4"],
    }


def show(report: Report, shown: int) -> None:
    """Print the shares and, of each split, some answers that were wrong."""
    console, table = Console(), Table("split", "right", "of", box=None)
    for split, share in report.shares.items():
        table.add_row(split, f"{share:.1%}", str(report.counts[split]))
        for _, question, answer in [w for w in report.wrong if w[0] == split][:shown]:
            said = answer.text or answer.calls
            wanted = question.use or question.value
            console.print(
                f"[{split}]",
                question.messages[-1]["content"],
                said,
                wanted,
                sep="\n--\n",
                markup=False,
            )
    console.print(table)


async def main(options: argparse.Namespace) -> None:
    """Serve the weights, ask, tell."""
    with gguf_folder(options.weights) as folder, tempfile.TemporaryDirectory() as data:
        settings = {"BATOS_MODEL_SERVER_PRELOAD_DIR": str(folder)}
        async with LocalStack(Path(data), services=["model-server"], settings=settings) as stack:
            served = Served(stack.addresses["model-server"])
            report = await asyncio.to_thread(measure, served, options.count, options.seed)
    show(report, options.show)
    splits = {"splits": report.shares, "count": options.count, "seed": options.seed}
    print(json.dumps({"benchmark": "starter_model", **figures(report), **splits}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starter_model", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="a model folder")
    parser.add_argument("--count", type=int, default=100, help="questions of each split")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", type=int, default=0, help="wrong answers to print per split")
    asyncio.run(main(parser.parse_args()))
