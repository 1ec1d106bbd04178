"""The parameters must take the examples' arguments, which are passed by name."""

from services.toolforge.checks.module import Flaw, Module
from services.toolforge.spec import Spec


def check(module: Module, spec: Spec) -> Flaw | None:
    """Finds an argument without a parameter, or a parameter that would get none."""
    arguments = module.function.args
    line = module.function.lineno
    if arguments.vararg or arguments.kwarg:
        return Flaw(line, "parameters must be named one by one, without * or **")
    if arguments.posonlyargs:
        return Flaw(line, f"parameter {arguments.posonlyargs[0].arg!r} cannot be passed by name")
    named = [*arguments.args, *arguments.kwonlyargs]
    for name in spec.parameters:
        if name not in {parameter.arg for parameter in named}:
            return Flaw(line, f"parameter {name!r} is missing")
    for name in required(module):
        if name not in spec.parameters:
            return Flaw(line, f"parameter {name!r} is not in the examples")
    return None


def required(module: Module) -> list[str]:
    """Names of the parameters that have no default, in order."""
    arguments = module.function.args
    count = len(arguments.args) - len(arguments.defaults)
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        *(parameter.arg for parameter in arguments.args[:count]),
        *(parameter.arg for parameter, default in keyword_only if default is None),
    ]
