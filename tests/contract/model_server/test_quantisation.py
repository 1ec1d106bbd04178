"""Quantised models: smaller, and still about the same function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import ollama
import pytest

from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama

TEXT = "the bat flies over a river at night"


def vector(client: ollama.Client, model: str) -> np.ndarray:
    return np.array(client.embed(model, TEXT).embeddings[0])


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose rows fill whole blocks of K-quants."""
    directory = tmp_path_factory.mktemp("wide")
    return make_tiny_llama(
        directory,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        initializer_range=0.05,
    )


@pytest.fixture
def full(client: ollama.Client, wide: Path) -> str:
    client.create("full", files={p.name: client.create_blob(p) for p in wide.iterdir()})
    return "full"


@pytest.mark.parametrize(
    ("kind", "least", "share"),
    [("q8_0", 0.999, 0.55), ("q4_K_M", 0.9, 0.36), ("q4_K_S", 0.9, 0.35)],
)
def test_a_tag_is_quantised_as_its_files_are(
    client: ollama.Client, wide: Path, full: str, kind: str, least: float, share: float
) -> None:
    statuses = [s.status for s in client.create("less", from_=full, quantize=kind, stream=True)]
    assert f"quantizing F16 model to {kind.upper()}" in statuses
    shown = {m.model: m for m in client.list().models}
    assert shown["less:latest"].details.quantization_level == kind.upper()
    assert shown["less:latest"].details.parent_model == "full:latest"
    assert shown["less:latest"].size < share * shown["full:latest"].size + 20_000  # vocabulary
    assert vector(client, "less") @ vector(client, "full") > least
    client.create(
        "files", files={p.name: client.create_blob(p) for p in wide.iterdir()}, quantize=kind
    )
    assert vector(client, "files") @ vector(client, "less") > 0.98
    assert client.chat("less", [{"role": "user", "content": TEXT}]).message.content is not None


def test_a_gguf_file_is_quantised_too(
    client: ollama.Client, wide: Path, full: str, tmp_path: Path
) -> None:
    export_gguf(wide, tmp_path / "m.gguf", "bf16")
    digest = client.create_blob(tmp_path / "m.gguf")
    client.create("less", files={"m.gguf": digest}, quantize="q4_K_M")
    assert client.show("less").details.quantization_level == "Q4_K_M"
    assert client.show("less").template == client.show(full).template
    assert vector(client, "less") @ vector(client, "full") > 0.9


def test_what_is_quantised_is_not_quantised_again(client: ollama.Client, full: str) -> None:
    client.create("less", from_=full, quantize="q8_0")
    with pytest.raises(ollama.ResponseError, match="only supported for F16, BF16 and F32") as error:
        client.create("least", from_="less", quantize="q4_K_M")
    assert error.value.status_code == 400
