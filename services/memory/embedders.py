"""Embedders by their names: `wordllama-64`, `-128`, `-256`, and `ollama/<model>`."""

import asyncio
from typing import get_args

from services.memory.embedder import Embedder
from services.memory.ollama_embedder import PREFIX, OllamaEmbedder
from services.memory.wordllama_embedder import Dimension, WordllamaEmbedder
from shared.errors import InvalidArgument

DEFAULT = "wordllama-256"

_BUILT_IN: dict[str, Dimension] = {f"wordllama-{size}": size for size in get_args(Dimension)}


def check_name(name: str) -> str:
    """The name of an embedder as people write it; InvalidArgument where none can have it.

    What a table has stored, with a digest, is a name too.
    """
    model = name.removeprefix(PREFIX)
    if name in _BUILT_IN or (model != name and model and len(name) <= 200 and model.isprintable()):
        return name
    known = ", ".join([*_BUILT_IN, f"{PREFIX}<model>"])
    raise InvalidArgument.of_field("embedder", f"must be one of {known}, not {name[:80]!r}")


async def open_embedder(name: str, ollama_host: str) -> Embedder:
    """The embedder with a name. See OllamaEmbedder.open for what it raises."""
    if size := _BUILT_IN.get(check_name(name)):
        return await asyncio.to_thread(WordllamaEmbedder, size)
    model = name.removeprefix(PREFIX).partition("@")[0]
    return await OllamaEmbedder.open(ollama_host, model)
