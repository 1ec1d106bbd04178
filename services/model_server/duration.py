"""Durations as Go writes them, which is how Ollama's API takes `keep_alive`."""

from __future__ import annotations

import math
import re

from services.model_server.errors import BadRequestError

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_WHOLE = re.compile(rf"([+-]?)((?:{_TERM.pattern})+)")


def parse_keep_alive(value: float | str) -> float:
    """Seconds; infinity for anything negative. Bare numbers are seconds.

    BadRequestError for what is neither a number nor a Go duration such as `1h30m`.
    """
    seconds = float(value) if isinstance(value, int | float) else _parse(value.strip())
    if math.isnan(seconds):
        raise BadRequestError(f'invalid duration "{value}"')
    return math.inf if seconds < 0 else seconds


def _parse(text: str) -> float:
    match = _WHOLE.fullmatch(text)
    if match is None:
        try:
            return float(text)
        except ValueError:
            raise BadRequestError(f'time: invalid duration "{text[:50]}"') from None
    total = sum(float(number) * _SECONDS[unit] for number, unit in _TERM.findall(match[2]))
    return -total if match[1] == "-" else total
