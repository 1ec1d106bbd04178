"""JSON as RFC 8259 has it: Python's own reader also takes NaN and Infinity."""

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """Raises ValueError, also for what is nested too deeply."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
