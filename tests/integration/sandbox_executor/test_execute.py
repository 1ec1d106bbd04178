"""Runs as a caller sees them, over a real socket in real gVisor."""

import asyncio
import json

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.errors import InvalidArgument
from shared.rpc_status import from_rpc_error
from tests.integration.sandbox_executor.executor_process import RUNTIME, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values


async def test_calls_share_one_execution_of_the_source(sandbox: SandboxCaller) -> None:
    source = "seen = []\ndef add(item):\n    seen.append(item)\n    return seen"
    response = await sandbox.execute(source, ("add", {"item": "a"}), ("add", {"item": [1, None]}))
    assert response.outcome == pb.OUTCOME_OK
    assert values(response) == [["a"], ["a", [1, None]]]
    assert response.sandbox_id
    assert response.peak_memory_bytes > 1 << 20


async def test_each_run_has_a_sandbox_of_its_own(sandbox: SandboxCaller) -> None:
    source = "import os\nopen('/tmp/mark', 'x').close()\ndef f(): return os.listdir('/tmp')"
    first = await sandbox.execute(source, ("f", {}))
    second = await sandbox.execute(source, ("f", {}))
    assert values(first) == values(second) == [["mark"]]
    assert first.sandbox_id != second.sandbox_id


async def test_values_keep_their_json_types(sandbox: SandboxCaller) -> None:
    source = "def f(x): return x"
    given = [True, 1, 1.0, "1", None, [], {}, {"é": "\u2028"}, 10**30, -0.0]
    response = await sandbox.execute(source, *(("f", {"x": value}) for value in given))
    assert [json.dumps(value) for value in values(response)] == [json.dumps(v) for v in given]


async def test_one_failing_call_leaves_the_others_valid(sandbox: SandboxCaller) -> None:
    source = (
        "def half(n):\n    if n % 2:\n        raise ValueError(f'{n} is odd')\n    return n // 2"
    )
    response = await sandbox.execute(source, ("half", {"n": 4}), ("half", {"n": 3}), ("no", {}))
    assert response.outcome == pb.OUTCOME_FAILED
    assert values(response) == [2, None, None]
    raised = response.results[1].exception
    assert (raised.type, raised.message, raised.line) == ("ValueError", "3 is odd", 3)
    assert raised.source_line == "raise ValueError(f'{n} is odd')"
    assert "line 3, in half" in raised.traceback
    assert "runner" not in raised.traceback
    assert response.results[2].exception.type == "NameError"
    assert "ValueError: 3 is odd" in response.detail


async def test_a_timeout_leaves_earlier_results_valid(sandbox: SandboxCaller) -> None:
    source = "import time\ndef nap(s): time.sleep(s); return s"
    calls = [("nap", {"s": seconds}) for seconds in (0, 0.01, 60, 0)]
    response = await sandbox.execute(source, *calls, wall=3)
    assert response.outcome == pb.OUTCOME_TIMED_OUT
    assert values(response) == [0, 0.01, None, None]
    assert "call 3 of 4" in response.detail


async def test_a_source_that_raises_is_told_by_line(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("x = 1\ny = x / 0\n", ("f", {}))
    assert response.outcome == pb.OUTCOME_FAILED
    assert (response.exception.type, response.exception.line) == ("ZeroDivisionError", 2)
    assert response.exception.source_line == "y = x / 0"
    assert values(response) == [None]


async def test_a_syntax_error_is_told_by_line(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("x = 1\ndef f(:\n")
    assert response.outcome == pb.OUTCOME_FAILED
    assert (response.exception.type, response.exception.line) == ("SyntaxError", 2)


async def test_a_script_has_stdin_argv_and_output(sandbox: SandboxCaller) -> None:
    source = (
        "import sys\nprint(sys.argv[1:], input(), __name__)\n"
        "print('careful', file=sys.stderr)\nsys.exit(0)"
    )
    response = await sandbox.execute(source, stdin="zwölf\n".encode(), arguments=("a", "b c"))
    assert response.outcome == pb.OUTCOME_OK, response
    assert response.stdout.decode() == "['a', 'b c'] zwölf __main__\n"
    assert response.stderr == b"careful\n"


async def test_a_script_that_exits_with_a_status_has_failed(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("import sys; sys.exit('no input')")
    assert response.outcome == pb.OUTCOME_FAILED
    assert (response.exception.type, response.exception.message) == ("SystemExit", "no input")


async def test_a_script_waits_for_its_threads(sandbox: SandboxCaller) -> None:
    source = (
        "import threading, time\n"
        "def late():\n    time.sleep(0.3); print('late')\n"
        "threading.Thread(target=late).start()"
    )
    response = await sandbox.execute(source)
    assert (response.outcome, response.stdout) == (pb.OUTCOME_OK, b"late\n")


async def test_printed_output_of_calls_is_kept(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("def f():\n    print('hello')\n    return 1", ("f", {}))
    assert (values(response), response.stdout) == ([1], b"hello\n")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(): return {1: 2}", "keys must be str"),
        ("def f(): return {1, 2}", "not JSON serializable"),
        ("def f(): return float('nan')", "not JSON compliant"),
        ("async def f(): return 1", "not JSON serializable"),
    ],
)
async def test_what_json_cannot_say_is_an_exception(
    sandbox: SandboxCaller, source: str, message: str
) -> None:
    response = await sandbox.execute(source, ("f", {}))
    assert response.outcome == pb.OUTCOME_FAILED
    assert message in response.results[0].exception.message


async def test_the_standard_library_is_there(sandbox: SandboxCaller) -> None:
    modules = "re math json sqlite3 ssl ctypes decimal hashlib bz2 lzma zlib csv statistics uuid"
    source = f"import importlib\nfor name in {modules.split()}: importlib.import_module(name)"
    response = await sandbox.execute(source)
    assert response.outcome == pb.OUTCOME_OK, response


async def test_site_packages_are_not(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("import grpc")
    assert response.exception.type == "ModuleNotFoundError"


async def test_large_requests_and_values_pass(sandbox: SandboxCaller) -> None:
    text = "x" * 900_000
    response = await sandbox.execute("def f(t): return t + 'y'", ("f", {"t": text}))
    assert values(response) == [text + "y"]


async def test_faulty_requests_name_every_fault(sandbox: SandboxCaller) -> None:
    request = SandboxCaller.request(" ", wall=1000, process_limit=-1)
    request.calls.add(function="a.b", arguments_json="[")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await sandbox.stub.Execute(request)
    error = from_rpc_error(raised.value)
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "source",
        "calls[0].function",
        "calls[0].arguments_json",
        "limits.wall",
        "limits.process_limit",
    }


async def test_cancelling_ends_the_sandbox_at_once(
    sandbox: SandboxCaller, executor: ExecutorProcess
) -> None:
    call = sandbox.stub.Execute(SandboxCaller.request("while True: pass", wall=60))
    while not (await sandbox.stub.GetCapacity(pb.GetCapacityRequest())).busy_count:
        await asyncio.sleep(0.02)
    call.cancel()
    await asyncio.to_thread(executor.settle)
    assert not (await sandbox.stub.GetCapacity(pb.GetCapacityRequest())).busy_count


async def test_a_deadline_ends_the_sandbox(
    sandbox: SandboxCaller, executor: ExecutorProcess
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await sandbox.execute("while True: pass", wall=60, timeout=1.0)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.to_thread(executor.settle)


async def test_capacity_says_what_runs(sandbox: SandboxCaller, executor: ExecutorProcess) -> None:
    await asyncio.to_thread(executor.settle)
    capacity = await sandbox.stub.GetCapacity(pb.GetCapacityRequest())
    assert capacity.runtime == RUNTIME
    if RUNTIME == "docker":
        assert capacity.runtime_version.startswith("Docker ")
        assert capacity.isolation == "gvisor (docker, runtime runsc)"
    else:
        assert capacity.runtime_version.split("~")[-1] >= "20240729"
        assert capacity.isolation.startswith("gvisor (systrap), rootless")
    assert capacity.profiles[0] == "python"
    assert capacity.unavailable_reason == ""
    assert capacity.replica_id


async def test_a_ready_sandbox_answers_sooner_than_a_boot(
    sandbox: SandboxCaller, executor: ExecutorProcess
) -> None:
    await asyncio.to_thread(executor.settle)
    response = await sandbox.execute("def f(): return 1", ("f", {}))
    assert response.warm
    assert response.wall.ToMilliseconds() < 1000
