"""What a failed call to another service means here."""

from __future__ import annotations

import grpc

from shared.errors import BatosError, Unavailable
from shared.rpc_status import from_rpc_error


def peer_error(peer: str, address: str, error: grpc.RpcError) -> BatosError:
    """The error as the peer meant it; where it could not be reached, a sentence that says so."""
    known = from_rpc_error(error)
    if isinstance(known, Unavailable) and known.reason == Unavailable.default_reason:
        return Unavailable(
            f"{peer} at {address} cannot be reached: {known.message}",
            reason=f"{peer.upper()}_UNAVAILABLE",
            retry_after=known.retry_after,
        )
    return known
