"""A module of definitions does nothing while it loads."""

import ast

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec

_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds the first statement at the top level that is no definition."""
    for node in module.tree.body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not text and not isinstance(node, _DEFINITIONS):
            return Flaw(node.lineno, "statement outside of the function")
    return None
