"""Carrier sentences: the many ways in which a person asks for a thing."""

from random import Random

from services.model_server.starter_model.corpus.wording import table

TABLE = table("carriers")
NOMINAL = tuple(TABLE["nominal"])


def is_nominal(phrase: str) -> bool:
    """Tell whether a phrase, its choices drawn, names a thing and does not command an action."""
    return phrase.startswith(NOMINAL)


def third_person(phrase: str) -> str:
    """Inflect the verb at the head of an imperative: `add x` gives `adds x`."""
    verb, _, rest = phrase.partition(" ")
    comma = "," if verb.endswith(",") else ""
    verb = verb.rstrip(",")
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        verb = verb[:-1] + "ie"
    elif verb.endswith(("s", "x", "z", "ch", "sh")):
        verb += "e"
    return f"{verb}s{comma} {rest}".strip()


def capital(phrase: str) -> str:
    """Return the phrase with a capital first letter, unless it begins with a name or a quote."""
    return phrase[:1].upper() + phrase[1:]


def carry(rng: Random, phrase: str, nominal: bool, held: bool) -> str:
    """Set a phrase into a carrier sentence that asks for a function."""
    return _dress(rng, _set(rng, phrase, nominal, TABLE["held" if held else "trained"]))


def ask(rng: Random, phrase: str, nominal: bool, held: bool) -> str:
    """Set a phrase into a carrier sentence that asks for a result."""
    return _set(rng, phrase, nominal, TABLE["ask"]["held" if held else "trained"])


def _set(rng: Random, phrase: str, nominal: bool, carriers: dict[str, list[str]]) -> str:
    if phrase.startswith("whether "):
        carrier = rng.choice(carriers["whether"])
        sentence = carrier.replace("{n}", phrase.removeprefix("whether "))
    elif nominal:
        carrier = rng.choice(carriers["noun"])
        sentence = carrier.replace("{n}", phrase).replace("{N}", capital(phrase))
    else:
        carrier = rng.choice(carriers["imperative"])
        turned = third_person(phrase)
        sentence = carrier.replace("{i}", phrase).replace("{I}", capital(phrase))
        sentence = sentence.replace("{t}", turned).replace("{T}", capital(turned))
    return sentence


def _dress(rng: Random, sentence: str) -> str:
    draw = rng.random()
    if draw < 0.06 and sentence[-1] in ".?":
        return f"{sentence} {rng.choice(TABLE['dress']['tails'])}"
    if draw < 0.12:
        return f"{rng.choice(TABLE['dress']['leads'])} {sentence[:1].lower()}{sentence[1:]}"
    return sentence
