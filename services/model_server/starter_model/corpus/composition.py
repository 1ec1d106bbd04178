"""Compositions: filter, map and aggregate, put together from the parts in filters.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from random import Random
from string import Template

from services.model_server.starter_model.corpus import constants
from services.model_server.starter_model.corpus.carrier import capital, carry
from services.model_server.starter_model.corpus.family import TABLES, Family, run_examples, slots
from services.model_server.starter_model.corpus.holdout import Holdout, is_held
from services.model_server.starter_model.corpus.naming import function_name, parameter_name
from services.model_server.starter_model.corpus.signature import signature
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError, compose
from services.model_server.starter_model.corpus.wording import table

Part = dict[str, object]
Constants = dict[str, constants.Constant]
Table = dict[str, dict[str, dict[str, Part]]]
FORMS = table("compositions")


@dataclass(frozen=True)
class Triple:
    """One composition: what is kept, done to each and made of all; the first two may be None."""

    kind: str
    keep: str | None
    each: str | None
    all: str

    @property
    def held(self) -> bool:
        """Tell whether this composition is kept out of training."""
        return is_held(f"{self.kind}.{self.keep}.{self.each}.{self.all}")


@cache
def parts() -> Table:
    """Return the table of parts: kind, role, key."""
    return tomllib.loads((TABLES / "filters.toml").read_text())


def triple(rng: Random, held: bool) -> Triple:
    """Draw a composition of the wanted side that makes sense."""
    while True:
        kind = rng.choice(("int", "int", "str"))
        table = parts()[kind]
        keep = rng.choice(list(table["keep"])) if rng.random() < 0.85 else None
        each = rng.choice(list(table["each"])) if rng.random() < 0.6 else None
        drawn = Triple(kind, keep, each, rng.choice(list(table["all"])))
        if drawn.held == held and sensible(drawn):
            return drawn


def sensible(drawn: Triple) -> bool:
    """Refuse what nobody asks for: nothing kept and nothing done, counts of changed items."""
    if drawn.keep is None and drawn.each is None:
        return False
    if drawn.all == "count" and drawn.each is not None:
        return False
    return not (drawn.each == "length" and drawn.all in ("joined", "glued"))


def draw(rng: Random, holdout: Holdout, held: bool = False) -> Spec:
    """Draw one spec of a composition; `held` takes one that training never sees."""
    drawn = triple(rng, held)
    roles = {role: _part(drawn.kind, role, key) for role, key in _keys(drawn).items()}
    consts = {
        slot: kind
        for part in roles.values()
        for slot, kind in slots(str(part.get("consts", ""))).items()
    }
    values = {slot: constants.KINDS[kind](rng, holdout.value) for slot, kind in consts.items()}
    param = parameter_name(
        rng, "list" if drawn.kind == "int" else "words", holdout.name, {"x", "math"}
    )
    code = _code(roles, param, values)
    imports = str(roles["all"].get("imports", ""))
    family = Family(
        "_".join(_keys(drawn).values()),
        {"xs": "longints" if drawn.kind == "int" else "words"},
        {},
        code,
        "",
        (),
        imports,
    )
    name = function_name(rng, _name_key(rng, drawn), holdout.name)
    examples = run_examples(rng, family, name, (param,), code=code)
    doc = _doc(roles, values)
    source = compose(signature(name, [param], examples), doc, code, imports)
    description = _describe(rng, drawn, roles, param, values=values, holdout=holdout)
    return Spec(f"{drawn.kind}_{family.key}", name, description, (param,), examples, source)


def _keys(drawn: Triple) -> dict[str, str]:
    return {role: key for role in ("keep", "each", "all") if (key := getattr(drawn, role))}


def _name_key(rng: Random, drawn: Triple) -> str:
    return "_".join(rng.sample(list(_keys(drawn).values()), len(_keys(drawn))))


def _part(kind: str, role: str, key: str) -> Part:
    return parts()[kind][role][key]


def _code(roles: dict[str, Part], param: str, values: Constants) -> str:
    each = str(roles["each"]["code"]) if "each" in roles else "x"
    loop = f"x in {param}" + (f" if {roles['keep']['code']}" if "keep" in roles else "")
    whole = f"{each} for {loop}"
    code = Template(str(roles["all"]["code"])).safe_substitute(g=whole, i=whole, v=loop)
    return Template(code).substitute({slot: repr(value) for slot, value in values.items()})


def _doc(roles: dict[str, Part], values: Constants) -> str:
    said = [f"keep {_first(roles['keep'], 'that')}"] if "keep" in roles else []
    said += [f"{_first(roles['each'], 'verb')} each"] if "each" in roles else []
    said.append(_first(roles["all"], "verb"))
    text = Template("; ".join(said)).substitute({slot: str(v) for slot, v in values.items()})
    return capital(text) + "."


def _first(part: Part, role: str) -> str:
    options = part[role]
    assert isinstance(options, list)
    return str(options[0])


def _options(part: Part, role: str, held: bool) -> list[str]:
    options = [str(option) for option in part[role]]  # type: ignore[attr-defined]
    if len(options) < 3:
        return options
    return options[-1:] if held else options[:-1]


def _describe(
    rng: Random,
    drawn: Triple,
    roles: dict[str, Part],
    param: str,
    *,
    values: Constants,
    holdout: Holdout,
) -> str:
    spoken = rng.choice(FORMS["lists"]).replace("{p}", param)
    pieces = {
        "kept": _kept(rng, drawn.kind, roles.get("keep"), spoken, holdout),
        "each": rng.choice(_options(roles["each"], "noun", False) or [""])
        if "each" in roles
        else "",
        "do": rng.choice(_options(roles["each"], "verb", holdout.phrase))
        if "each" in roles
        else "",
        "all": rng.choice(_options(roles["all"], "noun", holdout.phrase) or [""]),
        "end": rng.choice(_options(roles["all"], "verb", holdout.phrase)),
    }
    form = _form(rng, pieces, holdout.phrase)
    said = {slot: constants.mention(rng, value) for slot, value in values.items()}
    phrase = Template(Template(form).substitute(pieces)).substitute(said)
    return carry(rng, phrase, form.startswith("the "), holdout.carrier)


def _form(rng: Random, pieces: dict[str, str], held: bool) -> str:
    length, nominal = ("steps", "nouns") if pieces["do"] else ("short", "plain")
    if held:
        return str(rng.choice(FORMS["held"][length]))
    forms = list(FORMS["trained"][length])
    if pieces["all"] and (pieces["each"] or not pieces["do"]):
        forms += FORMS["trained"][nominal] * 3
    return str(rng.choice(forms))


def _kept(rng: Random, kind: str, part: Part | None, spoken: str, holdout: Holdout) -> str:
    side = "held_plural" if holdout.carrier and rng.random() < 0.5 else "plural"
    plural = rng.choice(FORMS[side][kind])
    inside = rng.choice(("in", "of", "from"))
    if part is None:
        return f"{plural} {inside} {spoken}"
    adjectives = part["adj"]
    if adjectives and rng.random() < 0.5:
        assert isinstance(adjectives, list)
        return f"{rng.choice(adjectives)} {plural} {inside} {spoken}"
    that = rng.choice(_options(part, "that", holdout.phrase))
    return (
        f"{plural} {inside} {spoken} {that}"
        if rng.random() < 0.4
        else f"{plural} {that} {inside} {spoken}"
    )


def draw_usable(rng: Random, holdout: Holdout, held: bool = False) -> Spec:
    """Draw until the arguments suit the composition."""
    for _ in range(100):
        try:
            return draw(rng, holdout, held)
        except UnusableDrawError:
            continue
    raise UnusableDrawError("no usable composition in 100 draws")
