"""What can go wrong, one class for each gRPC status that services send.

BatosError
├── InvalidArgument       the request can never be right; `violations` name the fields
├── NotFound              a named thing is not there
├── AlreadyExists         a named thing is there, and differs
├── FailedPrecondition    right request, wrong state; retrying alone does not help
├── PermissionDenied      this caller may not
├── ResourceExhausted     too much at once; try again after `retry_after`
├── Unavailable           a service is away; UNREACHABLE where it did not answer at all
├── Aborted               lost a race; try the whole step again
├── Cancelled             the call was given up
├── DeadlineExceeded      the call's time is over; what it asked for may have been done
├── DataLoss              stored bytes are damaged
├── Internal              a defect of ours
└── ToolFailed            a tool ran, and raised or was stopped
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from batos.toolforge.v1 import toolforge_pb2


@dataclass(frozen=True)
class Violation:
    """One faulty field of a request: its path, such as `spec.examples[3]`, and what is wrong."""

    field: str
    description: str


class BatosError(Exception):
    """Base of all errors. The text is for people.

    `reason` is a stable word for programs, `metadata` short strings for either, `retry_after`
    seconds where waiting helps, `violations` the faulty fields where there are any.
    """

    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.violations = tuple(violations)


class InvalidArgument(BatosError):
    """The request can never be right."""

    default_reason = "INVALID_ARGUMENT"


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
    """A service, or something that it needs, is away."""

    default_reason = "UNAVAILABLE"


class Aborted(BatosError):
    """A race was lost; the whole step may be tried again."""

    default_reason = "ABORTED"


class Cancelled(BatosError):
    """The call was given up."""

    default_reason = "CANCELLED"


class DeadlineExceeded(BatosError):
    """The call's time is over; what it asked for may have been done."""

    default_reason = "DEADLINE_EXCEEDED"


class DataLoss(BatosError):
    """Stored bytes are damaged."""

    default_reason = "DATA_LOSS"


class Internal(BatosError):
    """A defect of ours."""

    default_reason = "INTERNAL"


class ToolFailed(BatosError):
    """A tool ran, and raised or was stopped; `response` has the details."""

    default_reason = "TOOL_FAILED"

    def __init__(self, response: toolforge_pb2.InvokeToolResponse) -> None:
        super().__init__(response.error)
        self.response = response
