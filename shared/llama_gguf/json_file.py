"""JSON objects in files that others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.llama_gguf.errors import BadModelError


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; BadModelError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadModelError(f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise BadModelError(f"{path.name} is not readable JSON") from error
    if not isinstance(value, dict):
        raise BadModelError(f"{path.name} is not a JSON object")
    return value


def read_json_if_there(path: Path) -> dict[str, Any]:
    """The same, but an absent file is an empty object."""
    return read_json(path) if path.is_file() else {}
