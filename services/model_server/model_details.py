"""What listings show of a GGUF file."""

from __future__ import annotations

from gguf import LlamaFileType

from services.model_server.gguf_header import GgufHeader
from services.model_server.manifest import ModelDetails

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))


def describe(header: GgufHeader) -> ModelDetails:
    """Family, size and quantisation, in Ollama's words."""
    return ModelDetails(
        family=str(header.values.get("general.architecture", "unknown")),
        parameter_size=human_number(header.parameters),
        quantization_level=_quantization(header.values.get("general.file_type")),
    )


def human_number(count: int) -> str:
    """4_800_000 as `4.80M`: two decimals below ten billion, one above."""
    for unit, letter in _UNITS:
        if count >= unit:
            return f"{count / unit:.{1 if unit >= 10**9 else 2}f}{letter}"
    return str(count)


def _quantization(file_type: object) -> str:
    """`MOSTLY_Q8_0` of the file-format's table as `Q8_0`."""
    try:
        name = LlamaFileType(file_type).name
    except ValueError:
        return "unknown"
    return str(name).removeprefix("MOSTLY_").removeprefix("ALL_")
