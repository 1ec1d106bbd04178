import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from shared.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Violation,
)
from shared.rpc_status import from_rpc_error, from_status, to_grpc_status, to_status

METADATA_BYTES = 8192


@pytest.mark.parametrize("letter", ["x", "é", "🦇", "\x00", "\ud800"])
def test_however_much_came_in_the_status_fits_into_the_metadata(letter):
    text = letter * 100_000
    error = InvalidArgument(
        text,
        [Violation(text, text)] * 100,
        reason="R",
        metadata={f"{n}{text}": text for n in range(50)},
    )
    status = to_grpc_status(error)
    packed = dict(status.trailing_metadata)["grpc-status-details-bin"]
    percent_encoded = sum(1 if 32 <= byte < 127 else 3 for byte in status.details.encode())
    assert len(packed) * 4 / 3 + percent_encoded < METADATA_BYTES


def test_what_is_short_comes_back_whole():
    error = ResourceExhausted("voll: zu spät", reason="FULL", metadata={"a": "b"}, retry_after=1.5)
    back = from_status(to_status(error))
    assert isinstance(back, ResourceExhausted)
    assert (back.message, back.reason, back.metadata, back.retry_after) == (
        "voll: zu spät",
        "FULL",
        {"a": "b"},
        1.5,
    )


def test_a_cut_text_ends_on_a_whole_character():
    back = from_status(to_status(FailedPrecondition("🦇" * 1000)))
    assert set(back.message) == {"🦇", "…"}


def test_a_deadline_stands_where_a_refusal_came_in_as_it_passed():
    refusal = to_grpc_status(NotFound("no such forge"))
    trailing = Metadata(*refusal.trailing_metadata)
    late = AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, Metadata(), trailing, "Deadline Exceeded")
    assert type(from_rpc_error(late)) is DeadlineExceeded
    heard = AioRpcError(grpc.StatusCode.NOT_FOUND, Metadata(), trailing, refusal.details)
    assert type(from_rpc_error(heard)) is NotFound
