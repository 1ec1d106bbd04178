import struct

import pytest

from services.sandbox_executor.docker_stream import BrokenStream, ContainerStream


def outer(stream: int, content: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(content)) + content


def inner(stream: int, content: bytes) -> bytes:
    return struct.pack(">BI", stream, len(content)) + content


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_frames_come_whole_however_they_are_cut(step: int) -> None:
    said = inner(1, b"out") + inner(3, b"") + inner(2, b"\x00" * 20)
    # Docker cuts where it likes, not where the relay's frames end.
    data = outer(1, said[:7]) + outer(2, b"words") + outer(1, said[7:])
    stream, found = ContainerStream(), []
    for start in range(0, len(data), step):
        found += stream.feed(data[start : start + step])
    assert found == [(1, b"out"), (3, b""), (2, b"\x00" * 20)]
    assert stream.words == b"words"


def test_a_frame_that_claims_too_much_is_broken() -> None:
    with pytest.raises(BrokenStream):
        list(ContainerStream().feed(outer(1, struct.pack(">BI", 1, 1 << 31))))


def test_words_are_bounded() -> None:
    stream = ContainerStream()
    for _ in range(10):
        assert list(stream.feed(outer(2, b"x" * 1000))) == []
    assert len(stream.words) == 4096
