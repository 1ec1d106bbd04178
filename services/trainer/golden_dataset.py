"""The golden dataset: exact and near duplicates removed, scrubbed, split by family."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.trainer.golden_example import GoldenExample
from services.trainer.near_duplicates import near_duplicates
from services.trainer.scrubbing import scrub_message
from services.trainer.training_job import Message
from shared.errors import FailedPrecondition

_HELDOUT_SHARE = 0.25
_MANY_TOOLS = 40
_LEAST_HELDOUT_OF_MANY = 12


@dataclass(frozen=True)
class GoldenDataset:
    """Rows to learn from and rows to judge by; no family is on both sides.

    `withheld_count` counts tools left out because scrubbing would have changed verified code.
    """

    persona: str
    train: tuple[GoldenExample, ...]
    heldout: tuple[GoldenExample, ...]
    duplicate_count: int
    withheld_count: int
    near_duplicate_count: int = 0

    @property
    def lineage(self) -> list[str]:
        """Names of the resources that the rows come from, sorted."""
        return sorted({e.origin for e in (*self.train, *self.heldout) if e.origin})

    @property
    def lengths(self) -> dict[str, int]:
        """Characters of a row, prompt and answer together: the least, quartiles, p95, the most."""
        sizes = sorted(map(_size, (*self.train, *self.heldout)))
        places = {"least": 0.0, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "most": 1.0}
        return {name: sizes[round(share * (len(sizes) - 1))] for name, share in places.items()}

    @property
    def sha256(self) -> str:
        """Hash (hex) of the persona and all rows in order."""
        digest = hashlib.sha256(f"{self.persona}\n".encode())
        for part in (self.train, self.heldout):
            digest.update(b"--\n")
            for example in part:
                digest.update((row_json(example) + "\n").encode())
        return digest.hexdigest()

    @property
    def source_counts(self) -> dict[str, int]:
        """Rows per source, both sides together."""
        return dict(Counter(e.source for e in (*self.train, *self.heldout)))


def row_json(example: GoldenExample) -> str:
    """One JSONL row: prompt and completion as messages, and what the answer is judged by."""
    row: dict[str, object] = {
        "prompt": list(example.prompt),
        "completion": [example.completion],
        "source": example.source,
        "family": example.family,
    }
    if example.tools:
        row["tools"] = list(example.tools)
    if example.spec is not None:
        row["function"] = example.spec.function
        row["examples"] = [
            {"arguments": json.loads(e.arguments_json), "result": json.loads(e.result_json)}
            for e in example.spec.expectations
        ]
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


def build_dataset(persona: str, examples: Sequence[GoldenExample]) -> GoldenDataset:
    """The dataset of these examples; FailedPrecondition (NO_GOLDEN_EXAMPLES) where none is left.

    The same examples give the same dataset, in whatever order they come.
    """
    clean = [scrubbed for example in examples if (scrubbed := _scrubbed(example)) is not None]
    distinct = sorted({_identity(e): e for e in reversed(clean)}.values(), key=_identity)
    unique = _far_apart(distinct)
    if not unique:
        raise FailedPrecondition(
            f"{persona} has no golden examples yet; register a tool, forge one, rate a turn good "
            "or correct one",
            reason="NO_GOLDEN_EXAMPLES",
        )
    tools = [example for example in unique if example.spec is not None]
    talks = [example for example in unique if example.spec is None]
    heldout = _heldout(tools, _tool_target(len(tools))) | _heldout(
        talks, round(len(talks) * _HELDOUT_SHARE)
    )
    return GoldenDataset(
        persona=persona,
        train=tuple(e for e in unique if _identity(e) not in heldout),
        heldout=tuple(e for e in unique if _identity(e) in heldout),
        duplicate_count=len(clean) - len(distinct),
        near_duplicate_count=len(distinct) - len(unique),
        withheld_count=len(examples) - len(clean),
    )


def _far_apart(examples: Sequence[GoldenExample]) -> list[GoldenExample]:
    """Without talk that asks and answers nearly what other talk does. Code is kept apart by its
    families instead: variants of it, in other words and names, are what a model learns from."""
    talks = [place for place, example in enumerate(examples) if example.spec is None]
    texts = [
        "\n".join(map(_text, (examples[place].prompt[-1], examples[place].completion)))
        for place in talks
    ]
    dropped = {talks[place] for place in near_duplicates(texts)}
    return [example for place, example in enumerate(examples) if place not in dropped]


def _size(example: GoldenExample) -> int:
    return sum(map(len, map(_text, (*example.prompt, example.completion))))


def _text(message: Message) -> str:
    calls = message.get("tool_calls")
    return f"{message['content']}{json.dumps(calls, ensure_ascii=False) if calls else ''}"


def _scrubbed(example: GoldenExample) -> GoldenExample | None:
    prompt = tuple(map(scrub_message, example.prompt))
    completion = scrub_message(example.completion)
    answer, calls = completion["content"], tuple(completion.get("tool_calls", ()))
    if example.spec is not None and (answer != example.answer or prompt != example.prompt):
        return None  # code that was changed is code that nobody has verified
    return replace(example, prompt=prompt, answer=answer, calls=calls)


def _identity(example: GoldenExample) -> str:
    called = [list(example.calls), list(example.tools)] if example.tools else []
    return json.dumps([list(example.prompt), example.answer, *called], sort_keys=True)


def _tool_target(count: int) -> int:
    share = round(count * _HELDOUT_SHARE)
    return max(share, _LEAST_HELDOUT_OF_MANY) if count >= _MANY_TOOLS else share


def _heldout(examples: Sequence[GoldenExample], target: int) -> set[str]:
    """Identities of whole groups, in the order of their hashes, as near to `target` as they allow.

    A group always has the same place in that order, so a growing dataset keeps its sides nearly.
    """
    chosen: list[GoldenExample] = []
    groups = sorted(_groups(examples), key=_group_hash)
    for group in groups[:-1] if len(groups) > 1 else []:  # something must be left to learn from
        missing = target - len(chosen)
        if missing > 0 and len(group) - missing <= missing:
            chosen += group
    return {_identity(example) for example in chosen}


def _groups(examples: Iterable[GoldenExample]) -> list[list[GoldenExample]]:
    """Examples that share a family or a prompt, directly or through others, are one group."""
    group_of: dict[str, list[GoldenExample]] = {}
    for example in examples:
        keys = (f"family {example.family}", f"prompt {json.dumps(list(example.prompt))}")
        merged = [example]
        for group in {id(group_of[key]): group_of[key] for key in keys if key in group_of}.values():
            merged += group
        for member in merged:
            group_of[f"family {member.family}"] = merged
            group_of[f"prompt {json.dumps(list(member.prompt))}"] = merged
    return list({id(group): group for group in group_of.values()}.values())


def _group_hash(group: Sequence[GoldenExample]) -> str:
    family = min(example.family for example in group)
    return hashlib.sha256(family.encode()).hexdigest()
