"""Model options: what a caller or a model's parameters may set, and llama.cpp's names for it."""

from __future__ import annotations

from typing import Any

import structlog

from services.model_server.errors import BadRequestError

log = structlog.get_logger()

# Ollama's names and defaults. A repeat penalty would spoil code, which repeats by nature.
_SAMPLING: dict[str, int | float] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "seed": -1,
    "num_predict": -1,
}
_LLAMA_NAMES = {"num_predict": "max_tokens"}
_LOADING = {"num_ctx": int, "num_batch": int, "num_gpu": int, "main_gpu": int, "num_thread": int}
_IGNORED = {"numa", "low_vram", "f16_kv", "use_mmap", "use_mlock", "num_keep", "penalize_newline"}
_WORDS = {int: "integer", float: "float32"}


class Options:
    """A model's parameters, overlaid by a request's options, checked."""

    def __init__(self, *layers: dict[str, Any]) -> None:
        self._values: dict[str, Any] = {}
        for layer in layers:
            self._values.update({k: v for k, v in check(layer).items() if v is not None})

    def num_ctx(self, default: int) -> int:
        """Context in tokens that the caller wants."""
        return int(self._values.get("num_ctx", default))

    def sampling(self) -> dict[str, Any]:
        """The fields of a llama.cpp request."""
        fields = {
            _LLAMA_NAMES.get(name, name): self._values.get(name, default)
            for name, default in _SAMPLING.items()
        }
        fields["seed"] &= 0xFFFFFFFF  # all ones, which -1 becomes, asks for a random seed
        if self._values.get("stop"):
            fields["stop"] = self._values["stop"]
        return fields


def check(options: dict[str, Any]) -> dict[str, Any]:
    """The known options, in their types; BadRequestError where one has another type."""
    return {name: _value(name, value) for name, value in options.items() if _known(name)}


def _known(name: str) -> bool:
    if name in _SAMPLING or name in _LOADING or name == "stop":
        return True
    if name not in _IGNORED:
        log.warning("unknown_option", option=name[:80])
    return False


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "stop":
        return _stop_words(value)
    wanted = _LOADING.get(name) or type(_SAMPLING[name])
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (wanted is int and value != int(value)):
        raise BadRequestError(f'option "{name}" must be of type {_WORDS[wanted]}')
    return wanted(value)


def _stop_words(value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadRequestError('option "stop" must be of an array of strings')
    return words
