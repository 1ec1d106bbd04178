"""Repairs: a solution is broken in one place, and what was found is said in the forge's words."""

import ast
import re
from dataclasses import dataclass
from random import Random

from services.model_server.starter_model.corpus.naming import RESERVED
from services.model_server.starter_model.corpus.spec import Spec, failing, finding
from services.model_server.starter_model.corpus.wording import table
from services.model_server.starter_model.corpus.words import coin

SWAPS: list[list[str]] = table("swaps")["swaps"]


@dataclass(frozen=True)
class Repair:
    """A spec, code that fails it, and the finding."""

    spec: Spec
    failed: str
    finding: str


def draw(rng: Random, spec: Spec) -> Repair | None:
    """Break the spec's solution in a drawn way; None where that way does not apply."""
    ways = (
        swapped,
        swapped,
        swapped,
        constant,
        constant,
        undefined,
        undefined,
        broken_syntax,
        broken_syntax,
        bare,
        untyped,
        misnamed,
        renamed,
    )
    return rng.choice(ways)(rng, spec)


def _judged(spec: Spec, source: str) -> Repair | None:
    if "while " in source:
        return None  # broken anywhere, it may never end
    try:
        example = failing(source, spec)
    except SyntaxError:
        return None
    return None if example is None else Repair(spec, source, finding(source, spec, example))


def _body(source: str) -> tuple[str, str]:
    cut = source.index('"""\n') + 4
    return source[:cut], source[cut:]


def swapped(rng: Random, spec: Spec) -> Repair | None:
    """Swap one operation for another."""
    head, body = _body(spec.source)
    pairs = [pair for pair in SWAPS if pair[0] in body]
    if not pairs:
        return None
    old, new = rng.choice(pairs)
    return _judged(spec, head + body.replace(old, new, 1))


def constant(rng: Random, spec: Spec) -> Repair | None:
    """Get one constant wrong: another number, or a text with something off."""
    head, body = _body(spec.source)
    numbers = list(re.finditer(r"(?<![\w'])\d+(?![\w'])", body))
    texts = list(re.finditer(r"'([^'\\]+)'", body))
    if texts and (not numbers or rng.random() < 0.6):
        match = rng.choice(texts)
        wrong = rng.choice((match[1] + " ", match[1][:-1], match[1].upper(), coin(rng, False), ""))
        return _judged(spec, head + body[: match.start()] + repr(wrong) + body[match.end() :])
    if not numbers:
        return None
    match = rng.choice(numbers)
    off = int(match[0]) + rng.choice((1, -1, 2, 10))
    wrong = str(max(0, off)) if rng.random() < 0.7 else str(rng.randint(0, 99))
    return _judged(spec, head + body[: match.start()] + wrong + body[match.end() :])


def undefined(rng: Random, spec: Spec) -> Repair | None:
    """Use a name that is not defined, or forget an import."""
    if spec.source.startswith(("import ", "from ")) and rng.random() < 0.6:
        module = re.match(r"(?:import|from \w+ import) (\w+)", spec.source)
        source = spec.source.split("\n\n", 1)[1]
        return _undefined(spec, source, module[1] if module else "")
    head, body = _body(spec.source)
    parameter = rng.choice(spec.parameters)
    wrong = rng.choice(
        (coin(rng, False), parameter + "s", parameter[:-1] + "_x", "result", "data", "values")
    )
    source = head + re.sub(rf"\b{re.escape(parameter)}\b", wrong, body)
    return (
        None if wrong in spec.parameters or wrong in RESERVED else _undefined(spec, source, wrong)
    )


def _undefined(spec: Spec, source: str, name: str) -> Repair | None:
    used = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name) and n.id == name)
    number = min((node.lineno for node in used), default=0)
    if not name or not number or failing(source, spec) is None:
        return None
    return Repair(spec, source, f"line {number}: undefined name '{name}'")


def broken_syntax(rng: Random, spec: Spec) -> Repair | None:
    """Lose one bracket, quote or colon."""
    places = [i for i, char in enumerate(spec.source) if char in "()[]:'"]
    place = rng.choice(places)
    source = spec.source[:place] + spec.source[place + 1 :]
    try:
        compile(source, "<string>", "exec")
    except SyntaxError as error:
        return Repair(spec, source, f"line {error.lineno}: {error.msg}")
    return None


def bare(rng: Random, spec: Spec) -> Repair | None:
    """Leave the docstring out."""
    lines = [line for line in spec.source.split("\n") if not line.strip().startswith('"""')]
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("def "))
    return Repair(spec, "\n".join(lines), f"line {number}: function has no docstring")


def untyped(rng: Random, spec: Spec) -> Repair | None:
    """Leave one parameter's annotation out."""
    head = spec.head
    parameter = rng.choice(spec.parameters)
    bare_head = re.sub(
        rf"\b{re.escape(parameter)}: \w+(\[(?:[^\[\]]|\[[^\[\]]*\])*\])?(?=[,)])",
        parameter,
        head,
        count=1,
    )
    source = spec.source.replace(head, bare_head)
    if source == spec.source or (
        "]" in bare_head.split("->")[0] and "[" not in bare_head.split("->")[0]
    ):
        return None
    number = next(n for n, line in enumerate(source.split("\n"), 1) if line.startswith("def "))
    return Repair(spec, source, f"line {number}: parameter '{parameter}' has no annotation")


def _header(source: str) -> int:
    return next(n for n, line in enumerate(source.split("\n"), 1) if line.startswith("def "))


def misnamed(rng: Random, spec: Spec) -> Repair | None:
    """Give the function another name."""
    wrong = rng.choice(
        (spec.name + "s", spec.name[:-1], f"{coin(rng, False)}_{spec.name}", coin(rng, False))
    )
    if wrong == spec.name or not wrong.isidentifier():
        return None
    source = spec.source.replace(f"def {spec.name}(", f"def {wrong}(")
    return Repair(spec, source, f"line {_header(source)}: function must be named {spec.name!r}")


def renamed(rng: Random, spec: Spec) -> Repair | None:
    """Give a parameter another name, everywhere."""
    parameter = rng.choice(spec.parameters)
    wrong = rng.choice((parameter + "s", "data", "value", coin(rng, False)))
    if wrong in spec.parameters or wrong in RESERVED:
        return None
    source = re.sub(rf"\b{re.escape(parameter)}\b", wrong, spec.source)
    return Repair(spec, source, f"line {_header(source)}: parameter {parameter!r} is missing")
