"""What a tag stands for: GGUF blobs and the texts and parameters around them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class ModelDetails:
    """What listings show of a model; all are words for people, as Ollama writes them."""

    family: str
    parameter_size: str
    quantization_level: str
    parent_model: str = ""

    def as_json(self) -> dict[str, Any]:
        """The `details` of Ollama's answers."""
        return {
            "parent_model": self.parent_model,
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization_level,
        }


@dataclass(frozen=True)
class Manifest:
    """Holds no time and no name, so that equal models have equal digests."""

    model_digest: str
    model_bytes: int
    details: ModelDetails
    adapter_digests: tuple[str, ...] = ()
    adapter_bytes: int = 0
    template: str = ""
    system: str = ""
    license: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    messages: tuple[dict[str, str], ...] = ()

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of all files that the model needs."""
        return (self.model_digest, *self.adapter_digests)

    @property
    def size(self) -> int:
        """Bytes of all these files."""
        return self.model_bytes + self.adapter_bytes

    def to_bytes(self) -> bytes:
        """The stored form; equal manifests have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """What `to_bytes` wrote; ValueError, TypeError or KeyError for anything else."""
        fields = json.loads(data)
        fields["details"] = ModelDetails(**fields["details"])
        for name in ("messages", "adapter_digests"):
            fields[name] = tuple(fields[name])
        return cls(**fields)

    def digest(self) -> str:
        """Hex SHA-256 of the stored form: the identity that swaps and listings compare."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def child_of(self, parent: str) -> Manifest:
        """The same model, with the name of the tag that it was made from."""
        return replace(self, details=replace(self.details, parent_model=parent))
