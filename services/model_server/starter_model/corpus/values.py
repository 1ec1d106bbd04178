"""Argument values: one seeded drawing per kind of argument, in JSON's types."""

import json
from collections.abc import Callable
from random import Random

from services.model_server.starter_model.corpus.words import NAMES, PLAIN, coin

LETTERS = "abcdefghijklmnopqrstuvwxyz"
Value = object


def word(rng: Random) -> str:
    """Return one lower-case word."""
    return coin(rng, False) if rng.random() < 0.08 else rng.choice(PLAIN)


def text(rng: Random) -> str:
    """Return two to four words."""
    return " ".join(word(rng) for _ in range(rng.randint(2, 4)))


def mixed(rng: Random) -> str:
    """Return words in mixed case."""
    return " ".join(rng.choice((w, w.upper(), w.capitalize())) for w in text(rng).split()[:2])


def alnum(rng: Random) -> str:
    """Return letters and digits mixed, sometimes digits alone."""
    if rng.random() < 0.25:
        return str(rng.randint(0, 9999))
    return "".join(rng.choice(LETTERS + "0123456789") for _ in range(rng.randint(3, 7)))


def padded(rng: Random) -> str:
    """Return words with stray spaces."""
    gap = rng.choice((" ", "  ", "   "))
    return " " * rng.randint(0, 2) + gap.join(text(rng).split()) + " " * rng.randint(0, 2)


def palindrome(rng: Random) -> str:
    """Return a word that is a palindrome half of the time."""
    base = word(rng)[:4]
    return base + base[-2::-1] if rng.random() < 0.5 else base


def joined(rng: Random) -> str:
    """Return words joined by marks."""
    return "".join(word(rng) + rng.choice("-,;:/|.") for _ in range(3)) + word(rng)


def ints(rng: Random, low: int = 2, high: int = 5) -> list[int]:
    """Return a few whole numbers, mostly small, some negative."""
    least, most = rng.choice(((-9, 20), (0, 50), (-30, 99), (1, 12)))
    return [rng.randint(least, most) for _ in range(rng.randint(low, high))]


def duplicated(rng: Random) -> list[int]:
    """Return digits, so that values repeat."""
    return [rng.randint(0, rng.choice((3, 9))) for _ in range(rng.randint(3, 6))]


def words(rng: Random) -> list[str]:
    """Return two to four words."""
    return [word(rng) for _ in range(rng.randint(2, 4))]


def duplicated_words(rng: Random) -> list[str]:
    """Return words that repeat."""
    pool = words(rng)[:2]
    return [rng.choice(pool) for _ in range(rng.randint(2, 4))]


def counts(rng: Random) -> dict[str, int]:
    """Return a dictionary from words to whole numbers."""
    keys = dict.fromkeys(word(rng)[:6] for _ in range(rng.randint(2, 3)))
    return {key: rng.randint(0, 60) for key in keys}


def matrix(rng: Random) -> list[list[int]]:
    """Return two or three rows of two numbers or more, all of one length."""
    width = rng.randint(2, 3)
    return [[rng.randint(0, 20) for _ in range(width)] for _ in range(rng.randint(2, 3))]


def square(rng: Random) -> list[list[int]]:
    """Return as many rows as columns."""
    size = rng.randint(2, 3)
    return [[rng.randint(0, 20) for _ in range(size)] for _ in range(size)]


def date(rng: Random) -> str:
    """Return a date as YYYY-MM-DD."""
    return f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def sortedish(rng: Random) -> list[int]:
    """Return numbers that stand in order half of the time."""
    drawn = ints(rng)
    return sorted(drawn) if rng.random() < 0.5 else drawn


def sameish(rng: Random) -> list[int]:
    """Return numbers that are all the same half of the time."""
    return [rng.randint(0, 9)] * rng.randint(2, 4) if rng.random() < 0.5 else duplicated(rng)


def json_text(rng: Random) -> str:
    """Return a small JSON object as text."""
    return json.dumps({"size": rng.randint(1, 99), "count": rng.randint(1, 99)})


def clock(rng: Random) -> str:
    """Return a time as HH:MM."""
    return f"{rng.randint(0, 23):02}:{rng.choice((0, 5, 10, 15, 30, 45, rng.randint(0, 59))):02}"


def email(rng: Random) -> str:
    """Return a mail address."""
    ending = rng.choice(("com", "org", "net", "de", "io"))
    return f"{rng.choice(NAMES).lower()}@{word(rng)}.{ending}"


def filename(rng: Random) -> str:
    """Return the name of a file, now and then with two dots."""
    middle = f".{rng.randint(1, 9)}" if rng.random() < 0.2 else ""
    ending = rng.choice(("txt", "py", "csv", "json", "md", "png", "zip"))
    return f"{word(rng)}{middle}.{ending}"


def prefixed(rng: Random) -> str:
    """Return one of few beginnings with an ending of its own."""
    return rng.choice(("river", "rivet", "rain", "car", "card", "care")) + word(rng)[:3]


def runs(rng: Random) -> str:
    """Return letters in runs."""
    return "".join(rng.choice("abcdxyz") * rng.randint(1, 3) for _ in range(rng.randint(2, 5)))


def people(rng: Random) -> list[dict[str, Value]]:
    """Return two or three records with a name and an age."""
    names = rng.sample(NAMES, rng.randint(2, 3))
    ages = rng.sample(range(5, 80), len(names))
    return [{"name": name, "age": age} for name, age in zip(names, ages, strict=True)]


def sentences(rng: Random) -> str:
    """Return one to three sentences, each with a full stop."""
    return " ".join(f"{text(rng).capitalize()}." for _ in range(rng.randint(1, 3)))


def number_lists(rng: Random) -> dict[str, list[int]]:
    """Return lists of numbers under two or three keys, all of different lengths."""
    lengths = rng.sample((1, 2, 3), rng.randint(2, 3))
    return {
        f"{word(rng)}{i}": [rng.randint(0, 20) for _ in range(n)] for i, n in enumerate(lengths)
    }


def word_lists(rng: Random) -> dict[str, list[str]]:
    """Return lists of different words under two keys."""
    drawn = rng.sample(PLAIN, 5)
    return {word(rng) + "s": drawn[:2], word(rng): drawn[2 : rng.randint(3, 5)]}


def any_list(rng: Random) -> list[int] | list[str]:
    """Return a list of numbers or of words."""
    return ints(rng, 3, 5) if rng.random() < 0.6 else [*words(rng), word(rng)]


KINDS: dict[str, Callable[[Random], Value]] = {
    "text": text,
    "word": word,
    "longword": lambda rng: word(rng) + word(rng)[:2],
    "shortword": lambda rng: word(rng)[:5],
    "mixed": mixed,
    "alnum": alnum,
    "padded": padded,
    "pal": palindrome,
    "joined": joined,
    "lines": lambda rng: "\n".join(words(rng)),
    "name": lambda rng: rng.choice(NAMES),
    "letterarg": lambda rng: rng.choice(LETTERS),
    "binary": lambda rng: format(rng.randint(1, 99), "b"),
    "digits": lambda rng: str(rng.randint(0, 999)),
    "csv": lambda rng: ",".join(str(value) for value in ints(rng)),
    "keyvalue": lambda rng: f"{word(rng)}={word(rng)}",
    "date": date,
    "json": json_text,
    "int": lambda rng: rng.choice((rng.randint(-20, 60), rng.randint(0, 12), rng.randint(0, 200))),
    "nat": lambda rng: rng.randint(0, rng.choice((20, 200))),
    "pos": lambda rng: rng.randint(1, 30),
    "small": lambda rng: rng.randint(1, 4),
    "tinyarg": lambda rng: rng.randint(1, 3),
    "zero": lambda rng: rng.randint(0, 1),
    "smallint": lambda rng: rng.randint(1, 9),
    "emptyints": lambda rng: [] if rng.random() < 0.25 else ints(rng),
    "emptytext": lambda rng: "" if rng.random() < 0.25 else text(rng),
    "mixedtext": lambda rng: " ".join(
        rng.choice((w, w, w.capitalize())) for w in text(rng).split()
    ),
    "mixedwords": lambda rng: [rng.choice((w, w, w.capitalize())) for w in words(rng)],
    "near": lambda rng: rng.randint(0, 32),
    "zeropos": lambda rng: 0 if rng.random() < 0.25 else rng.randint(1, 12),
    "floats": lambda rng: [rng.randint(0, 999) / 100 for _ in range(rng.randint(2, 4))],
    "smallpow": lambda rng: rng.randint(2, 4),
    "big": lambda rng: rng.randint(10, 99999),
    "pctarg": lambda rng: rng.choice((5, 10, 20, 25, 50, 75)),
    "lowarg": lambda rng: rng.randint(-5, 5),
    "higharg": lambda rng: rng.randint(6, 12),
    "year": lambda rng: rng.choice(
        (1900, 2000, 2024, 2023, 2100, 1996, 2010, rng.randint(1900, 2100))
    ),
    "float": lambda rng: rng.randint(0, 99999) / 1000,
    "bool": lambda rng: rng.random() < 0.5,
    "bools": lambda rng: [rng.random() < 0.6 for _ in range(rng.randint(2, 4))],
    "ints": ints,
    "longints": lambda rng: ints(rng, 5, 7),
    "oddints": lambda rng: ints(rng, 3, 3) + (ints(rng, 2, 2) if rng.random() < 0.5 else []),
    "dupints": duplicated,
    "distinct": lambda rng: rng.sample(range(-9, 60), rng.randint(4, 6)),
    "sortedish": sortedish,
    "sameish": sameish,
    "words": words,
    "dupwords": duplicated_words,
    "any": any_list,
    "longany": lambda rng: ints(rng, 5, 7),
    "counts": counts,
    "pairs": lambda rng: {word(rng): word(rng) for _ in range(2)},
    "matrix": matrix,
    "square": square,
    "time": clock,
    "dayminutes": lambda rng: rng.randint(0, 1439),
    "email": email,
    "filename": filename,
    "path": lambda rng: f"{rng.choice(('', '/'))}{word(rng)}/{word(rng)}/{filename(rng)}",
    "age": lambda rng: rng.choice((rng.randint(1, 99), rng.randint(10, 22))),
    "score": lambda rng: rng.randint(0, 100),
    "perfectish": lambda rng: rng.choice((6, 28, 6, 12, 28, rng.randint(2, 40))),
    "squareish": lambda rng: rng.choice((rng.randint(1, 15) ** 2, rng.randint(1, 200))),
    "sameword": lambda rng: "".join(rng.choice("aab") for _ in range(5)),
    "prefixed": prefixed,
    "runs": runs,
    "brackets": lambda rng: rng.choice(
        ("()", "(())", "()()", "(()())", "(()", ")(", "())", "((", "()(", "(()))")
    ),
    "poslist": lambda rng: [rng.randint(1, 12) for _ in range(3)],
    "people": people,
    "jsonlist": lambda rng: json.dumps(ints(rng)),
    "jsonwords": lambda rng: json.dumps(counts(rng)),
    "maybedigits": lambda rng: rng.choice((str(rng.randint(0, 999)), word(rng), "", "4a")),
    "fewness": lambda rng: rng.choice((1, 1, rng.randint(0, 12))),
    "weight": lambda rng: rng.randint(45, 110),
    "height": lambda rng: rng.randint(150, 200) / 100,
    "sentences": sentences,
    "digits8": lambda rng: "".join(rng.choice("0123456789") for _ in range(rng.randint(6, 10))),
    "duptext": lambda rng: " ".join([*duplicated_words(rng), *duplicated_words(rng)]),
    "lists": word_lists,
    "numlists": number_lists,
    "recasedword": lambda rng: rng.choice((str.upper, str.capitalize, str.upper))(word(rng)),
    "snake": lambda rng: "_".join(words(rng)),
    "twoints": lambda rng: [rng.randint(0, 40), rng.randint(0, 40)],
}


def member(rng: Random, first: Value) -> Value:
    """Return something that is in the first argument, now and then something that is not."""
    if isinstance(first, dict):
        return rng.choice(list(first)) if rng.random() < 0.7 else word(rng)[:6]
    assert isinstance(first, list)
    return rng.choice(first)


def shuffled(rng: Random, first: Value) -> Value:
    """Return the first argument in another order, half of the time with something changed."""
    assert isinstance(first, (list, str))
    items = rng.sample(list(first), len(first))
    if rng.random() < 0.5:
        items[0] = items[-1]
    return "".join(map(str, items)) if isinstance(first, str) else items


def recased(rng: Random, first: Value) -> Value:
    """Return the first text in another case, half of the time another text."""
    same = rng.random() < 0.5
    return rng.choice((str.upper, str.lower, str.title))(str(first) if same else mixed(rng))


def pair_sum(rng: Random, first: Value) -> Value:
    """Return the sum of two items of the first argument half of the time."""
    assert isinstance(first, list)
    return sum(rng.sample(first, 2)) if rng.random() < 0.5 else rng.randint(-20, 120)


def near_index(rng: Random, first: Value) -> Value:
    """Return an index that is inside the first argument three times in four."""
    assert isinstance(first, list)
    return rng.randrange(len(first)) if rng.random() < 0.75 else len(first) + rng.randint(0, 3)


def same_date(rng: Random, first: Value) -> Value:
    """Return a date that is in the year of the first half of the time."""
    return str(first)[:4] + date(rng)[4:] if rng.random() < 0.5 else date(rng)


RELATED: dict[str, Callable[[Random, Value], Value]] = {
    "member": member,
    "maybe": lambda rng, first: member(rng, first) if rng.random() < 0.5 else rng.randint(0, 9),
    "shuffled": shuffled,
    "recased": recased,
    "samedate": same_date,
    "pairsum": pair_sum,
    "nearindex": near_index,
}


def arguments(rng: Random, kinds: list[str]) -> list[Value]:
    """Draw one value per kind; a related kind looks at the first."""
    drawn: list[Value] = []
    for kind in kinds:
        drawn.append(RELATED[kind](rng, drawn[0]) if kind in RELATED else KINDS[kind](rng))
    return drawn
