"""What a GGUF file says of itself that the server goes by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from services.model_server.gguf_header import GgufHeader, read_gguf_header
from services.model_server.go_template import go_template, is_go_template


@dataclass(frozen=True)
class ModelFile:
    """A blob's header, read once: blobs never change."""

    header: GgufHeader

    @property
    def architecture(self) -> str:
        """`llama`, `qwen2`, ..."""
        return str(self.header.values.get("general.architecture", "unknown"))

    @property
    def context_length(self) -> int:
        """Tokens that the model was trained to see at once; 0 where it does not say."""
        value = self.header.values.get(f"{self.architecture}.context_length", 0)
        return value if isinstance(value, int) else 0

    @property
    def chat_template(self) -> str:
        """The Jinja template, or nothing."""
        return str(self.header.values.get("tokenizer.chat_template", ""))

    @property
    def pooling_known(self) -> bool:
        """Whether it was made for embeddings."""
        return f"{self.architecture}.pooling_type" in self.header.values

    def capabilities(self, template: str) -> list[str]:
        """Ollama's words for what can be asked of it, with the template that is in force."""
        if self.pooling_known:
            return ["embedding"]
        go = is_go_template(template)
        tools = go_template(template).takes_tools if go else "tools" in template
        return ["completion", "tools"] if tools else ["completion"]


@lru_cache(maxsize=64)
def model_file(blob: Path) -> ModelFile:
    """Reads the header: blocks the first time. BadModelError where it is no GGUF file."""
    return ModelFile(read_gguf_header(blob))
