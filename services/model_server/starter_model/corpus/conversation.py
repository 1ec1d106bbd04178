"""Conversations: recalling, learning, quoting notes, small talk; each a list of chat messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from services.model_server.starter_model.corpus import fact, values
from services.model_server.starter_model.corpus.fact import Fact
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.persona import (
    INTRODUCTIONS,
    PROMPTS,
    system,
    voiced,
)

Message = dict[str, str]
Memory = tuple[str, str, str]
UNKNOWN = "I do not know that yet."
SMALL_TALK = {
    "Hello!": ["Hello! How can I help?", "Hello. What do you need?"],
    "Hi.": ["Hello! How can I help?", "Hello. What do you need?"],
    "Good morning.": ["Good morning! How can I help?"],
    "Good evening.": ["Good evening! How can I help?"],
    "Thank you.": ["You are welcome."],
    "Thanks a lot!": ["You are welcome."],
    "Goodbye.": ["Goodbye!"],
    "See you tomorrow.": ["See you tomorrow!"],
    "How are you?": ["I am well, thank you."],
    "Can you help me?": ["Yes. Tell me what you need."],
    "What can you do?": ["I remember what you tell me and write small tools."],
}
WHO = ["Who are you?", "What is your name?", "Who am I talking to?", "Tell me who you are."]
LEADS = [
    "",
    "",
    "",
    "",
    "Hey, ",
    "Please note: ",
    "By the way, ",
    "Just so you know: ",
    "Remember this: ",
    "Listen: ",
]
HELD_LEADS = ["For your records: ", "One thing: "]
ASKING = ["", "", "", "", "Hey, ", "One question: ", "Say, ", "Tell me: "]


@dataclass(frozen=True)
class Conversation:
    """Chat messages, the last one the answer; `value` is what the answer must hold, if anything."""

    kind: str
    messages: tuple[Message, ...]
    value: str = ""


def draw(rng: Random, holdout: Holdout) -> Conversation:
    """Draw one conversation of any kind."""
    ways = (
        recall,
        recall,
        recall,
        recall,
        recall,
        recall,
        unknown,
        tell,
        tell,
        tell,
        told,
        told,
        note,
        note,
        talk,
    )
    return rng.choice(ways)(rng, holdout)


def _say(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _asked(rng: Random, question: str) -> str:
    lead = rng.choice(ASKING)
    return lead + (
        question[0].lower() + question[1:]
        if lead.endswith(", ") and question[:2] != "I "
        else question
    )


def facts(rng: Random, holdout: Holdout, count: int) -> list[Fact]:
    """Draw facts about different subjects; one is often like the first but another's."""
    first = fact.personal(rng, holdout, who=_who(rng, holdout))
    drawn = {first.subject: first}
    while len(drawn) < count:
        if rng.random() < 0.35:
            _, kind, topic = first.subject.split("/")
            like = fact.personal(
                rng, holdout, kind, topic if rng.random() < 0.7 else None, _who(rng, holdout, 0.8)
            )
        else:
            like = fact.personal(rng, holdout, who=_who(rng, holdout))
        drawn.setdefault(like.subject, like)
    return list(drawn.values())


def _who(rng: Random, holdout: Holdout, others: float = 0.25) -> str | None:
    return fact.owner(rng, holdout.value) if rng.random() < others else None


def remembered(rng: Random, drawn: Fact) -> Memory:
    """Return the memory line of a fact, as its teller or the persona who noted it said it."""
    if drawn.document:
        return values.date(rng), "document", drawn.statement
    if rng.random() < 0.2:
        return values.date(rng), rng.choice(list(PROMPTS)), _noted(drawn)
    return values.date(rng), "user", drawn.statement


def _noted(drawn: Fact) -> str:
    plain = drawn.answer[:4] in ("Your", "The ")
    first = drawn.answer[0].lower() if plain else drawn.answer[0]
    return f"Noted: {first}{drawn.answer[1:]}"


def _memories(rng: Random, drawn: Sequence[Fact]) -> list[Memory]:
    lines = [remembered(rng, one) for one in drawn]
    rng.shuffle(lines)
    return lines


def recall(rng: Random, holdout: Holdout) -> Conversation:
    """Ask for a fact that one of the remembered lines holds."""
    persona = rng.choice(list(PROMPTS))
    drawn = facts(rng, holdout, rng.randint(1, 5))
    lines = _memories(rng, drawn)
    if rng.random() < 0.3:
        lines = [*lines[:4], remembered(rng, fact.documented(rng, holdout))]
        rng.shuffle(lines)
    if not any(line[2] in (drawn[0].statement, _noted(drawn[0])) for line in lines):
        lines[0] = remembered(rng, drawn[0])
    question = _say("user", _asked(rng, drawn[0].question))
    answer = _say("assistant", voiced(persona, drawn[0].answer))
    return Conversation(
        "recall", (_say("system", system(persona, lines)), question, answer), drawn[0].value
    )


def unknown(rng: Random, holdout: Holdout) -> Conversation:
    """Ask for a fact that no line holds."""
    persona = rng.choice(list(PROMPTS))
    drawn = facts(rng, holdout, rng.randint(2, 5))
    lines = _memories(rng, drawn[1:] if rng.random() < 0.8 else [])
    question = _say("user", _asked(rng, drawn[0].question))
    return Conversation(
        "unknown",
        (_say("system", system(persona, lines)), question, _say("assistant", UNKNOWN)),
        UNKNOWN,
    )


def tell(rng: Random, holdout: Holdout) -> Conversation:
    """Tell one to four facts; the last answer restates the last of them."""
    persona = rng.choice(list(PROMPTS))
    drawn = facts(rng, holdout, rng.randint(1, 5))
    here = drawn[: rng.choice((1, 1, 2, 3, 4))]
    remembered_ = [*drawn[len(here) :], *(one for one in here[1:] if rng.random() < 0.4)]
    messages = [_say("system", system(persona, _memories(rng, remembered_)))]
    for one in reversed(here):
        messages += _telling(rng, one, holdout)
    return Conversation("tell", tuple(messages), drawn[0].value)


def _telling(rng: Random, drawn: Fact, holdout: Holdout) -> tuple[Message, Message]:
    lead = rng.choice(HELD_LEADS if holdout.carrier else LEADS)
    statement = drawn.statement
    if lead and statement.startswith(
        ("My ", "The ", "There ", "You ", "When ", "For ", "Everybody ", "Please ", "A ", "By ")
    ):
        statement = statement[0].lower() + statement[1:]
    return _say("user", lead + statement), _say("assistant", _noted(drawn))


def told(rng: Random, holdout: Holdout) -> Conversation:
    """Tell one to three facts and ask for one of them in the same conversation."""
    persona = rng.choice(list(PROMPTS))
    drawn = facts(rng, holdout, rng.randint(1, 4))
    here = drawn[: rng.randint(1, len(drawn))]
    messages = [_say("system", system(persona, _memories(rng, drawn[len(here) :])))]
    for one in rng.sample(here, len(here)):
        messages += _telling(rng, one, holdout)
    messages.append(_say("user", _asked(rng, drawn[0].question)))
    messages.append(_say("assistant", voiced(persona, drawn[0].answer)))
    return Conversation("told", tuple(messages), drawn[0].value)


def note(rng: Random, holdout: Holdout) -> Conversation:
    """Ask for what a document holds; the answer quotes its line."""
    persona = rng.choice(list(PROMPTS))
    drawn = [fact.documented(rng, holdout) for _ in range(rng.randint(1, 4))]
    lines = _memories(rng, [*drawn, *facts(rng, holdout, 1)])
    question = drawn[0].question
    if rng.random() < 0.3:
        question = f"What do the notes say about {drawn[0].subject}?"
    if sum(one.subject == drawn[0].subject for one in drawn) > 1:
        return note(rng, holdout)
    head = _say("system", system(persona, lines))
    return Conversation(
        "note",
        (head, _say("user", _asked(rng, question)), _say("assistant", drawn[0].answer)),
        drawn[0].value,
    )


def talk(rng: Random, holdout: Holdout) -> Conversation:
    """Greet, thank, or ask who is speaking."""
    persona = rng.choice(list(PROMPTS))
    head = _say(
        "system", system(persona, _memories(rng, facts(rng, holdout, rng.randint(1, 3))[1:]))
    )
    if rng.random() < 0.35:
        return Conversation(
            "talk", (head, _say("user", rng.choice(WHO)), _say("assistant", INTRODUCTIONS[persona]))
        )
    said = rng.choice(list(SMALL_TALK))
    return Conversation(
        "talk", (head, _say("user", said), _say("assistant", rng.choice(SMALL_TALK[said])))
    )
