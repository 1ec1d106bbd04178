"""The layers around every call, outermost first.

request id → trace → access log → error status → caller identity → overload → deadline
"""

import grpc

from shared.interceptors.access_log import AccessLog
from shared.interceptors.around import LayeredInterceptor
from shared.interceptors.caller_identity import CallerIdentity
from shared.interceptors.deadline import Deadline
from shared.interceptors.error_status import ErrorStatus
from shared.interceptors.overload import Overload
from shared.interceptors.request_id import RequestId
from shared.interceptors.trace import Trace


def server_interceptor(*, identified: bool, max_calls: int) -> grpc.aio.ServerInterceptor:
    """The layers in the order in which a call meets them.

    `identified` is true where callers show certificates; then the table of allowed callers holds.
    """
    return LayeredInterceptor(
        (
            RequestId(),
            Trace(),
            AccessLog(),
            ErrorStatus(),
            CallerIdentity(required=identified),
            Overload(max_calls),
            Deadline(),
        )
    )
