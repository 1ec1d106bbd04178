"""google.protobuf.Duration as seconds."""

from google.protobuf.duration_pb2 import Duration

from shared.errors import InvalidArgument

# The bounds that duration.proto itself names: about ten thousand years.
_MOST_SECONDS = 315_576_000_000
_NANOS = 1_000_000_000


def seconds_of(duration: Duration, field: str) -> float:
    """The seconds of a span; InvalidArgument, naming the field, where it is no valid Duration."""
    whole, nanos = duration.seconds, duration.nanos
    if abs(whole) > _MOST_SECONDS or abs(nanos) >= _NANOS or whole * nanos < 0:
        raise InvalidArgument.of_field(field, "is no valid duration")
    return whole + nanos / _NANOS
