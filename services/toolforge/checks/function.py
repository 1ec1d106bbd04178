"""There must be one public function, with the name that was asked for."""

import ast

from services.toolforge.checks.module import Flaw


def find(tree: ast.Module, name: str) -> ast.FunctionDef | Flaw:
    """The entry point; helpers beside it begin with an underscore."""
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    public = [node for node in functions if not node.name.startswith("_")]
    if not public:
        return Flaw(1, "no function found")
    if len(public) > 1:
        return Flaw(public[1].lineno, f"second public function {public[1].name!r}")
    entry = public[0]
    if entry.name != name:
        return Flaw(entry.lineno, f"function must be named {name!r}")
    if isinstance(entry, ast.AsyncFunctionDef):
        return Flaw(entry.lineno, "function must not be async")
    return entry
