"""A LoRA adapter in PEFT's layout, written as the GGUF file that llama.cpp applies to a model.

Tensor names and keys are those of llama.cpp's adapters (`general.type` = `adapter`). The scale that
llama.cpp computes is alpha / rank, LoRA's own (Hu et al. 2021); rank-stabilised adapters
(Kalajdzievski 2023) are brought to it through alpha.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from gguf.constants import MODEL_ARCH
from gguf.tensor_mapping import get_tensor_name_map

from services.model_server.gguf_header import GgufHeader
from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.json_file import read_json
from shared.llama_gguf.safetensors_file import StoredTensor, stored_tensors
from shared.llama_gguf.tensors import interleave

_PREFIX = "base_model.model."
_SIDES = {".lora_A.weight": "lora_a", ".lora_B.weight": "lora_b"}
Pairs = dict[str, dict[str, StoredTensor]]


def export_lora(adapter_dir: Path, base: GgufHeader, out: Path) -> None:
    """Write the adapter in `adapter_dir` to `out`, for a base of llama architecture.

    The folder holds adapter_config.json and adapter_model.safetensors. Raises BadModelError for
    an adapter of another kind, or one that does not fit the base.
    """
    if base.values.get("general.architecture") != "llama":
        raise BadModelError("adapters can be converted for models of llama architecture only")
    alpha = _alpha(read_json(adapter_dir / "adapter_config.json"))
    pairs = _pairs(adapter_dir / "adapter_model.safetensors", int(base.values["llama.block_count"]))
    writer = GGUFWriter(out, "llama")
    try:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        for name, sides in pairs.items():
            for side, values in _values(name, sides, base).items():
                writer.add_tensor(f"{name}.weight.{side}", values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _alpha(config: dict[str, Any]) -> float:
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        raise BadModelError("unsupported adapter: use plain LoRA")
    try:
        alpha, rank = float(config["lora_alpha"]), int(config["r"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelError(f"adapter_config.json lacks a valid value: {error}") from error
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha


def _pairs(path: Path, layers: int) -> Pairs:
    if not path.exists():
        raise BadModelError("adapter_model.safetensors is missing")
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, layers)
    pairs: Pairs = defaultdict(dict)
    for tensor in stored_tensors(path):
        module, side = _parted(tensor.name)
        name = names.get_name(module)
        if name is None or len(tensor.shape) != 2:
            raise BadModelError(f"unexpected adapter tensor {tensor.name!r}")
        pairs[name][side] = tensor
    if not pairs:
        raise BadModelError("the adapter has no tensors")
    return pairs


def _parted(name: str) -> tuple[str, str]:
    for ending, side in _SIDES.items():
        if name.endswith(ending):
            return name.removeprefix(_PREFIX).removesuffix(ending), side
    raise BadModelError(f"unexpected adapter tensor {name!r}")


def _values(
    name: str, sides: dict[str, StoredTensor], base: GgufHeader
) -> dict[str, npt.NDArray[np.float32]]:
    """Both factors of one matrix; what moves rows of q and k moves those of the second factor."""
    if set(sides) != set(_SIDES.values()) or sides["lora_a"].shape[0] != sides["lora_b"].shape[1]:
        raise BadModelError(f"the adapter's factors for {name} do not belong together")
    found = {side: tensor.read() for side, tensor in sides.items()}
    key = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
    if (part := name.rpartition(".")[2]) in key:
        found["lora_b"] = interleave(found["lora_b"], int(base.values[key[part]]))
    return found
