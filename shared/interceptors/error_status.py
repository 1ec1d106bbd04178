"""Turns errors of the domain into rich statuses, and anything else into a bare INTERNAL."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import structlog

from shared.errors import BatosError, Internal
from shared.interceptors.around import Context, Layer
from shared.rpc_status import from_rpc_error, to_grpc_status

_log = structlog.get_logger()


class ErrorStatus(Layer):
    """Ends failed calls with google.rpc.Status; details of defects stay in our log."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Maps what the handler raises."""
        return _mapped(method, context)


@asynccontextmanager
async def _mapped(method: str, context: Context) -> AsyncIterator[None]:
    try:
        yield
    except BatosError as error:
        await context.abort_with_status(to_grpc_status(error))
    except grpc.aio.AbortError:
        raise
    except grpc.RpcError as error:
        # A peer's refusal that nobody handled on the way: its reason is the caller's reason.
        await context.abort_with_status(to_grpc_status(from_rpc_error(error)))
    except Exception as error:
        _log.exception("unhandled error", method=method)
        await context.abort_with_status(
            to_grpc_status(Internal(f"internal error ({type(error).__name__}); see the log"))
        )
