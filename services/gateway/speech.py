"""What a persona says in a turn, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona as clients may see it: who it is and what it speaks with."""

    name: str
    system_prompt: str
    model_tag: str
    model_digest: str
    generation: int
    options: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a turn, which is now durable. `about` is for clients that know BAT OS."""

    soma: str
    text: str
    prompt_tokens: int
    answer_tokens: int
    first_token_seconds: float
    wall_seconds: float
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is sent to the Supervisor: `soma` "" begins a new one."""

    request_id: str
    soma: str
    persona: str
    text: str


Turns = Sequence[tuple[str, str]]
