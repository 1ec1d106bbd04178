"""What is wanted of a tool: a name, a description, and examples that it must meet."""

import keyword
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.toolforge.json_value import JsonValue, NotJsonError, parse, same
from shared.errors import InvalidArgument, Violation

MAX_DESCRIPTION_BYTES = 4096
MAX_EXAMPLES = 64
MAX_EXAMPLE_BYTES = 65536
MAX_ALL_EXAMPLES_BYTES = 4 * MAX_EXAMPLE_BYTES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Example:
    """Arguments by name, in the spec's order, and their result; the JSON texts as they came."""

    arguments_json: str
    result_json: str
    arguments: dict[str, JsonValue]
    result: JsonValue


@dataclass(frozen=True)
class Tolerance:
    """How far floats may be off, as of math.isclose; zeros mean that they must be equal."""

    relative: float = 0.0
    absolute: float = 0.0


EXACT = Tolerance()


@dataclass(frozen=True)
class Spec:
    """A wanted tool. All examples name the same arguments; the first one gives their order."""

    name: str
    description: str
    examples: tuple[Example, ...]
    tolerance: Tolerance = EXACT

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of the first example."""
        return tuple(self.examples[0].arguments)

    def same_as(self, other: "Spec") -> bool:
        """Whether both want the very same; how their JSON is laid out does not matter."""
        return (
            (self.name, self.description, self.tolerance)
            == (other.name, other.description, other.tolerance)
            and len(self.examples) == len(other.examples)
            and all(map(_same_example, self.examples, other.examples))
        )


def _same_example(one: Example, other: Example) -> bool:
    return same(one.arguments, other.arguments) and same(one.result, other.result)


def read_spec(
    name: str,
    description: str,
    examples: Sequence[tuple[str, str]],
    tolerance: Tolerance = EXACT,
) -> Spec:
    """A spec from the texts of a request: `examples` are pairs of arguments and result as JSON.

    Raises InvalidArgument that names every faulty field.
    """
    faults: list[Violation] = [*_head_faults(name, description, examples)]
    faults += _tolerance_faults(tolerance)
    kept: list[Example] = []
    for index, pair in enumerate(examples[:MAX_EXAMPLES]):
        path = f"spec.examples[{index}]"
        try:
            kept.append(_example(pair, path, kept))
        except InvalidArgument as error:
            faults.extend(error.violations)
    if faults:
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in faults), faults)
    return Spec(name, description, tuple(kept), tolerance)


def require_head(name: str, description: str) -> None:
    """Raises InvalidArgument unless these can head a spec, whose examples come later."""
    faults = list(_head_faults(name, description, [("", "")]))
    if faults:
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in faults), faults)


def read_example(spec: Spec, arguments_json: str, result_json: str) -> Example:
    """One more example for a spec; raises InvalidArgument."""
    return _example((arguments_json, result_json), "example", spec.examples)


def _head_faults(
    name: str, description: str, examples: Sequence[tuple[str, str]]
) -> Iterator[Violation]:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        yield Violation("spec.name", "must be a snake_case identifier of at most 64 characters")
    if not description.strip():
        yield Violation("spec.description", "must not be empty")
    if len(description.encode(errors="replace")) > MAX_DESCRIPTION_BYTES:
        yield Violation("spec.description", f"is longer than {MAX_DESCRIPTION_BYTES} bytes")
    if not 1 <= len(examples) <= MAX_EXAMPLES:
        yield Violation("spec.examples", f"must be 1 to {MAX_EXAMPLES}")
    if sum(len(text) for pair in examples for text in pair) > MAX_ALL_EXAMPLES_BYTES:
        yield Violation("spec.examples", f"are longer than {MAX_ALL_EXAMPLES_BYTES} bytes together")


def _tolerance_faults(tolerance: Tolerance) -> Iterator[Violation]:
    if not 0 <= tolerance.relative <= 1:
        yield Violation("spec.tolerance.relative", "must be 0 to 1")
    if not 0 <= tolerance.absolute < math.inf:
        yield Violation("spec.tolerance.absolute", "must be a number that is not negative")


def _example(pair: tuple[str, str], path: str, earlier: Sequence[Example]) -> Example:
    arguments = _value(pair[0], f"{path}.arguments_json")
    if not isinstance(arguments, dict):
        raise InvalidArgument.of_field(
            f"{path}.arguments_json", "must be a JSON object of keyword arguments"
        )
    if fault := _names_fault(arguments, earlier):
        raise InvalidArgument.of_field(f"{path}.arguments_json", fault)
    order = earlier[0].arguments if earlier else arguments
    ordered = {parameter: arguments[parameter] for parameter in order}
    return Example(*pair, ordered, _value(pair[1], f"{path}.result_json"))


def _value(text: str, path: str) -> JsonValue:
    if len(text.encode(errors="replace")) > MAX_EXAMPLE_BYTES:
        raise InvalidArgument.of_field(path, f"is longer than {MAX_EXAMPLE_BYTES} bytes")
    try:
        return parse(text)
    except NotJsonError as error:
        raise InvalidArgument.of_field(path, f"not JSON: {error}") from None


def _names_fault(arguments: dict[str, JsonValue], earlier: Sequence[Example]) -> str:
    for name in arguments:
        if not name.isidentifier() or keyword.iskeyword(name) or len(name) > 64:
            return f"{name!r} cannot be the name of a parameter"
    if earlier and arguments.keys() != earlier[0].arguments.keys():
        return "must name the same arguments as the first example"
    return ""
