"""Somas from elsewhere: checked as strictly as if somebody had said it all here."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from batos.supervisor.v1 import supervisor_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.supervisor.persona import ModelPointer
from services.supervisor.soma import COLLECTION, TEXT_LIMIT_BYTES, Rating, Recollection, Soma, Turn
from shared import naming
from shared.durations import seconds_of
from shared.errors import InvalidArgument, Violation

MOST_TURNS = 10_000
_LIMITS = {
    "user_text": TEXT_LIMIT_BYTES,
    "assistant_text": 4 * TEXT_LIMIT_BYTES,
    "system_text": 4 * TEXT_LIMIT_BYTES,
    "correction": TEXT_LIMIT_BYTES,
}


def read_soma(message: pb.Soma) -> Soma:
    """The Soma in a message; InvalidArgument that names every faulty field.

    Tool calls and offers are not taken over: nobody here can say that they happened.
    """
    if violations := list(_faults(message)):
        raise InvalidArgument("the Soma cannot be taken", violations=violations)
    return Soma(
        id=naming.parse(message.name, COLLECTION, "soma.name"),
        persona=message.persona,
        created_at=_moment(message.created_at),
        turns=tuple(_turn(turn) for turn in message.turns),
        closed_at=_moment(message.closed_at) if message.HasField("closed_at") else None,
    )


def request_id_of(soma: Soma, number: int) -> str:
    """The id that an imported turn is kept under, the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"batos/{soma.name}/turns/{number}"))


def _faults(message: pb.Soma) -> Iterator[Violation]:
    if not message.turns or len(message.turns) > MOST_TURNS:
        yield Violation("soma.turns", f"must be 1 to {MOST_TURNS}")
    for field in ("created_at", "closed_at"):
        if not _is_time(getattr(message, field)):
            yield Violation(f"soma.{field}", "is no time")
    for number, turn in enumerate(message.turns, start=1):
        yield from _turn_faults(turn, number)


def _turn_faults(turn: pb.Turn, number: int) -> Iterator[Violation]:
    where = f"soma.turns[{number - 1}]"
    if turn.number != number:
        yield Violation(f"{where}.number", f"must be {number}: turns come in order, from 1")
    if not turn.user_text:
        yield Violation(f"{where}.user_text", "must not be empty")
    for field, limit in _LIMITS.items():
        if len(getattr(turn, field).encode()) > limit:
            yield Violation(f"{where}.{field}", f"must be at most {limit} bytes")
    if not _is_time(turn.created_at):
        yield Violation(f"{where}.created_at", "is no time")
    if not Rating.NONE <= turn.rating <= Rating.BAD:
        yield Violation(f"{where}.rating", "is unknown")


def _turn(message: pb.Turn) -> Turn:
    return Turn(
        number=message.number,
        user_text=message.user_text,
        assistant_text=message.assistant_text,
        system_text=message.system_text,
        recollections=tuple(_recollection(each) for each in message.recollections),
        model=ModelPointer(
            message.model.tag, message.model.digest, max(0, message.model.generation)
        ),
        created_at=_moment(message.created_at),
        first_token_seconds=max(0.0, seconds_of(message.first_token, "soma.turns.first_token")),
        wall_seconds=max(0.0, seconds_of(message.wall, "soma.turns.wall")),
        recall_unavailable=message.recall_unavailable,
        rating=Rating(message.rating),
        correction=message.correction,
    )


def _recollection(message: pb.Recollection) -> Recollection:
    at = message.created_at if _is_time(message.created_at) else Timestamp()
    return Recollection(
        record_id=message.record_id,
        speaker=message.speaker,
        text=message.text,
        soma=message.soma,
        created_at=_moment(at),
        score=message.score,
    )


def _is_time(timestamp: Timestamp) -> bool:
    try:
        timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
