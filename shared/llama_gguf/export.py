"""A Hugging Face directory of llama architecture, written as one GGUF file.

The keys and tensor names are those of llama.cpp's GGUF (https://github.com/ggml-org/ggml,
docs/gguf.md), as the `gguf` package names them.
"""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_VERSION

from shared.llama_gguf.config import LlamaConfig
from shared.llama_gguf.json_file import read_json
from shared.llama_gguf.safetensors_file import stored_tensors
from shared.llama_gguf.tensor_types import quantization
from shared.llama_gguf.tensors import LlamaTensors
from shared.llama_gguf.vocabulary import read_vocabulary


def export_gguf(model_dir: Path, out: Path, quantize: str = "q8_0") -> None:
    """Write the model in `model_dir` to `out`.

    `model_dir` holds config.json, *.safetensors (F32, F16 or BF16), tokenizer.json (byte-level
    BPE) and, where there is one, the chat template. `quantize` is one of f32, f16, bf16, q8_0,
    q4_K_M, q4_K_S.
    `out` appears whole or not at all. Raises BadModelError for anything that cannot be exported.
    """
    quantization(quantize)
    partial = out.with_name(f".{out.name}.partial")
    try:
        _write(model_dir, partial, quantize.lower())
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def half_precision(model_dir: Path) -> str:
    """The type that a model is kept in without quantisation: `bf16` where it is that already."""
    kinds = {t.dtype for path in model_dir.glob("*.safetensors") for t in stored_tensors(path)}
    return "bf16" if kinds == {"BF16"} else "f16"


def _write(model_dir: Path, out: Path, quantize: str) -> None:
    config = LlamaConfig.from_dict(read_json(model_dir / "config.json"))
    vocabulary = read_vocabulary(model_dir, config.vocab_size)
    tensors = LlamaTensors(model_dir, config, quantize)
    writer = GGUFWriter(out, "llama")
    try:
        config.write(writer)
        writer.add_file_type(quantization(quantize).file_type)
        writer.add_quantization_version(GGML_QUANT_VERSION)
        vocabulary.write(writer)
        tensors.announce(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        tensors.write(writer)
    finally:
        writer.close()
