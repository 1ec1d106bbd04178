"""Every parameter and the result must be annotated: the schema is made of it."""

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds the first parameter, or the result, without an annotation."""
    function = module.function
    for parameter in [*function.args.args, *function.args.kwonlyargs]:
        if parameter.annotation is None:
            return Flaw(parameter.lineno, f"parameter {parameter.arg!r} has no annotation")
    if function.returns is None:
        return Flaw(function.lineno, "result has no annotation")
    return None
