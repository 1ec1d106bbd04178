"""A failed gRPC call as one of our errors: google.rpc.Status with its details, or the bare code."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import grpc
from batos.client import errors
from batos.client.methods import Method
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

UNREACHABLE = "UNREACHABLE"

End = TypeVar("End")

_CLASSES: dict[int, type[errors.BatosError]] = {
    code_pb2.INVALID_ARGUMENT: errors.InvalidArgument,
    code_pb2.NOT_FOUND: errors.NotFound,
    code_pb2.ALREADY_EXISTS: errors.AlreadyExists,
    code_pb2.FAILED_PRECONDITION: errors.FailedPrecondition,
    code_pb2.PERMISSION_DENIED: errors.PermissionDenied,
    code_pb2.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    code_pb2.UNAVAILABLE: errors.Unavailable,
    code_pb2.ABORTED: errors.Aborted,
    code_pb2.CANCELLED: errors.Cancelled,
    code_pb2.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    code_pb2.DATA_LOSS: errors.DataLoss,
    code_pb2.INTERNAL: errors.Internal,
}


def refusal(error: grpc.RpcError, method: Method, address: str) -> errors.BatosError:
    """The error that a caller gets to see of a call to a method at an address."""
    status = _status(error)
    return _bare(error, method, address) if status is None else _in_words(status)


def is_lost(error: errors.BatosError) -> bool:
    """True where the connection broke or never was; who says UNAVAILABLE in words is believed."""
    return isinstance(error, errors.Unavailable) and error.reason == UNREACHABLE


def only(ends: Sequence[End], method: Method) -> End:
    """The end of a stream; Unavailable where it broke off before."""
    if not ends:
        raise errors.Unavailable(f"{method.name} broke off before its end", reason=UNREACHABLE)
    return ends[-1]


def _status(error: grpc.RpcError) -> status_pb2.Status | None:
    try:
        # AioRpcError is no grpc.Call but answers like one.
        return rpc_status.from_call(cast(grpc.Call, error))
    except ValueError:  # the call ended by its deadline while the refusal came in
        return None


def _in_words(status: status_pb2.Status) -> errors.BatosError:
    info = _unpacked(status, error_details_pb2.ErrorInfo())
    retry = _unpacked(status, error_details_pb2.RetryInfo())
    faults = _unpacked(status, error_details_pb2.BadRequest())
    return _CLASSES.get(status.code, errors.Internal)(
        status.message,
        reason=info.reason if info else "",
        metadata=info.metadata if info else None,
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
        violations=[
            errors.Violation(fault.field, fault.description)
            for fault in (faults.field_violations if faults else ())
        ],
    )


def _bare(error: Any, method: Method, address: str) -> errors.BatosError:
    code, details = error.code(), error.details() or error.code().name
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.Unavailable(
            f"{method.service.title} does not answer at {address} ({details}): start it "
            f"with `make up`, or set {method.service.value} to where it is",
            reason=UNREACHABLE,
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded(
            f"{method.service.title} did not finish {method.name} in time: ask again, or give it "
            "longer with within(seconds)"
        )
    return _CLASSES.get(code.value[0], errors.Internal)(details)


def _unpacked(status: status_pb2.Status, detail: Any) -> Any:
    return next((detail for packed in status.details if packed.Unpack(detail)), None)
