"""A GGUF file in another quantisation: keys are copied, matrices brought to their new types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFWriter
from gguf.constants import GGMLQuantizationType, GGUFValueType
from gguf.gguf_reader import ReaderField, ReaderTensor
from gguf.quants import dequantize

from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.tensor_types import announce, quantization, quantized

_OWN = ("GGUF.", "general.architecture", "general.file_type")  # the writer sets these itself
_FULL = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)


def requantize_gguf(source: Path, out: Path, quantize: str) -> None:
    """Write `source`, which must be of F16, BF16 or F32, to `out` in another quantisation.

    BadModelError for a source that is quantised already: what it lost cannot come back.
    """
    wanted = quantization(quantize)
    reader = GGUFReader(source)
    if any(GGMLQuantizationType(t.tensor_type) not in _FULL for t in reader.tensors):
        raise BadModelError("quantization is only supported for F16, BF16 and F32 models")
    architecture = str(_contents(reader, "general.architecture"))
    layers = int(_contents(reader, f"{architecture}.block_count"))
    writer = GGUFWriter(out, architecture)
    try:
        for field in reader.fields.values():
            _copy(writer, field)
        writer.add_file_type(wanted.file_type)
        for tensor in reader.tensors:
            shape = _shape(tensor)
            announce(writer, tensor.name, shape, wanted.type_of(tensor.name, shape, layers))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in reader.tensors:
            values = dequantize(tensor.data, tensor.tensor_type).reshape(_shape(tensor))
            kind = wanted.type_of(tensor.name, _shape(tensor), layers)
            writer.write_tensor_data(quantized(values.astype(np.float32), kind))
    finally:
        writer.close()


def _contents(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise BadModelError(f"the GGUF file lacks {key}")
    return field.contents()


def _copy(writer: GGUFWriter, field: ReaderField) -> None:
    if field.name.startswith(_OWN):
        return
    kind, *inner = field.types
    sub_type = inner[-1] if kind is GGUFValueType.ARRAY and inner else None
    writer.add_key_value(field.name, field.contents(), kind, sub_type)


def _shape(tensor: ReaderTensor) -> tuple[int, ...]:
    """Rows first, as numpy has it; GGUF counts the other way."""
    return tuple(int(n) for n in reversed(tensor.shape))
