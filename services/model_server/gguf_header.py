"""The keys and tensor shapes at the head of a GGUF file, without the weights.

The layout is that of https://github.com/ggml-org/ggml, docs/gguf.md. A file may come from
anyone: every length is checked against the file's size before anything is read.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from shared.llama_gguf.errors import BadModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING, _ARRAY = 8, 9
_MAX_ENTRIES = 1_000_000
_MAX_DIMENSIONS = 4
_MAX_NESTING = 4
_ALIGNMENT = 32  # bytes, where the file does not say


@dataclass(frozen=True)
class _Tensor:
    elements: int
    size: int
    offset: int


@dataclass(frozen=True)
class GgufHeader:
    """`values` by key, arrays as lists; `parameters` counts the weights."""

    values: dict[str, Any]
    parameters: int


def read_gguf_header(path: Path) -> GgufHeader:
    """BadModelError where the file is no GGUF, or is cut off inside its header."""
    with path.open("rb") as file:
        if path.stat().st_size < 24 or file.read(4) != b"GGUF":
            raise BadModelError("supplied file was not in GGUF format")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _Reader(data).header()
            except (struct.error, KeyError, ValueError, TypeError, ZeroDivisionError) as error:
                raise BadModelError("the GGUF file's header is damaged") from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self) -> GgufHeader:
        version = self._scalar("I")
        if version not in (2, 3):
            raise BadModelError(f"unsupported GGUF version {version}")
        tensors, keys = self._count(), self._count()
        values = dict(self._pair() for _ in range(keys))
        found = [self._tensor() for _ in range(tensors)]
        self._check_weights(found, values.get("general.alignment", _ALIGNMENT))
        return GgufHeader(values, sum(tensor.elements for tensor in found))

    def _pair(self) -> tuple[str, Any]:
        key = self._string()
        return key, self._value(self._scalar("I"))

    def _value(self, kind: int, depth: int = 0) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._scalar(_SCALARS[kind])
        if depth > _MAX_NESTING:
            raise ValueError("arrays are nested too deep")
        inner, length = self._scalar("I"), self._count()
        if inner in _SCALARS:
            return self._scalars(_SCALARS[inner], length)
        return [self._value(inner, depth + 1) for _ in range(length)]

    def _scalars(self, code: str, length: int) -> list[Any]:
        layout = f"<{length}{code}"
        found = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return list(found)

    def _tensor(self) -> _Tensor:
        self._string()
        dimensions = self._scalar("I")
        if dimensions > _MAX_DIMENSIONS:
            raise ValueError("a tensor has too many dimensions")
        elements = math.prod(self._scalars("Q", dimensions))
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(self._scalar("I"))]
        return _Tensor(elements, elements // block * block_bytes, self._scalar("Q"))

    def _check_weights(self, tensors: list[_Tensor], alignment: int) -> None:
        start = -(-self._at // alignment) * alignment
        end = max((tensor.offset + tensor.size for tensor in tensors), default=0)
        if start + end > len(self._data):
            raise BadModelError("the GGUF file is cut off inside its weights")

    def _string(self) -> str:
        length = self._scalar("Q")
        if length > len(self._data) - self._at:
            raise ValueError("a string reaches beyond the file")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _count(self) -> int:
        count = int(self._scalar("Q"))
        if count > _MAX_ENTRIES:
            raise ValueError("a list is too long")
        return count

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(f"<{code}")
        return value
