"""Families of tools: read from the tables in families/, drawn into specs."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from services.model_server.starter_model.corpus import constants, values
from services.model_server.starter_model.corpus.carrier import capital, carry, is_nominal
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.naming import function_name, parameter_name
from services.model_server.starter_model.corpus.phrase import (
    expand,
    group_of,
    is_sentence,
    speak,
    vary,
)
from services.model_server.starter_model.corpus.signature import Example, signature
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError, compose, load

TABLES = Path(__file__).parent / "families"
PHRASINGS = Path(__file__).parent / "phrasings"
KINDS = ("text", "lists", "numbers", "dicts", "algorithms")
EXAMPLES = 4
TOO_LONG = 110  # characters of a result


@dataclass(frozen=True)
class Family:
    """One kind of tool: argument and constant kinds by slot, code and phrases with $slots.

    The last of `say` is held out; `more` are phrases, too, none of them held out.
    """

    key: str
    args: dict[str, str]
    consts: dict[str, str]
    code: str
    doc: str
    say: tuple[str, ...]
    imports: str = ""
    more: tuple[str, ...] = ()

    @property
    def phrases(self) -> tuple[str, ...]:
        """What training may say; those of `say` come up twice as often."""
        return self.say[:-1] * 2 + self.more


def slots(text: str) -> dict[str, str]:
    """Read `a:int b:word` as {"a": "int", "b": "word"}."""
    return dict(pair.split(":") for pair in text.split())


@cache
def families() -> tuple[Family, ...]:
    """Return all families of the tables."""
    return tuple(family for table in KINDS for family in read(table).values())


@cache
def read(table: str) -> dict[str, Family]:
    """Return the families of one table by their keys."""
    path = PHRASINGS / f"{table}.toml"
    more = tomllib.loads(path.read_text()) if path.exists() else {}
    rows = tomllib.loads((TABLES / f"{table}.toml").read_text())
    return {key: _family(key, row, more.get(key, "")) for key, row in rows.items()}


def _family(key: str, row: dict[str, Any], more: str) -> Family:
    kinds = slots(row["args"]), slots(row.get("consts", ""))
    said, imports = tuple(row["say"]), row.get("imports", "")
    return Family(
        key, *kinds, row["code"], row["doc"], said, imports, tuple(more.strip().splitlines())
    )


def resolve(kind: str, args: dict[str, str]) -> str:
    """Return the kind that a related argument takes over from the first."""
    first = next(iter(args.values()))
    if kind == "member":
        return "text" if first == "counts" else "int"
    return first if kind == "shuffled" else kind


def draw(rng: Random, family: Family, holdout: Holdout, examples: int = EXAMPLES) -> Spec:
    """Draw one spec of a family.

    Raises UnusableDrawError when no arguments suit it.
    """
    drawn = {
        slot: constants.KINDS[kind](rng, holdout.value) for slot, kind in family.consts.items()
    }
    if len(set(map(str, drawn.values()))) < len(drawn):
        raise UnusableDrawError("two constants are equal")
    taken = set(re.findall(r"[A-Za-z_]\w*", family.code.replace("$", "$ ")))
    named: dict[str, str] = {}
    for slot, kind in family.args.items():
        named[slot] = parameter_name(
            rng, group_of(resolve(kind, family.args)), holdout.name, taken | set(named.values())
        )
    name = function_name(rng, family.key, holdout.name)
    code = Template(family.code).substitute(named | {slot: repr(v) for slot, v in drawn.items()})
    run = run_examples(rng, family, name, tuple(named.values()), code=code, count=examples)
    head = signature(name, list(named.values()), run)
    doc = Template(family.doc).substitute({slot: str(v) for slot, v in drawn.items()})
    source = compose(head, doc.replace("\\", "\\\\").replace('"', "'"), code, family.imports)
    description = describe(rng, family, named, drawn, holdout)
    return Spec(family.key, name, description, tuple(named.values()), run, source)


def run_examples(
    rng: Random,
    family: Family,
    name: str,
    parameters: tuple[str, ...],
    *,
    code: str,
    count: int = EXAMPLES,
) -> tuple[Example, ...]:
    """Run the solution on drawn arguments; none twice, not all results alike, at most `count`."""
    head = f"def {name}({', '.join(parameters)})"
    function = load(compose(head, "", code, family.imports), name)
    found: dict[str, Example] = {}
    for _ in range(40):
        arguments = values.arguments(rng, list(family.args.values()))
        try:
            result = function(*arguments)
        except (ValueError, IndexError, ZeroDivisionError, KeyError) as error:
            raise UnusableDrawError(str(error)) from error
        if len(repr(result)) < TOO_LONG and not isinstance(result, complex):
            found[repr(arguments)] = Example(arguments, plain(result))
        if len(found) >= count and len({repr(e.result) for e in found.values()}) > 1:
            return tuple(found.values())[-count:]
    if len({repr(e.result) for e in found.values()}) > 1:
        return tuple(found.values())
    raise UnusableDrawError("no two examples with different results")


def plain(result: object) -> object:
    """Return what JSON makes of a result: dictionary keys that are no text are refused."""
    if isinstance(result, dict) and not all(isinstance(key, str) for key in result):
        raise UnusableDrawError("keys must be text")
    return result


def describe(
    rng: Random,
    family: Family,
    named: dict[str, str],
    drawn: dict[str, constants.Constant],
    holdout: Holdout,
) -> str:
    """Say in one sentence what the function does."""
    kinds = {slot: resolve(kind, family.args) for slot, kind in family.args.items()}
    spoken = speak(rng, named, kinds, holdout.carrier)
    said = {slot: constants.mention(rng, value) for slot, value in drawn.items()}
    template = _template(rng, family, holdout)
    phrase = Template(template).substitute(spoken | said)
    if is_sentence(template):
        return capital(phrase)
    return carry(rng, phrase, is_nominal(template), holdout.carrier)


def _template(rng: Random, family: Family, holdout: Holdout) -> str:
    """Choose a phrase and its choices; a held-out carrier needs a phrase that takes one."""
    if holdout.phrase:
        return expand(rng, family.say[-1])
    carried = [p for p in family.phrases if not (holdout.carrier and is_sentence(p))]
    return vary(rng, expand(rng, rng.choice(carried)), family.say[-1])
