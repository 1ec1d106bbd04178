"""Reading tensors from safetensors files without loading whole files.

The layout is an 8-byte little-endian header length, a JSON header and the raw data
(https://github.com/huggingface/safetensors#format). The package's numpy reader knows no BF16,
which is what most models are kept in, hence this one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.llama_gguf.errors import BadModelError

_MAX_HEADER_BYTES = 100 * 1024 * 1024  # the format's own limit
_STORED_AS: dict[str, str] = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: `shape` in rows first, `offset` in bytes from the file's start."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def read(self) -> npt.NDArray[np.float32]:
        """The values as float32, whatever they are stored as."""
        raw = np.memmap(
            self.path,
            dtype=_STORED_AS[self.dtype],
            mode="r",
            offset=self.offset,
            shape=(math.prod(self.shape),),
        )
        if self.dtype == "BF16":  # the upper half of a float32
            values = (raw.astype(np.uint32) << 16).view(np.float32)
        else:
            values = raw.astype(np.float32)
        return values.reshape(self.shape)


def stored_tensors(path: Path) -> Iterator[StoredTensor]:
    """The tensors of one file in its header's order; BadModelError where the file is damaged."""
    size = path.stat().st_size
    header, data_start = _header(path, size)
    for name, entry in header.items():
        if name != "__metadata__":
            yield _tensor(path, name, entry, data_start, size)


def _header(path: Path, size: int) -> tuple[dict[str, object], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            raise BadModelError(f"{path.name} is cut off or not a safetensors file")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise BadModelError(f"{path.name} has no readable safetensors header") from error
    if not isinstance(header, dict):
        raise BadModelError(f"{path.name} has no readable safetensors header")
    return header, 8 + length


def _tensor(path: Path, name: str, entry: object, data_start: int, size: int) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = (
            entry["dtype"],  # type: ignore[index]
            tuple(int(n) for n in entry["shape"]),  # type: ignore[index]
            (int(n) for n in entry["data_offsets"]),  # type: ignore[index]
        )
        width = np.dtype(_STORED_AS[dtype]).itemsize
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path.name}: tensor {name!r} is not F32, F16 or BF16, or is ill described"
        raise BadModelError(message) from error
    if min(shape, default=0) < 0 or begin < 0 or end - begin != math.prod(shape) * width:
        raise BadModelError(f"{path.name}: tensor {name!r} has a wrong size")
    if data_start + end > size:
        raise BadModelError(f"{path.name} is cut off inside tensor {name!r}")
    return StoredTensor(path, name, dtype, shape, data_start + begin)
