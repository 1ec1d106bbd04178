"""Which type each tensor of a quantised model gets, and how values are brought to it.

The mixtures are those of llama.cpp (`src/llama-quant.cpp`): K-quants keep more bits where less of
them hurts most. The arithmetic of K-quants is llama.cpp's own, from the wheel's shared object.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType
from gguf.quants import quantize as quantize_array

from shared.llama_gguf.errors import BadModelError

T = GGMLQuantizationType
_K_QUANTS = (T.Q4_K, T.Q5_K, T.Q6_K)
_SMALLER_BLOCKS = {T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0}
Chooser = Callable[[str, int, int], GGMLQuantizationType]
"""From a tensor's name, the number of its layer and that of all layers to its type."""


@dataclass(frozen=True)
class Quantization:
    """How matrices are kept, and the number that GGUF files carry for it."""

    tensor_type: GGMLQuantizationType
    file_type: LlamaFileType
    chooser: Chooser | None = None

    def type_of(self, name: str, shape: tuple[int, ...], layers: int) -> GGMLQuantizationType:
        """A tensor's type. Norms stay in full precision; rows without whole blocks fall back."""
        if len(shape) < 2:
            return T.F32
        found = self.tensor_type
        if self.chooser:
            number = re.match(r"blk\.(\d+)\.", name)
            found = self.chooser(name, int(number[1]) if number else -1, layers)
        if shape[-1] % GGML_QUANT_SIZES[found][0]:
            found = _SMALLER_BLOCKS.get(found, T.F16)
        return T.F16 if shape[-1] % GGML_QUANT_SIZES[found][0] else found


def _is_wide(layer: int, layers: int) -> bool:
    """Whether a layer is among those that get more bits: the ends, and each third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _medium(name: str, layer: int, layers: int) -> GGMLQuantizationType:
    if name in ("output.weight", "token_embd.weight"):
        return T.Q6_K
    delicate = ".attn_v." in name or ".ffn_down." in name
    return T.Q6_K if delicate and _is_wide(layer, layers) else T.Q4_K


def _small(name: str, layer: int, layers: int) -> GGMLQuantizationType:
    if name in ("output.weight", "token_embd.weight"):
        return T.Q6_K
    if (".attn_v." in name and layer < 4) or (".ffn_down." in name and layer < layers // 8):
        return T.Q5_K
    return T.Q4_K


QUANTIZATIONS = {
    "f32": Quantization(T.F32, LlamaFileType.ALL_F32),
    "f16": Quantization(T.F16, LlamaFileType.MOSTLY_F16),
    "bf16": Quantization(T.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": Quantization(T.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_K_M": Quantization(T.Q4_K, LlamaFileType.MOSTLY_Q4_K_M, _medium),
    "q4_K_S": Quantization(T.Q4_K, LlamaFileType.MOSTLY_Q4_K_S, _small),
}


def quantization(name: str) -> Quantization:
    """The quantisation of this name, in any case; BadModelError for one that is not there."""
    found = next((q for word, q in QUANTIZATIONS.items() if word.lower() == name.lower()), None)
    if found is None:
        known = ", ".join(QUANTIZATIONS)
        raise BadModelError(f"unsupported quantization type {name!r}: use one of {known}")
    return found


def announce(
    writer: GGUFWriter, name: str, shape: tuple[int, ...], kind: GGMLQuantizationType
) -> None:
    """Add a tensor's name, shape (rows first) and type to a file's header."""
    block, block_bytes = GGML_QUANT_SIZES[kind]
    size = int(np.prod(shape)) // block * block_bytes
    writer.add_tensor_info(name, shape, np.dtype(np.float32), size, raw_dtype=kind)


def quantized(
    values: npt.NDArray[np.float32], kind: GGMLQuantizationType
) -> npt.NDArray[np.generic]:
    """Values, rows of whole blocks, in another type: bytes of shape (rows, bytes of a row)."""
    if kind in _K_QUANTS:
        return _k_quantized(values, kind)
    kept: npt.NDArray[np.generic] = quantize_array(values, kind)
    return kept


def _k_quantized(
    values: npt.NDArray[np.float32], kind: GGMLQuantizationType
) -> npt.NDArray[np.uint8]:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    source = np.ascontiguousarray(values, np.float32)
    rows, columns = source.size // source.shape[-1], source.shape[-1]
    out = np.empty((*source.shape[:-1], columns // block * block_bytes), np.uint8)
    floats = source.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    written = _library().ggml_quantize_chunk(
        int(kind), floats, out.ctypes.data_as(ctypes.c_void_p), 0, rows, columns, None
    )
    if written != out.nbytes:
        raise BadModelError(f"llama.cpp wrote {written} bytes of {out.nbytes}")
    return out


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("xllamacpp")
    if found is None or found.origin is None:
        raise BadModelError("K-quants are computed by llama.cpp, which is not installed here")
    library = ctypes.CDLL(str(next(Path(found.origin).parent.glob("*.so"))))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.POINTER(ctypes.c_float),
    ]
    return library
