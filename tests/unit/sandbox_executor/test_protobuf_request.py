import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.sandbox_executor.job import Call, Limits
from services.sandbox_executor.protobuf_limits import Bounds
from services.sandbox_executor.protobuf_request import read_job
from shared.errors import InvalidArgument

MEBIBYTE = 1 << 20
BOUNDS = Bounds(
    default=Limits(10, 10, 256 * MEBIBYTE, 32, 1000, 64, MEBIBYTE),
    most=Limits(60, 60, 1024 * MEBIBYTE, 64, 2000, 128, 2 * MEBIBYTE),
)


def test_absent_limits_are_the_defaults() -> None:
    assert read_job(pb.ExecuteRequest(source="x"), BOUNDS).limits == BOUNDS.default


def test_limits_are_taken_as_asked() -> None:
    asked = pb.Limits(
        wall=Duration(seconds=40),
        memory_limit_bytes=64 * MEBIBYTE,
        process_limit=4,
        output_limit_bytes=10,
        open_file_limit=16,
        file_size_limit_bytes=4096,
    )
    limits = read_job(pb.ExecuteRequest(source="x", limits=asked), BOUNDS).limits
    assert limits == Limits(40, 40, 64 * MEBIBYTE, 4, 10, 16, 4096)


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (pb.Limits(wall=Duration(seconds=61)), "limits.wall"),
        (pb.Limits(wall=Duration(seconds=-1)), "limits.wall"),
        (pb.Limits(cpu=Duration(seconds=61)), "limits.cpu"),
        (pb.Limits(memory_limit_bytes=1 << 40), "limits.memory_limit_bytes"),
        (pb.Limits(memory_limit_bytes=1), "limits.memory_limit_bytes"),
        (pb.Limits(process_limit=65), "limits.process_limit"),
        (pb.Limits(output_limit_bytes=-5), "limits.output_limit_bytes"),
        (pb.Limits(open_file_limit=2), "limits.open_file_limit"),
        (pb.Limits(file_size_limit_bytes=1 << 40), "limits.file_size_limit_bytes"),
    ],
)
def test_limits_out_of_bounds_are_refused(limits: pb.Limits, field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        read_job(pb.ExecuteRequest(source="x", limits=limits), BOUNDS)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_calls_carry_parsed_arguments() -> None:
    request = pb.ExecuteRequest(source="x")
    request.calls.add(function="f", arguments_json='{"a": [1.5, null]}')
    request.calls.add(function="g")
    assert read_job(request, BOUNDS).calls == [Call("f", {"a": [1.5, None]}), Call("g", {})]


@pytest.mark.parametrize("arguments", ["[]", "{", "1", '"x"', "[" * 100_000, '{"a": NaN}'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    request = pb.ExecuteRequest(source="x")
    request.calls.add(function="f", arguments_json=arguments)
    with pytest.raises(InvalidArgument, match="arguments_json"):
        read_job(request, BOUNDS)


@pytest.mark.parametrize("name", ["", "a.b", "f()", "1f", "__import__('os')"])
def test_only_names_can_be_called(name: str) -> None:
    request = pb.ExecuteRequest(source="x")
    request.calls.add(function=name)
    with pytest.raises(InvalidArgument, match="function"):
        read_job(request, BOUNDS)


def test_sizes_are_bounded() -> None:
    request = pb.ExecuteRequest(source="é" * MEBIBYTE, arguments=["x"] * 65)
    for _ in range(257):
        request.calls.add(function="f")
    with pytest.raises(InvalidArgument) as raised:
        read_job(request, BOUNDS)
    assert {v.field for v in raised.value.violations} == {"source", "calls", "arguments"}
