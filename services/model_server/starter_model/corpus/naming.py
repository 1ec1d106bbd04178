"""Names of functions and parameters: varied, so that they are copied and not recalled."""

import builtins
import keyword
from random import Random

from services.model_server.starter_model.corpus.holdout import is_held
from services.model_server.starter_model.corpus.wording import table, words
from services.model_server.starter_model.corpus.words import PLAIN, coin

VERBS, THINGS, SHAPES = (words("names", key) for key in ("verbs", "things", "shapes"))
RESERVED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | {"math", "json", "date"}

PARAMETERS: dict[str, list[str]] = {
    group: names.split() for group, names in table("names")["parameters"].items()
}

NOUNS: dict[str, list[str]] = {
    group: [
        name for names in table("names")["nouns"].values() for name in names.get(group, "").split()
    ]
    for group in PARAMETERS
}


def function_name(rng: Random, key: str, held: bool) -> str:
    """Return a function name; `key` names the family and is one of many ways."""
    for _ in range(200):
        name = _shape(rng, key)
        if is_held(name) == held and name.isidentifier() and not keyword.iskeyword(name):
            return name
    raise ValueError("no function name found on that side")


def _shape(rng: Random, key: str) -> str:
    shape = rng.choice(SHAPES)
    verb, noun, odd = rng.choice(VERBS), rng.choice(THINGS), coin(rng, rng.random() < 0.1)
    parts = key.split("_")
    keyed = [
        "_".join(parts),
        f"{verb}_{parts[-1]}",
        f"{parts[0]}_{noun}",
        "_".join(parts[::-1]),
        f"{key}_{noun}",
    ]
    return {
        "key": rng.choice(keyed),
        "verb_noun": f"{verb}_{noun}",
        "verb_adj_noun": f"{verb}_{rng.choice(PLAIN)}_{noun}",
        "odd": odd,
        "odd_noun": f"{odd}_{noun}",
        "verb_odd": f"{verb}_{odd}",
        "short": rng.choice(("f", "fn", "func", "g", "do_it", "run", "main", "tool"))
        + str(rng.randint(1, 99)),
        "noun": f"{noun}_{rng.choice(PLAIN)}",
    }[shape]


def parameter_name(rng: Random, group: str, held: bool, taken: set[str]) -> str:
    """Return a parameter name that is not taken: usual ones, everyday nouns, some made up."""
    for _ in range(200):
        name = _parameter(rng, group)
        if name not in taken and name not in RESERVED and is_held(name) == held:
            return name
    return f"{group}_{len(taken)}"


def _parameter(rng: Random, group: str) -> str:
    draw = rng.random()
    if draw < 0.45:
        return rng.choice(PARAMETERS[group])
    if draw < 0.84:
        return rng.choice(NOUNS[group] or PARAMETERS[group])
    if draw < 0.93:
        return f"{rng.choice(PLAIN)}_{rng.choice(PARAMETERS[group])}"
    return coin(rng, rng.random() < 0.1) if draw < 0.97 else rng.choice(THINGS)
