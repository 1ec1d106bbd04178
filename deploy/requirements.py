"""Prints what one service needs, one requirement a line: `python deploy/requirements.py EXTRA`.

Images install these before they copy any source, so that a changed line of ours costs no download.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(extra: str) -> list[str]:
    """The project's own dependencies and those of an extra; KeyError for an unknown one."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"][extra]]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
