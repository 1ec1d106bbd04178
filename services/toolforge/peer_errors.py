"""What a failed call to a peer means: it said so itself, or it could not be reached."""

import grpc

from shared.errors import BatosError, Unavailable
from shared.rpc_status import from_rpc_error, received_status


def read_failure(error: grpc.RpcError, peer: str, reason: str) -> BatosError:
    """The peer's own error; Unavailable with `reason`, naming the peer, where it is away.

    An Unavailable of the peer's own keeps its sentence, which says what to do, and gets `reason`
    where it has none of its own.
    """
    known = from_rpc_error(error)
    if not isinstance(known, Unavailable):
        return known
    said_so_itself = received_status(error) is not None
    own_reason = known.reason if known.reason != Unavailable.default_reason else reason
    return Unavailable(
        known.message if said_so_itself else f"{peer} cannot be reached: {known.message}",
        reason=own_reason,
        retry_after=known.retry_after,
    )
