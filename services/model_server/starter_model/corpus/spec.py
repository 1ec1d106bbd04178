"""A spec: one tool that is asked for, with its examples and a solution that passes them."""

from collections.abc import Callable
from dataclasses import dataclass

from services.model_server.starter_model.corpus.signature import (
    Example,
    call,
    draft_request,
    signature,
)


class UnusableDrawError(ValueError):
    """The drawn arguments do not suit the family (they raise, or give huge results)."""


@dataclass(frozen=True)
class Spec:
    """One tool: what is asked, how it is called, and source that passes the examples."""

    family: str
    name: str
    description: str
    parameters: tuple[str, ...]
    examples: tuple[Example, ...]
    source: str

    @property
    def head(self) -> str:
        """The signature line, without the colon."""
        return signature(self.name, self.parameters, self.examples)

    @property
    def request(self) -> str:
        """The draft request."""
        return draft_request(self.name, self.description, self.head, self.examples)


def load(source: str, name: str) -> Callable[..., object]:
    """Execute source of this generator's own making and return the function."""
    scope: dict[str, object] = {}
    exec(source, scope)  # noqa: S102 - the generator's own text, never a model's
    function = scope[name]
    if not callable(function):
        raise UnusableDrawError(name)
    return function


def compose(head: str, doc: str, body: str, imports: str = "") -> str:
    """Write a documented function from its head, one sentence and a body or expression."""
    lines = body.split("\n")
    if len(lines) == 1 and not body.startswith("return "):
        lines = [f"return {body}"]
    module = f"{imports}\n\n" if imports else ""
    return f'{module}{head}:\n    """{doc}"""\n' + "\n".join(f"    {line}" for line in lines)


def failing(source: str, spec: Spec) -> Example | None:
    """Return the first example that the source gets wrong, or None."""
    function = load(source, spec.name)
    for example in spec.examples:
        try:
            if repr(function(*example.arguments)) != repr(example.result):
                return example
        except Exception:
            return example
    return None


def finding(source: str, spec: Spec, example: Example) -> str:
    """Say what went wrong with one example, in the forge's words."""
    shown = call(spec.name, example.arguments)
    try:
        got = load(source, spec.name)(*example.arguments)
    except Exception as error:
        number = _line_of(error)
        line = source.split("\n")[number - 1].strip()
        return f"{shown} raised {type(error).__name__}: {error} at line {number}: {line}"
    return f"{shown} returned {got!r} but must return {example.result!r}"


def _line_of(error: Exception) -> int:
    trace = error.__traceback__
    number = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<string>":
            number = trace.tb_lineno
        trace = trace.tb_next
    return number
