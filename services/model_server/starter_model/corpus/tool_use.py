"""Tool calls: natural requests that one of the listed tools answers, and what is then said."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from string import Template
from typing import Any

from services.model_server.starter_model.corpus import constants, fact, family, values
from services.model_server.starter_model.corpus.carrier import ask, capital, is_nominal
from services.model_server.starter_model.corpus.conversation import Message
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.naming import function_name, parameter_name
from services.model_server.starter_model.corpus.persona import PROMPTS, system, voiced
from services.model_server.starter_model.corpus.phrase import expand, group_of, is_sentence
from services.model_server.starter_model.corpus.spec import UnusableDrawError
from services.model_server.starter_model.corpus.wording import table
from services.model_server.starter_model.corpus.words import PLAIN

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
LANGUAGES = ["French", "German", "Spanish", "Dutch", "Polish", "Latin", "Danish", "Greek"]
KINDS: dict[str, Callable[[Random], Any]] = {
    "minutes": lambda rng: rng.randint(1, 90),
    "few": lambda rng: rng.randint(2, 20),
    "degrees": lambda rng: rng.randint(15, 26),
    "spot": lambda rng: rng.choice(fact.SPOTS),
    "state": lambda rng: rng.choice(("on", "off")),
    "language": lambda rng: rng.choice(LANGUAGES),
    "filename": values.filename,
    "plain": lambda rng: rng.choice(PLAIN),
}
LONGEST = 60  # characters of an argument that a request repeats


@dataclass(frozen=True)
class Tool:
    """A tool as a chat request offers it; `parameters` gives each one's JSON type."""

    name: str
    description: str
    parameters: dict[str, str]

    def schema(self) -> dict[str, Any]:
        """Return it as OpenAI's and Ollama's requests write it."""
        properties = {name: {"type": kind} for name, kind in self.parameters.items()}
        described = {"type": "object", "properties": properties, "required": list(properties)}
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": described,
        }
        return {"type": "function", "function": function}

    @property
    def line(self) -> str:
        """The line that the chat template writes for it."""
        listed = ", ".join(f"{name}: {kind}" for name, kind in self.parameters.items())
        return f"- {self.name}({listed}): {self.description}"


@dataclass(frozen=True)
class Use:
    """A request in words, the tool for it, the arguments of the call, and the tool's result."""

    request: str
    tool: Tool
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True)
class Drawn:
    """A chat with tools, its messages as they are trained on, and what it needs."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    use: Use


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """Return a call as the model writes it (Hermes' form, as Qwen's models use it)."""
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"


def listing(tools: Sequence[Tool]) -> str:
    """Return what the chat template adds to a system text for these tools."""
    return "\n\nTools:\n" + "\n".join(tool.line for tool in tools)


def draw(rng: Random, holdout: Holdout) -> Drawn:
    """Draw one request with its tools; the last message is the call.

    Raises UnusableDrawError where a drawn argument does not suit.
    """
    use = _use(rng, holdout)
    offered = {use.tool.name: use.tool}
    for _ in range(rng.randint(0, 3)):
        other = _use(rng, holdout).tool
        offered.setdefault(other.name, other)
    tools = tuple(rng.sample(list(offered.values()), len(offered)))
    head = system(rng.choice(list(PROMPTS)), []) if rng.random() < 0.6 else rng.choice(_heads())
    messages = (
        {"role": "system", "content": head + listing(tools)},
        {"role": "user", "content": use.request},
        {"role": "assistant", "content": call_text(use.tool.name, use.arguments)},
    )
    return Drawn(messages, tools, use)


def answered(rng: Random, holdout: Holdout) -> list[Message]:
    """Draw a chat in which the call was made; the last message says what came of it."""
    drawn = draw(rng, holdout)
    persona = next(
        (p for p, text in PROMPTS.items() if text in drawn.messages[0]["content"]), "BRICK"
    )
    return [
        *drawn.messages,
        {"role": "tool", "content": drawn.use.result},
        {"role": "assistant", "content": voiced(persona, f"The result is {drawn.use.result}.")},
    ]


def unneeded(rng: Random, chat: Sequence[Message]) -> list[Message]:
    """Offer tools in a chat that needs none; its answer stays."""
    tools = tuple({(tool := _use(rng, Holdout()).tool).name: tool for _ in range(2)}.values())
    first = {**chat[0], "content": chat[0]["content"] + listing(tools)}
    return [first, *chat[1:]]


@cache
def _heads() -> list[str]:
    return [*PROMPTS.values(), "You are a helpful assistant."]


def _use(rng: Random, holdout: Holdout) -> Use:
    return _everyday(rng, holdout) if rng.random() < 0.45 else _of_family(rng, holdout)


def _everyday(rng: Random, holdout: Holdout) -> Use:
    rows = table("tools")
    name = rng.choice(list(rows))
    row = rows[name]
    takes = [each.split(":") for each in row["takes"].split()]
    arguments = {slot: _value(rng, kind, holdout.value) for slot, _, kind in takes}
    if len(set(map(str, arguments.values()))) < len(arguments):
        raise UnusableDrawError("two arguments are equal")
    say = row["say"][-1] if holdout.phrase else rng.choice(row["say"][:-1])
    request = Template(say).substitute(arguments)
    tool = Tool(name, row["doc"], {slot: kind for slot, kind, _ in takes})
    return Use(request, tool, arguments, rng.choice(row["gives"]))


def _value(rng: Random, kind: str, held: bool) -> Any:
    if kind in KINDS:
        return KINDS[kind](rng)
    return fact.value(rng, kind.rstrip("2"), held)


def _of_family(rng: Random, holdout: Holdout) -> Use:
    """Ask a tool of the corpus for one result, with its arguments in the request."""
    chosen = rng.choice(family.families())
    drawn = {slot: constants.KINDS[k](rng, holdout.value) for slot, k in chosen.consts.items()}
    named: dict[str, str] = {}
    for slot, kind in chosen.args.items():
        group = group_of(family.resolve(kind, chosen.args))
        named[slot] = parameter_name(rng, group, holdout.name, set(named.values()))
    name = function_name(rng, chosen.key, holdout.name)
    run = family.run_examples(
        rng, chosen, name, tuple(named.values()), code=_code(chosen, named, drawn), count=2
    )[0]
    tool = Tool(
        name,
        Template(chosen.doc).substitute({slot: str(v) for slot, v in drawn.items()}),
        {p: _type(v) for p, v in zip(named.values(), run.arguments, strict=True)},
    )
    request = _request(rng, chosen, dict(zip(named, run.arguments, strict=True)), drawn, holdout)
    return Use(
        request,
        tool,
        dict(zip(named.values(), run.arguments, strict=True)),
        json.dumps(run.result, ensure_ascii=False),
    )


def _code(chosen: family.Family, named: dict[str, str], drawn: dict[str, Any]) -> str:
    return Template(chosen.code).substitute(named | {slot: repr(v) for slot, v in drawn.items()})


def _type(value: object) -> str:
    return TYPES.get(type(value), "object")


def _request(
    rng: Random,
    chosen: family.Family,
    given: dict[str, object],
    drawn: dict[str, Any],
    holdout: Holdout,
) -> str:
    said = {slot: _mention(rng, value) for slot, value in given.items()}
    said |= {slot: constants.mention(rng, value) for slot, value in drawn.items()}
    if max(map(len, said.values())) > LONGEST:
        raise UnusableDrawError("an argument is too long to be said")
    told = [p for p in chosen.phrases if all(f"${slot}" in p for slot in given)]
    template = chosen.say[-1] if holdout.phrase else rng.choice(told or chosen.say[:-1])
    if any(f"${slot}" not in template for slot in given):
        raise UnusableDrawError("the phrase does not name every argument")
    template = expand(rng, template)
    phrase = Template(template).substitute(said)
    return (
        capital(phrase)
        if is_sentence(template)
        else ask(rng, phrase, is_nominal(template), holdout.carrier)
    )


def _mention(rng: Random, value: object) -> str:
    """Write an argument as people would: texts in quotes, lists with commas, now and then JSON."""
    if isinstance(value, str):
        return f"'{value}'" if rng.random() < 0.6 else f'"{value}"'
    if isinstance(value, list) and all(isinstance(item, int | str) for item in value):
        words = [str(item) for item in value]
        if rng.random() < 0.5 and len(words) > 1 and not any(" " in word for word in words):
            return ", ".join(words[:-1]) + " and " + words[-1]
    return json.dumps(value, ensure_ascii=False)
