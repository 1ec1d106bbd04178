"""The shape of a llama model, read from a Hugging Face config.json and written as GGUF keys."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter

from shared.llama_gguf.errors import BadModelError

_ROPE_TYPES = ("default", "linear", "llama3")


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes in elements; `context_length` in tokens."""

    vocab_size: int
    context_length: int
    width: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_width: int
    rms_eps: float
    rope_theta: float
    rope: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> LlamaConfig:
        """BadModelError where the config is of another architecture or lacks a size."""
        if config.get("model_type") != "llama":
            raise BadModelError(f"unsupported architecture {config.get('model_type')!r}: use llama")
        try:
            return cls._of_llama(config)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise BadModelError(f"config.json lacks a valid value: {error}") from error

    @classmethod
    def _of_llama(cls, config: dict[str, Any]) -> LlamaConfig:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        rope = _rope(config)
        return cls(
            vocab_size=int(config["vocab_size"]),
            context_length=int(config["max_position_embeddings"]),
            width=width,
            layers=int(config["num_hidden_layers"]),
            feed_forward=int(config["intermediate_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_width=int(config.get("head_dim") or width // heads),
            rms_eps=float(config["rms_norm_eps"]),
            rope_theta=float(rope.get("rope_theta", 10_000.0)),
            rope=rope,
        )

    def write(self, writer: GGUFWriter) -> None:
        """Add the keys of the llama architecture to a GGUF file."""
        writer.add_vocab_size(self.vocab_size)
        writer.add_context_length(self.context_length)
        writer.add_embedding_length(self.width)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(self.feed_forward)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.kv_heads)
        writer.add_key_length(self.head_width)
        writer.add_value_length(self.head_width)
        writer.add_layer_norm_rms_eps(self.rms_eps)
        writer.add_rope_dimension_count(self.head_width)
        writer.add_rope_freq_base(self.rope_theta)
        if self.rope["rope_type"] == "linear":
            writer.add_string("llama.rope.scaling.type", "linear")
            writer.add_rope_scaling_factor(float(self.rope["factor"]))

    def rope_factors(self) -> npt.NDArray[np.float32] | None:
        """Divisors of the rotary frequencies, one per pair (Llama 3.1's scaling), or None.

        Short wavelengths stay, long ones are stretched by `factor`, those between are blended.
        """
        if self.rope["rope_type"] != "llama3":
            return None
        factor = float(self.rope["factor"])
        low, high = float(self.rope["low_freq_factor"]), float(self.rope["high_freq_factor"])
        original = float(self.rope["original_max_position_embeddings"])
        pairs = np.arange(0, self.head_width, 2, dtype=np.float64)
        wavelengths = 2 * math.pi * self.rope_theta ** (pairs / self.head_width)
        blend = np.clip((original / wavelengths - low) / (high - low), 0, 1)
        return (1 / ((1 - blend) / factor + blend)).astype(np.float32)


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    """The rotary settings, which transformers 5 keeps under another key than 4 did."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    rope.setdefault("rope_theta", config.get("rope_theta", 10_000.0))
    rope["rope_type"] = rope.get("rope_type", rope.get("type", "default"))
    if rope["rope_type"] not in _ROPE_TYPES:
        raise BadModelError(f"unsupported rope type {rope['rope_type']!r}")
    return rope
