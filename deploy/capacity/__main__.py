"""Prints what a number of people takes.

Usage: python -m deploy.capacity --turns-per-minute 30 [--answer-tokens 200] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from deploy.capacity.plan import Demand, Plan, plan

_HELP = {
    "turns_per_minute": "turns of all conversations together",
    "answer_tokens": "tokens of an answer, on average",
    "tokens_per_second": "speed of one answer while `parallel` run (see its own benchmark)",
    "parallel": "answers at once (OLLAMA_NUM_PARALLEL)",
    "calls_per_turn": "runs in a sandbox per turn",
    "run_seconds": "how long such a run takes",
    "memories": "records that Memory keeps",
    "quantile": "share of the turns that is to wait no longer than wait_seconds",
    "wait_seconds": "for each thing that a turn needs",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the demand, prints the plan."""
    arguments = vars(_parser().parse_args(argv))
    as_json = arguments.pop("json")
    try:
        made = plan(_checked(Demand(**arguments)))
    except ValueError as error:
        sys.stderr.write(f"capacity: {error}\n")
        raise SystemExit(2) from None
    if as_json:
        whole = {k: None if v == math.inf else v for k, v in dataclasses.asdict(made).items()}
        print(json.dumps(whole))
    else:
        _print(made)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.capacity", description="What a number of people takes."
    )
    for field in dataclasses.fields(Demand):
        required = field.default is dataclasses.MISSING
        kind = int if field.type == "int" else float
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            required=required,
            default=None if required else field.default,
            help=_HELP[field.name] + ("" if required else f" [{field.default}]"),
        )
    parser.add_argument("--json", action="store_true", help="one JSON line")
    return parser


def _checked(demand: Demand) -> Demand:
    """ValueError names the first value that cannot be."""
    for name, value in dataclasses.asdict(demand).items():
        allowed = value >= 0 if name in ("calls_per_turn", "memories") else value > 0
        if not allowed or not math.isfinite(value):
            raise ValueError(f"--{name.replace('_', '-')} cannot be {value:g}")
    if demand.quantile >= 1:
        raise ValueError("--quantile is a share below 1")
    return demand


def _print(made: Plan) -> None:
    table = Table("", "", box=None, show_header=False)
    table.add_row("model: load, wait", f"{made.model_load:.0%}, {_wait(made.model_wait_seconds)}")
    table.add_row("answers at once that would do", str(made.answers_at_once))
    table.add_row("turns a minute that the model can take", f"{made.most_turns_per_minute:.1f}")
    table.add_row("sandbox-executors", str(made.executors))
    table.add_row(
        "their load, wait", f"{made.executor_load:.0%}, {_wait(made.executor_wait_seconds)}"
    )
    table.add_row("CPU cores beside the model", f"{made.cores:.2f}")
    table.add_row("memory of the sandboxes", f"{made.sandbox_memory_bytes / 2**20:,.0f} MiB")
    table.add_row("memory of Memory", f"{made.memory_bytes / 2**20:,.0f} MiB")
    table.add_row("disk of Memory", f"{made.disk_bytes / 2**20:,.0f} MiB")
    Console().print(table)


def _wait(seconds: float) -> str:
    return "the line grows for ever" if seconds == math.inf else f"{seconds:.2f} s"


if __name__ == "__main__":
    main()
