"""Models in memory: loaded, asked and freed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.model_server.errors import LoadError
from services.model_server.runner import Chunk, Runner, RunnerSpec
from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama

ROOT = Path(__file__).parents[3]
OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from services.model_server.runner import Runner, RunnerSpec
for number in range(20):
    Runner(RunnerSpec(Path(sys.argv[1]), 64, 1, embedding=bool(number % 2))).close()
"""


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_llama(directory / "hf"), directory / "m.gguf")
    return directory / "m.gguf"


def test_a_model_can_be_freed_as_soon_as_it_is_loaded(gguf: Path) -> None:
    # in a process of its own: where this goes wrong, the whole process stands still
    command = [sys.executable, "-c", OPEN_AND_CLOSE, str(gguf)]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_chunk_can_stop_the_answer(gguf: Path) -> None:
    chunks: list[Chunk] = []

    def stop_after_three(chunk: Chunk) -> bool:
        chunks.append(chunk)
        return len(chunks) >= 3

    request = {"prompt": "the bat", "max_tokens": 200, "ignore_eos": True}
    Runner(RunnerSpec(gguf, 256, 1)).complete(request, stop_after_three)
    assert len(chunks) == 3


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"nothing")
    with pytest.raises(LoadError, match=r"cannot load m\.gguf"):
        Runner(RunnerSpec(tmp_path / "m.gguf", 64, 1))
