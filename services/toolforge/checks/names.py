"""No name may be used that is not defined. Found by pyflakes."""

from pyflakes import messages
from pyflakes.checker import Checker

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec

_UNDEFINED = (messages.UndefinedName, messages.UndefinedLocal, messages.UndefinedExport)


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds the first use of an undefined name, in order of lines."""
    found = [m for m in Checker(module.tree, withDoctest=False).messages if type(m) in _UNDEFINED]
    if not found:
        return None
    first = min(found, key=lambda message: (message.lineno, message.col))
    return Flaw(first.lineno, str(first.message % first.message_args))
