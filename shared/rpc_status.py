"""Errors of the domain ⇄ google.rpc.Status (AIP-193: ErrorInfo, BadRequest, RetryInfo)."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, cast

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared import errors

DOMAIN = "batos"

# The status travels twice in the trailing metadata, percent-encoded and in base64, and gRPC begins
# to drop metadata at 8 KiB. So all texts have bounds, in bytes: what a caller sent comes back cut.
_MESSAGE_BYTES = 1000
_REASON_BYTES = 64
_TEXT_BYTES = 150
_ALL_VIOLATIONS_BYTES = 1200
_ALL_METADATA_BYTES = 900
_NO_RETRY = ("grpc-retry-pushback-ms", "-1")

_CODES: dict[type[errors.BatosError], int] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    errors.ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.Aborted: code_pb2.ABORTED,
    errors.Cancelled: code_pb2.CANCELLED,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    errors.DataLoss: code_pb2.DATA_LOSS,
    errors.Internal: code_pb2.INTERNAL,
}
_CLASSES = {code: cls for cls, code in _CODES.items()}


def to_status(error: errors.BatosError) -> status_pb2.Status:
    """The error as google.rpc.Status with its details packed."""
    status = status_pb2.Status(code=_code(error), message=_cut(error.message, _MESSAGE_BYTES))
    reason = _cut(error.reason, _REASON_BYTES)
    metadata = dict(_fitting(error.metadata.items(), _ALL_METADATA_BYTES))
    _pack(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    if isinstance(error, errors.InvalidArgument) and error.violations:
        _pack(status, _bad_request(error))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=error.retry_after))
        _pack(status, retry)
    return status


def to_grpc_status(error: errors.BatosError) -> Any:
    """The error in the shape that `context.abort_with_status` takes (a grpc.Status).

    A service that says UNAVAILABLE has decided so, often after waiting: gRPC's own retries are
    then told to stop (gRFC A6), and the caller goes by RetryInfo. Lost connections carry no such
    word and are retried.
    """
    status: Any = rpc_status.to_status(to_status(error))
    if isinstance(error, errors.Unavailable):
        return status._replace(trailing_metadata=(*status.trailing_metadata, _NO_RETRY))
    return status


def from_rpc_error(error: grpc.RpcError) -> errors.BatosError:
    """A received error as an error of the domain, details included.

    A peer that cannot be reached is `Unavailable`; a code outside the table is `Internal`.
    """
    status = received_status(error)
    return _plain(error) if status is None else from_status(status)


def received_status(error: grpc.RpcError) -> status_pb2.Status | None:
    """What the peer said of the error; None where it said nothing, or the call did not end by it.

    Where the caller's time is over as the peer's refusal comes in, gRPC keeps DEADLINE_EXCEEDED
    beside the refusal's metadata: the call has then ended by the deadline.
    """
    try:
        # AioRpcError is no grpc.Call but answers like one.
        return rpc_status.from_call(cast(grpc.Call, error))
    except ValueError:
        return None


def from_status(status: status_pb2.Status) -> errors.BatosError:
    """A google.rpc.Status as an error of the domain."""
    info, bad_request, retry = (
        _unpack(status, kind)
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.RetryInfo,
        )
    )
    cls = _CLASSES.get(status.code, errors.Internal)
    reason = info.reason if info else None
    metadata = dict(info.metadata) if info else None
    if cls is errors.InvalidArgument:
        return errors.InvalidArgument(
            status.message, _violations(bad_request), reason=reason, metadata=metadata
        )
    delay = retry.retry_delay.ToTimedelta().total_seconds() if retry else None
    return cls(status.message, reason=reason, metadata=metadata, retry_after=delay)


def _code(error: errors.BatosError) -> int:
    return next((_CODES[cls] for cls in type(error).__mro__ if cls in _CODES), code_pb2.INTERNAL)


def _fitting(pairs: Iterable[tuple[str, str]], most: int) -> Iterator[tuple[str, str]]:
    """The first pairs, each text cut, as many as have room in so many bytes."""
    left = most
    for pair in pairs:
        first, second = (_cut(text, _TEXT_BYTES) for text in pair)
        left -= len(first.encode()) + len(second.encode()) + 8
        if left < 0:
            return
        yield first, second


def _cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, whole characters; lone surrogates are replaced."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most:
        return encoded.decode()
    return encoded[: most - 3].decode("utf-8", "ignore") + "…"


def _plain(error: grpc.RpcError) -> errors.BatosError:
    code = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    details = (error.details() if hasattr(error, "details") else "") or code.name
    return _CLASSES.get(code.value[0], errors.Internal)(details)


def _pack(status: status_pb2.Status, detail: Any) -> None:
    status.details.add().Pack(detail)


def _unpack(status: status_pb2.Status, kind: Any) -> Any:
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def _bad_request(error: errors.InvalidArgument) -> error_details_pb2.BadRequest:
    fault = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[
            fault(field=field, description=description)
            for field, description in _fitting(
                ((v.field, v.description) for v in error.violations), _ALL_VIOLATIONS_BYTES
            )
        ]
    )


def _violations(bad_request: Any) -> list[errors.Violation]:
    if bad_request is None:
        return []
    return [errors.Violation(v.field, v.description) for v in bad_request.field_violations]
