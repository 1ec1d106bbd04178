"""A small llama with random weights and a real tokenizer, in Hugging Face's layout.

Made with numpy alone: the model server has no torch, and its tests start fast.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n'"
    " + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
Tensors = Iterator[tuple[str, np.ndarray]]


def make_tiny_llama(
    directory: Path, *, dtype: str = "F32", seed: int = 1, **changes: object
) -> Path:
    """Write a model of some 100,000 parameters into `directory` and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    config = {**_config(tokenizer), **changes}
    tokenizer.save(str(directory / "tokenizer.json"))
    _write_json(directory / "config.json", config)
    _write_json(directory / "tokenizer_config.json", _tokenizer_config())
    write_safetensors(directory / "model.safetensors", dict(_weights(config, seed)), dtype)
    return directory


def train_tokenizer() -> Tokenizer:
    """Byte-level BPE with merges learnt from a made-up text, cut as Qwen 2 cuts it."""
    tokenizer = Tokenizer(BPE(ignore_merges=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(text, special=True) for text in SPECIAL],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    return tokenizer


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], dtype: str) -> None:
    """The format by hand, since numpy knows no BF16."""
    header, data = {}, bytearray()
    for name, values in tensors.items():
        start = len(data)
        data += _encode(values, dtype)
        offsets = [start, len(data)]
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": offsets}
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def _encode(values: np.ndarray, dtype: str) -> bytes:
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def _config(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "initializer_range": 0.3,  # logits far enough apart for greedy choices to be stable
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
    }


def _tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHATML,
    }


def _weights(config: dict[str, Any], seed: int) -> Tensors:
    draw, spread = np.random.default_rng(seed), float(config["initializer_range"])

    def matrix(rows: int, columns: int) -> np.ndarray:
        return draw.normal(0, spread, (rows, columns)).astype(np.float32)

    width, vocabulary = config["hidden_size"], config["vocab_size"]
    yield "model.embed_tokens.weight", matrix(vocabulary, width)
    yield "model.norm.weight", np.ones(width, np.float32)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", matrix(vocabulary, width)
    for layer in range(config["num_hidden_layers"]):
        for name, shape in _layer_shapes(config).items():
            values = matrix(*shape) if len(shape) == 2 else draw.normal(1, 0.1, shape)
            yield f"model.layers.{layer}.{name}", values.astype(np.float32)


def _layer_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or width // heads
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (width,),
        "post_attention_layernorm.weight": (width,),
        "self_attn.q_proj.weight": (heads * head, width),
        "self_attn.k_proj.weight": (kv_heads * head, width),
        "self_attn.v_proj.weight": (kv_heads * head, width),
        "self_attn.o_proj.weight": (width, heads * head),
        "mlp.gate_proj.weight": (inner, width),
        "mlp.up_proj.weight": (inner, width),
        "mlp.down_proj.weight": (width, inner),
    }
    if config.get("attention_bias"):
        for part, rows in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            shapes[f"self_attn.{part}_proj.bias"] = (rows * head,)
        shapes["self_attn.o_proj.bias"] = (width,)
    return shapes


def _sentences() -> list[str]:
    draw = random.Random(5)
    text = "the bat flies over a river at night and returns before dawn 12 345 don't"
    return [" ".join(draw.choices(text.split(), k=12)) for _ in range(200)]


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
