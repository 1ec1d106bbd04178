"""The wording tables, read once each."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def table(name: str) -> dict[str, Any]:
    """Return one table of this folder, as TOML gives it."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def words(name: str, key: str) -> list[str]:
    """Return the words, parted by white space, under a key of a table."""
    return str(table(name)[key]).split()
