from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from services.trainer.engine import EngineError
from services.trainer.rows import read_rows, sample_rows


def line(number: int) -> str:
    return json.dumps(
        {
            "messages": [
                {"role": "user", "content": str(number)},
                {"role": "assistant", "content": "yes"},
            ]
        }
    )


def test_both_forms_are_read_gzipped_or_not(tmp_path: Path) -> None:
    split = {
        "prompt": [{"role": "user", "content": "1"}],
        "completion": [{"role": "assistant", "content": "yes"}],
        "source": "tool",
    }
    text = f"{line(0)}\n{json.dumps(split)}\n"
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    plain, zipped = (list(read_rows(tmp_path / n)) for n in ("a.jsonl", "a.jsonl.gz"))
    assert plain == zipped
    assert [row.prompt[0]["content"] for row in plain] == ["0", "1"]


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "[]",
        '{"messages": [{"role": "user", "content": "no answer"}]}',
        '{"messages": [{"role": "robot", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        '{"prompt": [{"role": "user", "content": 1}], "completion": []}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "",'
        ' "tool_calls": [{"function": {"name": "add", "arguments": "{}"}}]}]}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "",'
        ' "tool_calls": "add"}]}',
    ],
)
def test_the_first_faulty_line_is_named(tmp_path: Path, bad: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{line(0)}\n{bad}\n")
    with pytest.raises(EngineError, match=r"a\.jsonl, line 2") as refused:
        list(read_rows(tmp_path / "a.jsonl"))
    assert refused.value.reason == "BAD_DATASET"


def test_a_cut_off_archive_is_named(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(line(n) for n in range(500)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match=r"a\.jsonl\.gz"):
        list(read_rows(tmp_path / "a.jsonl.gz"))


def test_a_sample_is_fair_and_repeatable(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(line(n) for n in range(100)) + "\n")
    drawn: Counter[str] = Counter()
    for seed in range(40):
        rows = sample_rows(path, 25, seed)
        assert len(rows) == 25
        assert rows == sample_rows(path, 25, seed)
        drawn.update(row.prompt[0]["content"] for row in rows)
    thirds = [sum(drawn[str(n)] for n in range(a, a + 33)) for a in (0, 33, 66)]
    assert max(thirds) < 1.3 * min(thirds)
