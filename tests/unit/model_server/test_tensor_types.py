"""Types of tensors in quantised models, and the arithmetic of K-quants."""

from __future__ import annotations

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as T
from gguf.quants import dequantize

from shared.llama_gguf.tensor_types import quantization, quantized


@pytest.mark.parametrize(
    ("kind", "error"), [(T.Q8_0, 0.006), (T.Q6_K, 0.02), (T.Q5_K, 0.04), (T.Q4_K, 0.08)]
)
def test_what_was_quantised_is_about_what_it_was(kind: T, error: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, (8, 512)).astype(np.float32)
    back = dequantize(quantized(values, kind), kind)
    assert back.shape == values.shape
    assert np.sqrt(np.mean((back - values) ** 2)) < error


@pytest.mark.parametrize(
    ("quantize", "name", "shape", "kind"),
    [
        ("q4_K_M", "blk.0.attn_q.weight", (256, 256), T.Q4_K),
        ("q4_K_M", "blk.0.attn_v.weight", (256, 256), T.Q6_K),
        ("q4_K_M", "blk.8.attn_v.weight", (256, 256), T.Q4_K),
        ("q4_K_M", "blk.31.ffn_down.weight", (256, 512), T.Q6_K),
        ("q4_K_M", "output.weight", (400, 256), T.Q6_K),
        ("q4_K_M", "blk.0.attn_norm.weight", (256,), T.F32),
        ("q4_K_M", "blk.0.attn_q.weight", (64, 64), T.Q5_0),
        ("q4_K_M", "blk.0.attn_q.weight", (64, 30), T.F16),
        ("q4_K_S", "blk.3.attn_v.weight", (256, 256), T.Q5_K),
        ("q4_K_S", "blk.31.ffn_down.weight", (256, 512), T.Q4_K),
        ("Q8_0", "blk.0.attn_q.weight", (64, 64), T.Q8_0),
    ],
)
def test_each_tensor_has_its_type(
    quantize: str, name: str, shape: tuple[int, ...], kind: T
) -> None:
    assert quantization(quantize).type_of(name, shape, layers=32) is kind
