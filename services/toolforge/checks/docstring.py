"""The function must say what it does."""

import ast

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds a docstring that is missing or blank."""
    if (ast.get_docstring(module.function) or "").strip():
        return None
    return Flaw(module.function.lineno, "function has no docstring")
