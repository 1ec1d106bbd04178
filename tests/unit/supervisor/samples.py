"""Small things of the domain, as tests need them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from services.supervisor.answering import Question
from services.supervisor.memory import Found
from services.supervisor.persona import ModelPointer
from services.supervisor.soma import Recollection, Soma, Turn

START = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)


def recollection(text: str, speaker: str = "user", score: float = 1.0, **more: object):
    fields = {"record_id": "r1", "soma": "somas/old", "created_at": START, **more}
    return Recollection(speaker=speaker, text=text, score=score, **fields)


def found(
    text: str,
    speaker: str = "user",
    score: float = 1.0,
    turn: int = 1,
    correction: bool = False,
    soma: str = "somas/old",
) -> Found:
    return Found(recollection(text, speaker, score, soma=soma), turn, correction)


def turn(user_text: str = "Hello.", assistant_text: str = "Hi.", **more: object) -> Turn:
    fields = {
        "number": 1,
        "system_text": "You are ROBIN.",
        "recollections": (recollection("The boat is green."),),
        "model": ModelPointer("starter", "abc", 3),
        "created_at": START,
        "first_token_seconds": 0.25,
        "wall_seconds": 1.5,
        "recall_unavailable": False,
        **more,
    }
    return Turn(user_text=user_text, assistant_text=assistant_text, **fields)


def soma(soma_id: str = "s1", persona: str = "ROBIN") -> Soma:
    return Soma(soma_id, persona, START + timedelta(seconds=1))


def question(text: str = "Hello.", **more: object) -> Question:
    fields = {
        "request_id": str(uuid.uuid4()),
        "payload_sha256": b"p",
        "soma_id": "",
        "persona": "ROBIN",
        **more,
    }
    return Question(text=text, **fields)
