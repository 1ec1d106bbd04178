from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from services.trainer.dataset_store import DatasetStore
from services.trainer.golden_dataset import build_dataset
from shared.errors import DataLoss, NotFound
from tests.unit.trainer.examples import ADD, called, talk, tool

DATASET = build_dataset("BRICK", [*(tool(n) for n in range(20)), talk(1, answer="a\u2028b")])


async def test_what_was_put_is_read_back(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path)
    card = await store.put(DATASET)
    assert await store.card(card.id) == card == await store.put(DATASET)
    assert card.name == f"datasets/{DATASET.sha256[:16]}"
    assert await store.heldout(card.id) == list(DATASET.heldout)
    rows = (await store.train_file(card.id)).read_text(encoding="utf-8").count("\n")
    assert rows == card.train_count == len(DATASET.train)


async def test_a_half_written_dataset_is_written_again(tmp_path: Path) -> None:
    (tmp_path / DATASET.sha256[:16]).mkdir()
    (tmp_path / DATASET.sha256[:16] / "train.jsonl").write_text("half")
    card = await DatasetStore(tmp_path).put(DATASET)
    assert await DatasetStore(tmp_path).heldout(card.id) == list(DATASET.heldout)


async def test_two_who_put_the_same_at_once_get_the_same(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path)
    cards = await asyncio.gather(*(store.put(DATASET) for _ in range(8)))
    assert all(card == cards[0] for card in cards)
    assert await store.heldout(cards[0].id) == list(DATASET.heldout)


@pytest.mark.parametrize("file", ["train.jsonl", "heldout.jsonl"])
async def test_a_changed_file_is_refused(tmp_path: Path, file: str) -> None:
    store = DatasetStore(tmp_path)
    card = await store.put(DATASET)
    path = tmp_path / card.id / file
    path.write_text(path.read_text(encoding="utf-8").replace("add", "sub"), encoding="utf-8")
    with pytest.raises(DataLoss):
        await (store.train_file(card.id) if file == "train.jsonl" else store.heldout(card.id))


async def test_an_unknown_dataset_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await DatasetStore(tmp_path).card("0123456789abcdef")


async def test_a_dataset_is_there_for_people_and_their_tools_as_well(tmp_path: Path) -> None:
    examples = [dataclasses.replace(tool(n), origin=f"tools/add_{n}") for n in range(12)]
    dataset = build_dataset("BRICK", [*examples, *(talk(n) for n in range(4))])
    card = await DatasetStore(tmp_path).put(dataset)
    folder = tmp_path / card.id
    for side in ("train", "heldout"):
        table = parquet.read_table(folder / f"{side}.parquet").to_pylist()
        lines = [json.loads(line) for line in (folder / f"{side}.jsonl").read_text().splitlines()]
        nothing = {"name": None, "tool_calls": None}
        assert [row["prompt"] for row in table] == [
            [nothing | message for message in line["prompt"]] for line in lines
        ]
        assert [row["function"] for row in table] == [line.get("function") for line in lines]
        assert [json.loads(row["examples"] or "null") for row in table] == [
            line.get("examples") for line in lines
        ]
    text = (folder / "README.md").read_text()
    assert card.sha256 in text
    assert "| from tool | 12 |" in text
    assert "* tools/add_3" in text
    assert card.lineage == sorted(f"tools/add_{n}" for n in range(12))


async def test_calls_and_tools_are_read_back_and_are_there_for_other_tools(tmp_path: Path) -> None:
    dataset = build_dataset("BRICK", [called(n) for n in range(8)])
    card = await DatasetStore(tmp_path).put(dataset)
    assert await DatasetStore(tmp_path).heldout(card.id) == list(dataset.heldout)
    assert dataset.heldout[0].calls[0]["function"]["arguments"]["who"] == "[email]"
    (row, *_) = parquet.read_table(tmp_path / card.id / "train.parquet").to_pylist()
    assert json.loads(row["completion"][0]["tool_calls"]) == list(dataset.train[0].calls)
    assert json.loads(row["tools"]) == [ADD]
    assert row["prompt"][0]["tool_calls"] is None
