"""Knows who calls, by the caller's certificate, and lets in whom the table allows."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar

from shared.allowed_callers import is_allowed
from shared.errors import PermissionDenied
from shared.identity import URI_PREFIX
from shared.interceptors.around import Context, Layer

# The caller's name, such as "trainer"; empty where callers show no certificates.
current: ContextVar[str] = ContextVar("caller", default="")


class CallerIdentity(Layer):
    """Checks the caller where `required`; elsewhere, on loopback without TLS, all are let in."""

    def __init__(self, *, required: bool) -> None:
        self._required = required

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Lets the call in, or raises PermissionDenied (CALLER_NOT_ALLOWED)."""
        return _checked(method, context) if self._required else nullcontext()


@asynccontextmanager
async def _checked(method: str, context: Context) -> AsyncIterator[None]:
    caller = _name(context)
    current.set(caller)
    if not is_allowed(caller, method):
        raise PermissionDenied(
            f"{caller or 'a caller without a name'} may not call {method}",
            reason="CALLER_NOT_ALLOWED",
            metadata={"caller": caller, "method": method},
        )
    yield


def _name(context: Context) -> str:
    """The one name of ours in the certificate, which gRPC has verified; else empty."""
    found = context.auth_context().get("x509_subject_alternative_name", ())
    names = [bytes(value) for value in found if bytes(value).startswith(URI_PREFIX.encode())]
    return names[0][len(URI_PREFIX) :].decode("utf-8", "replace") if len(names) == 1 else ""
