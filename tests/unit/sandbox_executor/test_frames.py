import json
import struct

import pytest

from services.sandbox_executor.frames import (
    FRAME_LIMIT_BYTES,
    REPORT_LIMIT_BYTES,
    BrokenFrame,
    FrameReader,
    encode_request,
)
from services.sandbox_executor.job import Call, Job, Limits


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def test_frames_are_found_however_the_bytes_arrive() -> None:
    data = framed(b'{"kind": "a"}') + framed(b'{"kind": "\xc3\xa9"}')
    reader = FrameReader()
    found = [frame for byte in data for frame in reader.feed(bytes([byte]))]
    assert found == [{"kind": "a"}, {"kind": "é"}]
    assert list(FrameReader().feed(data)) == found


def test_half_a_frame_gives_nothing() -> None:
    reader = FrameReader()
    assert list(reader.feed(framed(b"{}")[:-1])) == []
    assert list(reader.feed(b"}")) == [{}]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", FRAME_LIMIT_BYTES + 1),
        struct.pack(">I", 0xFFFFFFFF),
        framed(b""),
        framed(b"{"),
        framed(b"[]"),
        framed(b"\xff\xfe"),
        framed(b'{"value": NaN}'),
        framed(b'{"value": -Infinity}'),
        framed(b'{"value": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        framed(b'{"value": ' + b"1" * 5000 + b"}"),
    ],
)
def test_whatever_is_no_frame_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        list(FrameReader().feed(data))


def test_a_huge_length_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(BrokenFrame, match="bytes long"):
        list(FrameReader().feed(struct.pack(">I", 1 << 31)))


def test_all_frames_together_are_bounded() -> None:
    reader = FrameReader()
    frame = framed(b'{"x": "' + b"y" * 900_000 + b'"}')
    for _ in range(REPORT_LIMIT_BYTES // len(frame)):
        assert len(list(reader.feed(frame))) == 1
    with pytest.raises(BrokenFrame, match="of results"):
        list(reader.feed(frame))


def test_a_request_carries_its_limits_one_beyond_what_is_allowed() -> None:
    limits = Limits(
        1, 1, memory_bytes=1 << 28, processes=8, output_bytes=1, open_files=16, file_bytes=4096
    )
    data = encode_request(Job("x", [Call("f", {"a": 1})], b"\x00\xff", ["-v"], limits))
    (size,) = struct.unpack_from(">I", data)
    request = json.loads(data[4:])
    assert size == len(data) - 4
    assert request["calls"] == [{"function": "f", "arguments": {"a": 1}}]
    assert request["limits"]["RLIMIT_NPROC"] == 9
    assert request["limits"]["RLIMIT_AS"] > 1 << 28
