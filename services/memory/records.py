"""What memory keeps: records, their limits, and what makes two of them the same."""

import enum
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidArgument, Violation

TEXT_LIMIT_BYTES = 32 * 1024
NAME_LIMIT_BYTES = 1024
LABEL_LIMIT = 32
LABEL_LIMIT_BYTES = 1024
BATCH_LIMIT = 1000

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class Level(enum.IntEnum):
    """Where in the hierarchy a record stands; 2 is reserved."""

    SUMMARY = 1
    EPISODE = 3


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as the caller wants it; `created_at` None means the moment of storing."""

    namespace: str
    level: Level
    soma: str
    speaker: str
    text: str
    created_at: datetime | None = None
    importance: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One kept row.

    `ordinal` counts the episodes of its Soma in the order of arrival, from 0; a summary has the
    ordinal of the episode that comes next.
    """

    id: str
    namespace: str
    level: Level
    parent_id: str
    soma: str
    ordinal: int
    speaker: str
    text: str
    created_at: datetime
    content_hash: str
    importance: float
    metadata: Mapping[str, str]


def microseconds_of(moment: datetime) -> int:
    """Since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """The inverse of `microseconds_of`; OverflowError where no year has it."""
    return _EPOCH + microseconds * _MICROSECOND


def content_hash(draft: Draft, created_at: datetime) -> str:
    """SHA-256 (hex) over namespace, soma, speaker, time (UTC, microseconds) and text.

    Every part is preceded by its length, so that no two different records read alike.
    """
    moment = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    digest = hashlib.sha256()
    for part in (draft.namespace, draft.soma, draft.speaker, moment, draft.text):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def record_id(request_id: str, position: int, draft: Draft) -> str:
    """The id of a draft: the same request names the same row, so a retry cannot double it.

    The content takes part, so that a reused request id cannot name another text's row.
    """
    moment = draft.created_at or datetime.fromtimestamp(0, UTC)
    return uuid.uuid5(
        uuid.UUID(request_id), f"{position}:{draft.level}:{content_hash(draft, moment)}"
    ).hex


def check_batch(drafts: Sequence[Draft]) -> None:
    """Raises InvalidArgument naming every fault of a batch of episodes."""
    if not 0 < len(drafts) <= BATCH_LIMIT:
        raise InvalidArgument.of_field(
            "episodes", f"must hold 1 to {BATCH_LIMIT} entries, not {len(drafts)}"
        )
    _refuse(
        Violation(f"episodes[{position}].{name}", fault)
        for position, draft in enumerate(drafts)
        for name, fault in _faults(draft)
    )


def check_changed(draft: Draft) -> None:
    """Raises InvalidArgument naming every fault of a changed record."""
    _refuse(Violation(name, fault) for name, fault in _faults(draft))


def check_summary(draft: Draft) -> None:
    """Raises InvalidArgument naming every fault of a summary."""
    faults = [] if draft.soma else [("soma", "must not be empty")]
    _refuse(Violation(name, fault) for name, fault in [*faults, *_faults(draft)])


def _refuse(violations: Iterable[Violation]) -> None:
    faults = list(violations)
    if faults:
        raise InvalidArgument(f"{faults[0].field}: {faults[0].description}", faults)


def check_namespace(namespace: str) -> str:
    """The namespace itself; InvalidArgument where it is empty or too long."""
    if not namespace or len(namespace.encode()) > NAME_LIMIT_BYTES:
        raise InvalidArgument.of_field("namespace", f"must be 1 to {NAME_LIMIT_BYTES} bytes long")
    return namespace


def _faults(draft: Draft) -> list[tuple[str, str]]:
    faults = []
    if not draft.text.strip():
        faults.append(("text", "must not be empty"))
    if len(draft.text.encode()) > TEXT_LIMIT_BYTES:
        faults.append(("text", f"must be at most {TEXT_LIMIT_BYTES} bytes long"))
    for name, value in (("soma", draft.soma), ("speaker", draft.speaker)):
        if len(value.encode()) > NAME_LIMIT_BYTES:
            faults.append((name, f"must be at most {NAME_LIMIT_BYTES} bytes long"))
    if not 0.0 <= draft.importance <= 1.0:  # also refuses NaN
        faults.append(("importance", "must be from 0 to 1"))
    if len(draft.metadata) > LABEL_LIMIT:
        faults.append(("metadata", f"must have at most {LABEL_LIMIT} labels"))
    if any(len((k + v).encode()) > LABEL_LIMIT_BYTES for k, v in draft.metadata.items()):
        faults.append(("metadata", f"each label must be at most {LABEL_LIMIT_BYTES} bytes long"))
    return faults
