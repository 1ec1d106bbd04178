"""Static checks: what can be said of code without running it.

They are lint that gives a model a precise finding early; the boundary is the sandbox.
"""

from collections.abc import Callable

from services.toolforge.checks import (
    annotations,
    docstring,
    function,
    imports,
    names,
    parameters,
    statements,
    syntax,
)
from services.toolforge.checks.module import Flaw, Module
from services.toolforge.finding import Finding, static
from services.toolforge.spec import Spec

Check = Callable[[Module, Spec], Flaw | None]

CHECKS: tuple[Check, ...] = (
    statements.check,
    imports.check,
    parameters.check,
    annotations.check,
    docstring.check,
    names.check,
)


def first_finding(source: str, spec: Spec) -> Finding | None:
    """The first thing wrong with a source, or None. Never executes it."""
    try:
        flaw = _first_flaw(source, spec)
    except RecursionError:
        flaw = Flaw(1, "nested too deeply")
    return static(flaw.line, flaw.text) if flaw else None


def _first_flaw(source: str, spec: Spec) -> Flaw | None:
    tree = syntax.parse(source)
    if isinstance(tree, Flaw):
        return tree
    entry = function.find(tree, spec.name)
    if isinstance(entry, Flaw):
        return entry
    module = Module(tree, entry)
    flaws = (check(module, spec) for check in CHECKS)
    return next((flaw for flaw in flaws if flaw), None)
