"""Carrier sentences: the many ways in which a person asks for a thing."""

from random import Random

NOMINAL = ("the ", "whether ", "how ", "every ", "all ", "what ", "which ", "a ", "each ", "where ", "at which ",
           "$", "twice ", "half ", "three times ", "two times ", "one ", "everything ", "1 for", "-1,", "true ", "false ",
           "only ", "just ", "not ", "as many", "in ", "for ")  # fmt: skip

IMPERATIVE = ["{I}.", "{I}.", "{I}.", "{I}", "Please {i}.", "{I}, please.", "I need a function that {t}.", "A function that {t}.",
              "Write a function that {t}.", "I want to {i}.", "We need to {i}.", "Can you {i}?", "Could you {i}?",
              "Write a tool that {t}.", "It should {i}.", "The function {t}.", "This {t}.", "{T}.", "Help me {i}.",
              "Make a tool to {i}.", "My task: {i}.", "The job is to {i}.", "A helper to {i}.", "I would like to {i}.",
              "You are to {i}.", "Let it {i}.", "Something that {t}.", "Code to {i}."]  # fmt: skip
NOUN = ["Return {n}.", "Return {n}.", "Return {n}", "{N}.", "{N}", "Give me {n}.", "Please return {n}.", "I need {n}.",
        "Compute {n}.", "Find {n}.", "Work out {n}.", "A function that returns {n}.", "Write a function that returns {n}.",
        "I want {n}.", "We need {n}.", "Get {n}.", "Can you return {n}?", "It should return {n}.", "Returns {n}.",
        "Determine {n}.", "Calculate {n}.", "Give back {n}.", "The result is {n}.", "Tell me {n}.", "A tool that gives {n}.",
        "Let it return {n}.", "What I want is {n}.", "Something that returns {n}."]  # fmt: skip
WHETHER = ["Return whether {n}.", "Tell whether {n}.", "Check whether {n}.", "Return True if {n}, else False.", "Whether {n}.",
           "Say whether {n}.", "Test if {n}.", "Is it true that {n}?", "A function that tells whether {n}.", "True if {n}.",
           "Find out whether {n}.", "I need to know whether {n}.", "See if {n}.", "Return True when {n}."]  # fmt: skip
HELD_IMPERATIVE = ["Kindly {i}.", "We are looking for code that {t}.", "What is needed: {i}.", "For the given input, {i}.",
                   "Our tool must {i}.", "Build me a function which {t}.", "Do this: {i}."]  # fmt: skip
HELD_NOUN = ["Output {n}.", "Kindly return {n}.", "We are looking for {n}.", "Build me a function which returns {n}.",
             "The answer must be {n}.", "Produce {n}.", "Hand back {n}."]  # fmt: skip
HELD_WHETHER = [
    "Decide whether {n}.",
    "Produce True exactly when {n}.",
    "Kindly check whether {n}.",
    "Report whether {n}.",
]
TAILS = ["Keep it short.", "Thanks.", "Thank you.", "Use plain Python.", "Nothing else.", "It must be fast.", "Keep it simple.",
         "No printing."]  # fmt: skip
LEADS = ["Hi,", "Hello,", "For my shop:", "For a report:", "Next task:", "One more:", "Quick one:", "For our app:", "Ok,",
         "For a game:"]  # fmt: skip


def is_nominal(template: str) -> bool:
    """Tell whether a phrase names a thing, and does not command an action."""
    return template.lstrip("<").startswith(NOMINAL) or (
        template.startswith("<")
        and any(part.startswith(NOMINAL) for part in template[1:].split("|")[:1])
    )


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
    """Set a phrase into a carrier sentence."""
    if phrase.startswith("whether "):
        carrier = rng.choice(HELD_WHETHER if held else WHETHER)
        rest = phrase.removeprefix("whether ")
        sentence = carrier.replace("{n}", rest)
    elif nominal:
        carrier = rng.choice(HELD_NOUN if held else NOUN)
        sentence = carrier.replace("{n}", phrase).replace("{N}", capital(phrase))
    else:
        carrier = rng.choice(HELD_IMPERATIVE if held else IMPERATIVE)
        turned = third_person(phrase)
        sentence = carrier.replace("{i}", phrase).replace("{I}", capital(phrase))
        sentence = sentence.replace("{t}", turned).replace("{T}", capital(turned))
    return _dress(rng, sentence)


def _dress(rng: Random, sentence: str) -> str:
    draw = rng.random()
    if draw < 0.06 and sentence[-1] in ".?":
        return f"{sentence} {rng.choice(TAILS)}"
    if draw < 0.12:
        return f"{rng.choice(LEADS)} {sentence[:1].lower()}{sentence[1:]}"
    return sentence
