"""The exported file computes what transformers computes from the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
import xllamacpp
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoTokenizer, LlamaForCausalLM

from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama

TEXT = "the bat flies over a river at night and returns before dawn"
TEXTS = [TEXT, "Don't  you'LL 12345 ünïcode 蝙蝠\n\n\tdef f(x): return x+1  <|im_end|>\n"]
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny"))


def load(path: Path) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 512, 1, 1
    params.verbosity = 0
    # full precision throughout, so that only the exported weights decide
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return xllamacpp.Server(params)


def ask(server: xllamacpp.Server, route: str, body: dict[str, object]) -> dict[str, object]:
    """llama.cpp's own HTTP route: it shows token ids, which the OpenAI shape hides."""
    return httpx.post(server.listening_address + route, json=body, timeout=30).json()


def greedy(server: xllamacpp.Server, tokens: list[int], length: int) -> list[int]:
    body = {"prompt": tokens, "n_predict": length, "temperature": 0, "ignore_eos": True}
    answer = ask(server, "/completion", {**body, "return_tokens": True})
    return answer["tokens"]  # type: ignore[return-value]


def greedy_by_transformers(model_dir: Path, tokens: list[int], length: int) -> list[int]:
    model = LlamaForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    out = model.generate(
        torch.tensor([tokens]),
        max_new_tokens=length,
        do_sample=False,
        suppress_tokens=[0, 1, 2],  # what llama.cpp takes for ends of text
    )
    return [int(token) for token in out[0, len(tokens) :]]


@pytest.mark.parametrize("text", TEXTS)
def test_text_becomes_the_same_tokens(model_dir: Path, tmp_path: Path, text: str) -> None:
    export_gguf(model_dir, tmp_path / "m.gguf", "f32")
    body = {"content": text, "parse_special": True}
    got = ask(load(tmp_path / "m.gguf"), "/tokenize", body)["tokens"]
    assert got == AutoTokenizer.from_pretrained(model_dir)(text)["input_ids"]


def test_the_chat_template_renders_the_same_prompt(model_dir: Path, tmp_path: Path) -> None:
    export_gguf(model_dir, tmp_path / "m.gguf")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TEXT}]
    got = ask(load(tmp_path / "m.gguf"), "/apply-template", {"messages": messages})["prompt"]
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert got == expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tie_word_embeddings": False, "attention_bias": True, "head_dim": 32},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}},
        {"rope_parameters": LLAMA3_ROPE},
    ],
    ids=["tied", "untied-biased-wide", "linear-rope", "llama3-rope"],
)
def test_greedy_continuation_is_that_of_transformers(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    model_dir = make_tiny_llama(tmp_path / "hf", **settings)
    export_gguf(model_dir, tmp_path / "m.gguf", "f32")
    tokens = AutoTokenizer.from_pretrained(model_dir)(" ".join([TEXT] * 4))["input_ids"]
    got = greedy(load(tmp_path / "m.gguf"), tokens, 24)
    assert got == greedy_by_transformers(model_dir, tokens, 24)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@pytest.mark.parametrize("quantize", ["f16", "bf16", "q8_0"])
def test_every_source_and_kind_stays_near_the_weights(
    tmp_path: Path, dtype: str, quantize: str
) -> None:
    model_dir = make_tiny_llama(tmp_path / "hf", dtype=dtype)
    export_gguf(model_dir, tmp_path / "m.gguf", quantize)
    model = LlamaForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    expected = model.model.layers[1].mlp.up_proj.weight.detach().numpy()
    tensors = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "m.gguf").tensors}
    kept = tensors["blk.1.ffn_up.weight"]
    assert kept.tensor_type.name.lower() == quantize
    got = dequantize(kept.data, kept.tensor_type)
    assert np.abs(got - expected).max() < 0.01
    assert tensors["blk.1.ffn_norm.weight"].tensor_type.name == "F32"


def edit_json(name: str, **values: object) -> Callable[[Path], None]:
    def edit(model_dir: Path) -> None:
        path = model_dir / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return edit


def cut_weights(model_dir: Path) -> None:
    path = model_dir / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def scramble_weights(model_dir: Path) -> None:
    (model_dir / "model.safetensors").write_bytes(b"\xff" * 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_json("config.json", model_type="mamba"), "architecture 'mamba'"),
        (edit_json("config.json", num_hidden_layers=3), "lacks 9 tensors"),
        (edit_json("config.json", hidden_size="wide"), "config.json lacks a valid value"),
        (edit_json("config.json", vocab_size=100), "the model has 100 rows"),
        (edit_json("config.json", intermediate_size=128), "has shape"),
        (edit_json("tokenizer.json", model={"type": "Unigram"}), "not byte-level BPE"),
        (edit_json("tokenizer.json", pre_tokenizer={"type": "Whitespace"}), "pre-tokenizer"),
        (cut_weights, "cut off"),
        (scramble_weights, "cut off"),
        (lambda model_dir: (model_dir / "config.json").unlink(), "config.json is missing"),
        (lambda model_dir: (model_dir / "model.safetensors").unlink(), "lacks 20 tensors"),
        (lambda model_dir: (model_dir / "config.json").write_text("{"), "not readable JSON"),
    ],
)
def test_what_cannot_be_exported_is_named(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    model_dir = make_tiny_llama(tmp_path / "hf")
    damage(model_dir)
    with pytest.raises(BadModelError, match=message):
        export_gguf(model_dir, tmp_path / "m.gguf")
    assert list(tmp_path.iterdir()) == [model_dir]


def test_an_unknown_quantization_is_refused(model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModelError, match="unsupported quantization type 'q2_K'"):
        export_gguf(model_dir, tmp_path / "m.gguf", "q2_K")
