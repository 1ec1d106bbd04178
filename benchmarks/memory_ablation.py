"""What each kind of evidence is worth to Memory's search: recall without it, and with half of it.

Usage: python -m benchmarks.memory_ablation --data CONVERSATIONS.json

The data is that of benchmarks.memory_recall, whose definition of recall it shares; the evidence is
judged in this process, without a store, over all turns of a conversation.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.memory_recall import ADVERSARIAL, CUTS, episode, evidence, sessions
from services.memory.candidates import Row
from services.memory.evidence import Judge, Weights
from services.memory.extract import summary_of
from services.memory.frequencies import Frequencies
from services.memory.lexicon import Lexicon
from services.memory.records import Level
from services.memory.turns import Analysis
from services.memory.windows import Windows
from services.memory.words import words_of


def rows_of(talk: dict[str, Any]) -> Iterator[Row]:
    """The turns of a conversation; a row's id is its turn's."""
    for session, at, turns in sessions(talk):
        for place, turn in enumerate(turns):
            said = episode(turn, session, at)
            yield Row(
                turn["dia_id"], Level.EPISODE, session, place, said.speaker, said.text, at, 0.0
            )


def summaries_of(rows: list[Row]) -> Iterator[Row]:
    """A summary of each session, as `Consolidate` makes it without a model."""
    for soma, turns in groupby(rows, key=lambda row: row.soma):
        said = list(turns)
        at = said[-1].created_at
        yield Row(soma, Level.SUMMARY, soma, len(said), "", summary_of(said), at, 0.0)


class Talk:
    """A conversation, analysed once for all weights."""

    def __init__(self, talk: dict[str, Any], lexicon: Lexicon) -> None:
        rows = list(rows_of(talk))
        self._lexicon = lexicon
        self._frequencies = Frequencies([row.text for row in rows], lexicon)
        names = frozenset[str]().union(*(words_of(row.speaker) for row in rows))
        turns = Analysis(lexicon).turns(rows, self._frequencies, names)
        self._windows = Windows(lexicon, turns)
        known = {row.id for row in rows}
        judge = Judge(self._frequencies, lexicon, Weights())
        sums = Windows(
            lexicon, Analysis(lexicon).turns(list(summaries_of(rows)), self._frequencies, names)
        )
        self._questions = [
            (asked := judge.question(text, names), judge.summaries(asked, sums), wanted)
            for question in talk["qa"]
            if question["category"] != ADVERSARIAL
            and (wanted := evidence(question, known))
            and (text := question["question"])
        ]

    def recalls(self, weights: Weights) -> Iterator[list[float]]:
        """Recall at each cut, per question."""
        judge = Judge(self._frequencies, self._lexicon, weights)
        for question, told, wanted in self._questions:
            score = judge.judge(question, self._windows, told).score
            best = np.argsort(-score, kind="stable")[: max(CUTS)]
            found = [self._windows.turns[place].id for place in best]
            yield [len(wanted & set(found[:cut])) / len(wanted) for cut in CUTS]


def mean(talks: list[Talk], weights: Weights) -> list[float]:
    """Mean recall at each cut over all questions of all conversations."""
    rows = [recalls for talk in talks for recalls in talk.recalls(weights)]
    return [round(statistics.fmean(column), 4) for column in zip(*rows, strict=True)]


def main(data: Path) -> None:
    """A row per kind of evidence: without it, and with half of it."""
    lexicon = Lexicon()
    talks = [Talk(talk, lexicon) for talk in json.loads(data.read_text())]
    base = Weights()
    names = [field.name for field in fields(base)]
    found = {"all": mean(talks, base)}
    for name in track(names, "ablation", console=Console(stderr=True)):
        weight = getattr(base, name)
        found[f"without {name}"] = mean(talks, replace(base, **{name: 0.0}))
        found[f"half {name}"] = mean(talks, replace(base, **{name: weight / 2}))
    table = Table("evidence", *(f"R@{cut}" for cut in CUTS), box=None)
    for label, recalls in found.items():
        table.add_row(label, *(f"{recall:.3f}" for recall in recalls))
    Console().print(table)
    keys = [f"recall_at_{cut}" for cut in CUTS]
    rows = {label: dict(zip(keys, recalls, strict=True)) for label, recalls in found.items()}
    print(json.dumps({"benchmark": "memory_ablation", "evidence": rows}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_ablation")
    parser.add_argument("--data", type=Path, required=True, help="file in the shape of LoCoMo")
    main(parser.parse_args().data)
