"""Server interceptors, outermost first: request id → access log → error status → deadline."""

from collections.abc import Sequence

import grpc

from shared.interceptors.access_log import AccessLogInterceptor
from shared.interceptors.deadline import DeadlineInterceptor
from shared.interceptors.error_status import ErrorStatusInterceptor
from shared.interceptors.request_id import RequestIdInterceptor


def server_interceptors() -> Sequence[grpc.aio.ServerInterceptor]:
    """The interceptors of every server, in the order in which a call meets them."""
    return (
        RequestIdInterceptor(),
        AccessLogInterceptor(),
        ErrorStatusInterceptor(),
        DeadlineInterceptor(),
    )
