"""Datasets as directories that never change.

train and heldout as .jsonl, which training reads, and as .parquet, for people's own tools;
manifest.json for programs, README.md for people.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.trainer.dataset_card import DatasetCard, readable
from services.trainer.golden_dataset import GoldenDataset, row_json
from services.trainer.golden_example import Expectation, GoldenExample, ToolSpec
from services.trainer.training_job import Message
from shared.durable import sync
from shared.errors import DataLoss, NotFound


class DatasetStore:
    """Datasets below one directory, each named after its hash."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._putting = threading.Lock()

    async def put(self, dataset: GoldenDataset) -> DatasetCard:
        """Writes a dataset; one that is there already is left as it is."""
        return await asyncio.to_thread(self._put_alone, dataset)

    async def card(self, dataset_id: str) -> DatasetCard:
        """The card of a dataset; NotFound, or DataLoss where it is damaged."""
        return await asyncio.to_thread(self._card, dataset_id)

    async def heldout(self, dataset_id: str) -> list[GoldenExample]:
        """The rows to judge by; DataLoss where the file is not the one that was written."""
        card = await self.card(dataset_id)
        return await asyncio.to_thread(self._rows, card, "heldout.jsonl")

    async def train_file(self, dataset_id: str) -> Path:
        """The verified file to learn from."""
        card = await self.card(dataset_id)
        await asyncio.to_thread(self._rows, card, "train.jsonl")
        return self._directory / dataset_id / "train.jsonl"

    def _put_alone(self, dataset: GoldenDataset) -> DatasetCard:
        # The same examples give the same place: two who build them at once must not both write it.
        with self._putting:
            return self._put(dataset)

    def _put(self, dataset: GoldenDataset) -> DatasetCard:
        sha256 = dataset.sha256
        place = self._directory / sha256[:16]
        if (place / "manifest.json").is_file():
            return self._card(place.name)
        partial = self._directory / f".{place.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        files = {}
        for side, examples in (("train", dataset.train), ("heldout", dataset.heldout)):
            files[f"{side}.jsonl"] = _write(partial / f"{side}.jsonl", examples)
            files[f"{side}.parquet"] = _write_parquet(partial / f"{side}.parquet", examples)
        card = DatasetCard(
            id=place.name,
            sha256=sha256,
            persona=dataset.persona,
            train_count=len(dataset.train),
            heldout_count=len(dataset.heldout),
            duplicate_count=dataset.duplicate_count,
            withheld_count=dataset.withheld_count,
            source_counts=dataset.source_counts,
            created_at=time.time(),
            files=files,
            near_duplicate_count=dataset.near_duplicate_count,
            lengths=dataset.lengths,
            lineage=dataset.lineage,
        )
        _write_synced(partial / "README.md", readable(card).encode())
        _write_synced(partial / "manifest.json", json.dumps(asdict(card), sort_keys=True).encode())
        sync(partial)
        shutil.rmtree(place, ignore_errors=True)  # one without a manifest was never finished
        partial.rename(place)
        sync(self._directory)
        return card

    def _card(self, dataset_id: str) -> DatasetCard:
        try:
            text = (self._directory / dataset_id / "manifest.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFound(f"there is no datasets/{dataset_id}", reason="NO_SUCH_DATASET") from None
        try:
            return DatasetCard(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise DataLoss(f"the manifest of datasets/{dataset_id} is damaged") from error

    def _rows(self, card: DatasetCard, file: str) -> list[GoldenExample]:
        try:
            content = (self._directory / card.id / file).read_bytes()
        except OSError as error:
            raise DataLoss(f"{file} of {card.name} cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != card.files.get(file):
            raise DataLoss(f"{file} of {card.name} is not what was written")
        return [_example(json.loads(line)) for line in content.decode().split("\n") if line]


def _write(path: Path, examples: Sequence[GoldenExample]) -> str:
    content = "".join(row_json(example) + "\n" for example in examples).encode()
    _write_synced(path, content)
    return hashlib.sha256(content).hexdigest()


def _write_parquet(path: Path, examples: Sequence[GoldenExample]) -> str:
    import pyarrow as pa  # some 40 MiB that a service without datasets can do without
    from pyarrow import parquet

    rows = [json.loads(row_json(example)) for example in examples]
    text = pa.string()
    message = pa.struct([("role", text), ("content", text), ("name", text), ("tool_calls", text)])
    schema = pa.schema(
        [
            ("prompt", pa.list_(message)),
            ("completion", pa.list_(message)),
            ("source", pa.string()),
            ("family", pa.string()),
            ("function", pa.string()),
            # JSON, as are the calls of a message: arguments and results are of every type
            ("examples", pa.string()),
            ("tools", pa.string()),
        ]
    )
    for row in rows:
        messages = (*row["prompt"], *row["completion"])
        places = [(row, "examples"), (row, "tools"), *((m, "tool_calls") for m in messages)]
        for holder, key in places:
            holder[key] = json.dumps(holder[key]) if key in holder else None
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    content = sink.getvalue().to_pybytes()
    _write_synced(path, content)
    return hashlib.sha256(content).hexdigest()


def _example(row: dict[str, object]) -> GoldenExample:
    spec = None
    if "function" in row:
        cases: list[dict[str, object]] = row["examples"]  # type: ignore[assignment]
        expectations = tuple(
            Expectation(json.dumps(case["arguments"]), json.dumps(case["result"])) for case in cases
        )
        spec = ToolSpec(str(row["function"]), expectations)
    prompt: list[Message] = row["prompt"]  # type: ignore[assignment]
    completion: list[Message] = row["completion"]  # type: ignore[assignment]
    tools: list[dict[str, Any]] = row.get("tools", [])  # type: ignore[assignment]
    return GoldenExample(
        source=str(row["source"]),
        family=str(row["family"]),
        prompt=tuple(prompt),
        answer=completion[0]["content"],
        spec=spec,
        tools=tuple(tools),
        calls=tuple(completion[0].get("tool_calls", ())),
    )


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
