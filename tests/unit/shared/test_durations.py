import pytest
from google.protobuf.duration_pb2 import Duration

from shared.durations import seconds_of
from shared.errors import InvalidArgument


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (Duration(), 0.0),
        (Duration(seconds=2, nanos=500_000_000), 2.5),
        (Duration(seconds=-2, nanos=-500_000_000), -2.5),
        (Duration(seconds=315_576_000_000), 315_576_000_000.0),
    ],
)
def test_spans_are_read(duration, seconds):
    assert seconds_of(duration, "ttl") == seconds


@pytest.mark.parametrize(
    "duration",
    [
        Duration(seconds=315_576_000_001),
        Duration(seconds=-(1 << 63)),
        Duration(nanos=1_000_000_000),
        Duration(seconds=1, nanos=-1),
    ],
)
def test_what_is_no_duration_is_refused_by_name(duration):
    with pytest.raises(InvalidArgument) as caught:
        seconds_of(duration, "ttl")
    assert caught.value.violations[0].field == "ttl"
