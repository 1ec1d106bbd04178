"""The server as a fresh machine starts it: with the starter model, like any other model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from services.model_server.settings import ModelServerSettings
from tests.contract.model_server.server_process import ServerProcess

DRAFT = """Write a Python function.
Task: Return the larger of two numbers.
Signature: def larger(a: int, b: int) -> int
Examples:
larger(1, 2) == 2
larger(5, 3) == 5"""
MESSAGES = [
    {"role": "system", "content": "You are BRICK, the toolsmith. You are blunt and exact."},
    {"role": "user", "content": DRAFT},
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ollama.Client]:
    weights: Path = ModelServerSettings.model_fields["preload_dir"].default
    server = ServerProcess(tmp_path_factory.mktemp("starter"), weights)
    yield server.client()
    server.close()


def test_it_answers_from_its_file_alike_each_time(client: ollama.Client) -> None:
    options = {"temperature": 0, "num_predict": 64}
    first, second = (client.chat("starter", messages=MESSAGES, options=options) for _ in "12")
    assert first.message.content == second.message.content
    assert first.message.content.startswith("def ")
    assert first.prompt_eval_count > 50


def test_it_streams_and_is_measured(client: ollama.Client) -> None:
    client.generate("starter")
    options = {"temperature": 0, "num_predict": 32}
    parts = list(client.chat("starter", messages=MESSAGES, options=options, stream=True))
    assert parts[-1].done
    assert parts[-1].eval_duration > 0
    assert len(parts) > 5
