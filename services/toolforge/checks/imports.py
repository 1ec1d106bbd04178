"""Only modules that compute may be imported: the allow-list is data."""

import ast
from collections.abc import Iterator
from pathlib import Path

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec
from services.toolforge.toolbox import PACKAGE

# Standard library, pure: no files, network, processes, clocks or randomness as their purpose.
ALLOWED = frozenset((Path(__file__).parent / "pure_modules.txt").read_text("utf-8").split())


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds the first import that is not on the list, wherever it stands."""
    for node in ast.walk(module.tree):
        for name in _imported(node):
            if not _allowed(name):
                return Flaw(getattr(node, "lineno", 1), f"import of {name!r} is not allowed")
    return None


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (_plain(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        if _allowed(origin):
            yield origin
        else:
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _plain(name: str) -> str:
    """`import tools` brings nothing: only `from tools import name` says which ones are called."""
    return f"{name} as a whole" if name == PACKAGE else name


def _allowed(name: str) -> bool:
    if name == PACKAGE:  # what is in it, the toolbox knows
        return True
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in ALLOWED for end in range(len(parts)))
