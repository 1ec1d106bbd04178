"""LoRA adapters: a tag with one computes what the merged model computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import ollama
import pytest

from services.model_server.gguf_header import read_gguf_header
from services.model_server.lora_export import export_lora
from shared.llama_gguf.export import export_gguf
from shared.llama_gguf.safetensors_file import stored_tensors
from tests.unit.model_server.tiny_llama import make_tiny_llama, write_safetensors

TEXT = "the bat flies over a river at night"
RANK, ALPHA = 4, 8.0
MODULES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj")
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA}


def tensors(directory: Path) -> dict[str, np.ndarray]:
    return {t.name: t.read() for t in stored_tensors(directory / "model.safetensors")}


def make_adapter(directory: Path, base: Path, **config: object) -> Path:
    """A random adapter on four matrices of each layer, in PEFT's layout."""
    directory.mkdir()
    draw, factors = np.random.default_rng(7), {}
    for name, values in tensors(base).items():
        module = name.removesuffix(".weight")
        if module.endswith(MODULES):
            rows, columns = values.shape
            for side, shape in (("A", (RANK, columns)), ("B", (rows, RANK))):
                factors[f"base_model.model.{module}.lora_{side}.weight"] = draw.normal(
                    0, 0.2, shape
                )
    write_safetensors(directory / "adapter_model.safetensors", factors, "F32")
    (directory / "adapter_config.json").write_text(json.dumps({**CONFIG, **config}))
    return directory


def merge(base: Path, adapter: Path, merged: Path) -> Path:
    make_tiny_llama(merged)
    held = {t.name: t.read() for t in stored_tensors(adapter / "adapter_model.safetensors")}
    weights = tensors(base)
    for name in weights:
        stem = f"base_model.model.{name.removesuffix('.weight')}.lora_"
        if f"{stem}A.weight" in held:
            delta = held[f"{stem}B.weight"] @ held[f"{stem}A.weight"]
            weights[name] = weights[name] + delta * (ALPHA / RANK)
    write_safetensors(merged / "model.safetensors", weights, "F32")
    return merged


def exported(base: Path, adapter: Path, work: Path) -> Path:
    export_gguf(base, work / "base.gguf", "f32")
    export_lora(adapter, read_gguf_header(work / "base.gguf"), work / "adapter.gguf")
    return work / "adapter.gguf"


def upload(client: ollama.Client, directory: Path) -> dict[str, str]:
    return {path.name: client.create_blob(path) for path in sorted(directory.iterdir())}


def vector(client: ollama.Client, model: str) -> np.ndarray:
    return np.array(client.embed(model, TEXT).embeddings[0])


@pytest.fixture
def base(client: ollama.Client, tmp_path: Path) -> Path:
    """A model in full precision, and its tag `base`."""
    directory = make_tiny_llama(tmp_path / "base")
    client.create("base", files=upload(client, directory), quantize="f32")
    return directory


def test_an_adapter_does_what_merging_does(
    client: ollama.Client, base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    statuses = [
        s.status
        for s in client.create("tuned", from_="base", adapters=upload(client, adapter), stream=True)
    ]
    assert statuses[1] == "converting adapter"
    assert statuses[-1] == "success"
    merged = merge(base, adapter, tmp_path / "merged")
    client.create("merged", files=upload(client, merged), quantize="f32")
    assert vector(client, "tuned") @ vector(client, "merged") > 0.99999
    assert vector(client, "tuned") @ vector(client, "base") < 0.99
    sizes = {m.model: m.size for m in client.list().models}
    assert sizes["tuned:latest"] > sizes["base:latest"]
    assert "ADAPTER sha256:" in client.show("tuned").modelfile


def test_a_gguf_adapter_is_taken_as_it_is_and_outlives_its_other_tags(
    client: ollama.Client, base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    client.create("one", from_="base", adapters=upload(client, adapter))
    digest = client.create_blob(exported(base, adapter, tmp_path))
    client.create("two", from_="base", adapters={"adapter.gguf": digest})
    assert vector(client, "two") @ vector(client, "one") > 0.99999
    client.create("three", from_="two")
    client.delete("one")
    client.delete("two")
    assert vector(client, "three") @ vector(client, "base") < 0.99


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "plain LoRA"),
        ({"use_dora": True}, "plain LoRA"),
        ({"lora_alpha": "much"}, "lacks a valid value"),
    ],
)
def test_other_adapters_are_refused(
    client: ollama.Client, base: Path, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, **config)
    with pytest.raises(ollama.ResponseError, match=message):
        client.create("never", from_="base", adapters=upload(client, adapter))
    assert "never:latest" not in [m.model for m in client.list().models]


@pytest.mark.embedded
def test_an_adapter_that_does_not_fit_is_refused(
    client: ollama.Client, base: Path, tmp_path: Path
) -> None:
    wider = make_tiny_llama(tmp_path / "wider", hidden_size=128)
    adapter = make_adapter(tmp_path / "adapter", wider)
    with pytest.raises(ollama.ResponseError, match="cannot use the model"):
        client.create("never", from_="base", adapters=upload(client, adapter))
    export_gguf(base, tmp_path / "model.gguf", "f16")
    model = client.create_blob(tmp_path / "model.gguf")
    with pytest.raises(ollama.ResponseError, match="is no adapter"):
        client.create("never", from_="base", adapters={"a.gguf": model})
    config = client.create_blob(adapter / "adapter_config.json")
    with pytest.raises(ollama.ResponseError, match="unknown adapter"):
        client.create("never", from_="base", adapters={"adapter_config.json": config})
