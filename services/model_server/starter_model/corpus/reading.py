"""Descriptions with two readings: examples decide for the second where the usual one fails."""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from string import Template

from services.model_server.starter_model.corpus import constants, values
from services.model_server.starter_model.corpus.family import (
    TABLES,
    Family,
    describe,
    read,
    resolve,
)
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.naming import function_name, parameter_name
from services.model_server.starter_model.corpus.phrase import group_of
from services.model_server.starter_model.corpus.signature import Example, signature
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError, compose, load


@dataclass(frozen=True)
class Reading:
    """A family together with the second way to read its descriptions."""

    family: Family
    other: str
    redoc: str


@dataclass(frozen=True)
class Ambiguity:
    """A spec that wants the second reading, and the source that the usual reading gives.

    The first two examples fit both readings unless `shown`; a later one tells them apart.
    """

    spec: Spec
    usual: str
    deciding: Example
    shown: bool


@cache
def readings() -> tuple[Reading, ...]:
    """Return all pairs of readings of the table."""
    rows = tomllib.loads((TABLES / "readings.toml").read_text())
    known = read("readings")
    return tuple(Reading(known[key], row["other"], row["redoc"]) for key, row in rows.items())


def draw(rng: Random, reading: Reading, holdout: Holdout, shown: bool = False) -> Ambiguity:
    """Draw one ambiguous spec; `shown` puts the deciding example among the first two.

    Raises UnusableDrawError when the drawn arguments never tell the readings apart.
    """
    family = reading.family
    drawn = {
        slot: constants.KINDS[kind](rng, holdout.value) for slot, kind in family.consts.items()
    }
    named: dict[str, str] = {}
    for slot, kind in family.args.items():
        group = group_of(resolve(kind, family.args))
        named[slot] = parameter_name(rng, group, holdout.name, {*"xwcv", *named.values()})
    name = function_name(rng, family.key, holdout.name)
    fill = named | {slot: repr(value) for slot, value in drawn.items()}
    usual, other = (Template(code).substitute(fill) for code in (family.code, reading.other))
    alike, apart = _examples(
        rng, family, name, tuple(named.values()), codes=(usual, other), drawn=drawn
    )
    examples = (*apart, *alike) if shown else (*alike, *apart)
    head = signature(name, list(named.values()), examples)
    said = {slot: str(value) for slot, value in drawn.items()}
    sources = [
        compose(
            head, Template(doc).substitute(said), code, family.imports if "math" in code else ""
        )
        for doc, code in ((family.doc, usual), (reading.redoc, other))
    ]
    description = describe(rng, family, named, drawn, holdout)
    spec = Spec(family.key, name, description, tuple(named.values()), examples, sources[1])
    return Ambiguity(spec, sources[0], apart[0], shown)


def _examples(
    rng: Random,
    family: Family,
    name: str,
    parameters: tuple[str, ...],
    *,
    codes: tuple[str, str],
    drawn: dict[str, constants.Constant],
) -> tuple[list[Example], list[Example]]:
    head = f"def {name}({', '.join(parameters)})"
    first, second = (load(compose(head, "", code, "import math"), name) for code in codes)
    alike: dict[str, Example] = {}
    apart: dict[str, Example] = {}
    for _ in range(80):
        arguments = [
            _seasoned(rng, v, drawn) for v in values.arguments(rng, list(family.args.values()))
        ]
        try:
            wanted = second(*arguments)
        except (ValueError, IndexError, ZeroDivisionError, KeyError):
            continue
        group = alike if _agrees(first, arguments, wanted) else apart
        group[repr(arguments)] = Example(arguments, wanted)
        if len(alike) >= 2 and len(apart) >= 2:
            break
    if not apart or len(alike) + len(apart) < 3:
        raise UnusableDrawError("the readings are not told apart")
    return list(alike.values())[:2], list(apart.values())[: 4 - min(2, len(alike))]


def _seasoned(rng: Random, value: object, drawn: dict[str, constants.Constant]) -> object:
    """Put a constant into the argument now and then, so that bounds and words are met."""
    constant = rng.choice(list(drawn.values())) if drawn and rng.random() < 0.5 else None
    if isinstance(constant, int) and isinstance(value, list) and all(type(v) is int for v in value):
        return [*value[:-1], constant]
    if isinstance(constant, int) and type(value) is int:
        return constant
    if isinstance(constant, str) and isinstance(value, str):
        return f"{value} {rng.choice((constant, constant.capitalize()))}"
    return value


def _agrees(function: object, arguments: list[object], wanted: object) -> bool:
    try:
        return repr(function(*arguments)) == repr(wanted)  # type: ignore[operator]
    except (ValueError, IndexError, ZeroDivisionError, KeyError):
        return False


def usual_spec(ambiguity: Ambiguity) -> Spec:
    """Return the same request where the usual reading is right: results are those of its code.

    Raises UnusableDrawError when the usual reading suits fewer than two of the examples' arguments.
    """
    function = load(ambiguity.usual, ambiguity.spec.name)
    examples = []
    for arguments, _ in ambiguity.spec.examples:
        try:
            examples.append(Example(arguments, function(*arguments)))
        except (ValueError, IndexError, ZeroDivisionError, KeyError):
            continue
    if len(examples) < 2:
        raise UnusableDrawError("the usual reading has no two examples")
    spec = replace(ambiguity.spec, examples=tuple(examples))
    return replace(spec, source=ambiguity.usual.replace(ambiguity.spec.head, spec.head))
