"""Prints what one service needs, one requirement a line: `python deploy/requirements.py EXTRAS`.

Images install these before they copy any source, so that a changed line of ours costs no download.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(extras: str) -> list[str]:
    """The project's own and those of extras, as in "trainer,gpu"; KeyError for an unknown one."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [
        *project["dependencies"],
        *(line for extra in extras.split(",") for line in optional[extra]),
    ]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
