"""constraints.txt: the versions that were chosen, one a line."""

from collections.abc import Mapping
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
_HEAD = (
    "# Exact versions that are tested together. `make lock` keeps them and adds what is missing;\n"
    "# to move to another version, change or remove its line and run it again.\n"
)


def write(versions: Mapping[str, str], path: Path = CONSTRAINTS) -> None:
    """All packages, in the order of names; those that nothing needs any more go."""
    lines = (f"{name}=={version}\n" for name, version in sorted(versions.items()))
    path.write_text(_HEAD + "".join(lines), "utf-8")
