"""The domain's errors. They know no gRPC; `shared.rpc_status` maps them to the wire.

BatosError
├── InvalidArgument       the request can never be right; may name fields
├── NotFound              a named thing is not there
├── AlreadyExists         a named thing is there, and differs
├── FailedPrecondition    right request, wrong state; retrying alone does not help
├── PermissionDenied      this caller may not
├── ResourceExhausted     too much at once; try again after `retry_after`
├── Unavailable           something needed is away; try again after `retry_after`
├── Aborted               lost a race; try the whole step again
├── Cancelled             the caller gave up
├── DeadlineExceeded      the caller's time is over
├── DataLoss              stored bytes are damaged
└── Internal              a defect of ours
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Violation:
    """One faulty field of a request: its path, such as `episodes[3].text`, and what is wrong."""

    field: str
    description: str


class BatosError(Exception):
    """Base of every error that may reach a caller.

    `reason` is a stable SCREAMING_SNAKE word for programs, the message a sentence for people,
    `metadata` short strings for either, `retry_after` seconds where waiting helps.
    """

    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidArgument(BatosError):
    """The request can never be right; `violations` name the faulty fields."""

    default_reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str,
        violations: Sequence[Violation] = (),
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)

    @classmethod
    def of_field(cls, field: str, description: str) -> "InvalidArgument":
        """An error about a single field."""
        return cls(f"{field}: {description}", [Violation(field, description)])


class NotFound(BatosError):
    """A named thing is not there."""

    default_reason = "NOT_FOUND"


class AlreadyExists(BatosError):
    """A named thing is there already, and differs."""

    default_reason = "ALREADY_EXISTS"


class FailedPrecondition(BatosError):
    """The request is right, the state is not."""

    default_reason = "FAILED_PRECONDITION"


class PermissionDenied(BatosError):
    """This caller may not do this."""

    default_reason = "PERMISSION_DENIED"


class ResourceExhausted(BatosError):
    """Too much at once; nothing was begun."""

    default_reason = "RESOURCE_EXHAUSTED"


class Unavailable(BatosError):
    """Something that is needed is away."""

    default_reason = "UNAVAILABLE"


class Aborted(BatosError):
    """A race was lost; the whole step may be tried again."""

    default_reason = "ABORTED"


class Cancelled(BatosError):
    """The caller gave up."""

    default_reason = "CANCELLED"


class DeadlineExceeded(BatosError):
    """The caller's time is over."""

    default_reason = "DEADLINE_EXCEEDED"


class DataLoss(BatosError):
    """Stored bytes are damaged."""

    default_reason = "DATA_LOSS"


class Internal(BatosError):
    """A defect of ours."""

    default_reason = "INTERNAL"
