"""The client for an owner's own programs: talk to personas, use memory and tools, train.

    from batos.client import Batos

    with Batos() as batos:
        for event in batos.chat("Good morning.", persona="BRICK"):
            print(event.delta, end="")

`Batos` blocks, on a blocking gRPC channel; `AsyncBatos` has the same methods for asyncio. What they
give are the messages of the contracts (docs/api) themselves: those have types and a reference
already, and a field that a newer service adds needs no newer client. Lists come as iterators that
turn the pages, long work as streams. All errors are `BatosError`s.
"""

from batos.client.batos_async import AsyncBatos
from batos.client.batos_sync import Batos
from batos.client.errors import (
    Aborted,
    AlreadyExists,
    BatosError,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ToolFailed,
    Unavailable,
    Violation,
)
from batos.client.settings import Settings
from batos.client.streams import AsyncStream, Stream

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncBatos",
    "AsyncStream",
    "Batos",
    "BatosError",
    "Cancelled",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "Settings",
    "Stream",
    "ToolFailed",
    "Unavailable",
    "Violation",
]
