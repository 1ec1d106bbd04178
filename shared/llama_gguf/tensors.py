"""The weights of a llama model: renamed, reordered and quantised for GGUF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from gguf.constants import (
    MODEL_ARCH,
    GGMLQuantizationType,
)
from gguf.tensor_mapping import get_tensor_name_map

from shared.llama_gguf.config import LlamaConfig
from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.safetensors_file import StoredTensor, stored_tensors
from shared.llama_gguf.tensor_types import Quantization, announce, quantization, quantized


@dataclass(frozen=True)
class _Planned:
    """A tensor of the GGUF file: where its values come from and how they are kept."""

    name: str
    source: StoredTensor
    tensor_type: GGMLQuantizationType

    def values(self, config: LlamaConfig) -> npt.NDArray[np.generic]:
        values = self.source.read()
        if ".attn_q." in self.name:
            values = interleave(values, config.heads)
        elif ".attn_k." in self.name:
            values = interleave(values, config.kv_heads)
        return quantized(values, self.tensor_type)


class LlamaTensors:
    """The tensors of one model directory, announced first and written one at a time.

    So a model of any size is exported with the memory of its largest tensor.
    """

    def __init__(self, model_dir: Path, config: LlamaConfig, quantize: str) -> None:
        self._config = config
        self._planned = list(_plan(model_dir, config, quantization(quantize)))

    def announce(self, writer: GGUFWriter) -> None:
        """Add names, shapes and types to the file's header."""
        factors = self._config.rope_factors()
        if factors is not None:
            announce(writer, "rope_freqs.weight", factors.shape, GGMLQuantizationType.F32)
        for planned in self._planned:
            announce(writer, planned.name, planned.source.shape, planned.tensor_type)

    def write(self, writer: GGUFWriter) -> None:
        """Write the values, in the announced order."""
        factors = self._config.rope_factors()
        if factors is not None:
            writer.write_tensor_data(factors)
        for planned in self._planned:
            writer.write_tensor_data(planned.values(self._config))


def _plan(model_dir: Path, config: LlamaConfig, wanted: Quantization) -> Iterator[_Planned]:
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.layers)
    found: set[str] = set()
    for path in sorted(model_dir.glob("*.safetensors")):
        for tensor in stored_tensors(path):
            if tensor.name.endswith(".rotary_emb.inv_freq"):
                continue  # older files keep what the config already says
            name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
            if name is None or name in found:
                raise BadModelError(f"{path.name}: unexpected tensor {tensor.name!r}")
            found.add(name)
            _check_shape(name, tensor, config)
            yield _Planned(name, tensor, wanted.type_of(name, tensor.shape, config.layers))
    _check_complete(found, config)


def _check_shape(name: str, tensor: StoredTensor, config: LlamaConfig) -> None:
    rows, columns = config.vocab_size, config.width
    expected = {
        "token_embd.weight": (rows, columns),
        "output.weight": (rows, columns),
        "output_norm.weight": (columns,),
    }
    per_layer = {
        "attn_q.weight": (config.heads * config.head_width, columns),
        "attn_k.weight": (config.kv_heads * config.head_width, columns),
        "attn_v.weight": (config.kv_heads * config.head_width, columns),
        "attn_output.weight": (columns, config.heads * config.head_width),
        "ffn_gate.weight": (config.feed_forward, columns),
        "ffn_up.weight": (config.feed_forward, columns),
        "ffn_down.weight": (columns, config.feed_forward),
    }
    wanted = expected.get(name) or per_layer.get(name.split(".", 2)[-1])
    if wanted and tensor.shape != wanted:
        raise BadModelError(f"tensor {tensor.name!r} has shape {tensor.shape}, not {wanted}")


def _check_complete(found: set[str], config: LlamaConfig) -> None:
    parts = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down"
    needed = {f"blk.{n}.{part}.weight" for n in range(config.layers) for part in parts.split()}
    needed |= {"token_embd.weight", "output_norm.weight"}
    if missing := sorted(needed - found):
        raise BadModelError(f"the model lacks {len(missing)} tensors, for example {missing[0]}")


def interleave(values: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Reorder rows from rotary halves (Hugging Face) to neighbouring pairs (llama.cpp)."""
    pairs = values.shape[0] // heads // 2
    halves = values.reshape(heads, 2, pairs, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)
