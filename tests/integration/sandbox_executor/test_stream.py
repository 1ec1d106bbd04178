"""Output as it appears, and sessions."""

import asyncio
import time
from typing import Any

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from shared.channel import open_channel
from tests.integration.sandbox_executor.executor_process import ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import (
    SandboxCaller,
    SessionCaller,
    limits_of,
)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """The status with which a stream ends instead of saying anything."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    return raised.value


async def test_output_comes_while_the_run_goes_on(sandbox: SandboxCaller) -> None:
    source = (
        "import sys, time\nprint('first', flush=True); time.sleep(0.5)\n"
        "print('second', file=sys.stderr); time.sleep(0.5); print('third')"
    )
    request = pb.ExecuteStreamRequest(run=SandboxCaller.request(source))
    begun, seen = time.monotonic(), []
    async for event in sandbox.stub.ExecuteStream(request):
        seen.append((event, time.monotonic() - begun))
    *printed, (last, ended) = seen
    assert [(e.output.stdout, e.output.stderr) for e, _ in printed] == [
        (b"first\n", b""),
        (b"", b"second\n"),
        (b"third\n", b""),
    ]
    assert printed[0][1] < ended - 0.8
    assert last.done.outcome == pb.OUTCOME_OK
    assert (last.done.stdout, last.done.stderr) == (b"first\nthird\n", b"second\n")


async def test_silence_has_heartbeats(sandbox: SandboxCaller) -> None:
    events = await sandbox.stream("import time; time.sleep(5)")
    beats = [event.heartbeat for event in events if event.HasField("heartbeat")]
    assert len(beats) in (2, 3)  # the last may come while the sandbox ends
    assert 1.5 < beats[0].elapsed.ToTimedelta().total_seconds() < 4
    assert events[-1].done.outcome == pb.OUTCOME_OK


async def test_a_stream_ends_at_the_output_limit(sandbox: SandboxCaller) -> None:
    events = await sandbox.stream("while True: print('x' * 1000)", output_limit_bytes=5000)
    assert sum(len(event.output.stdout) for event in events) == 5000
    assert events[-1].done.outcome == pb.OUTCOME_OUTPUT_LIMIT


async def test_a_cancelled_stream_kills_its_sandbox(
    executor: ExecutorProcess, sandbox: SandboxCaller
) -> None:
    source = "import time\nwhile True: print('x', flush=True); time.sleep(0.05)"
    request = pb.ExecuteStreamRequest(run=SandboxCaller.request(source, wall=60))
    call = sandbox.stub.ExecuteStream(request)
    await call.read()
    call.cancel()
    await asyncio.to_thread(executor.settle)


@pytest.mark.parametrize("way", ["cancel", "deadline"])
async def test_a_run_that_nobody_waits_for_is_killed(
    executor: ExecutorProcess, sandbox: SandboxCaller, way: str
) -> None:
    request = SandboxCaller.request("import time; time.sleep(50)", wall=60)
    call = sandbox.stub.Execute(request, timeout=1.0)
    if way == "cancel":
        await asyncio.sleep(0.5)
        call.cancel()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call
    begun = time.monotonic()
    await asyncio.to_thread(executor.settle)
    assert time.monotonic() - begun < 20


async def test_a_session_keeps_state_and_files(sandbox: SandboxCaller) -> None:
    session = SessionCaller(sandbox.stub)
    opened = await session.open(
        files=[pb.File(path="seed", content=b"7")], environment={"MODE": "kept"}
    )
    assert opened.sandbox_id
    assert opened.replica_id
    assert opened.remaining.ToTimedelta().total_seconds() > 3000
    first = await session.cell("import os\nx = int(open('seed').read())")
    assert first.done.outcome == pb.OUTCOME_OK, first
    second = await session.cell("def f(): return x / 0\nx + 1")
    assert second.done.stdout == b"8\n"
    third = await session.cell("f()")
    assert third.done.outcome == pb.OUTCOME_FAILED
    assert 'File "cell2.py", line 1, in f' in third.done.exception.traceback
    assert third.done.exception.source_line == "def f(): return x / 0"
    fourth = await session.cell(
        "open('out', 'w').write(os.environ['MODE'])\ndef g(n): return n + x",
        calls=[pb.FunctionCall(function="g", arguments_json='{"n": 1}')],
        collect=["out"],
    )
    assert fourth.done.results[0].value_json == "8"
    assert [(f.path, f.content) for f in fourth.done.files] == [("out", b"kept")]
    assert {e.done.sandbox_id for e in (first, second, third, fourth)} == {opened.sandbox_id}
    assert await session.close() == grpc.StatusCode.OK


async def test_a_faulty_cell_does_not_end_the_session(sandbox: SandboxCaller) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open()
    await session.cell("x = 1")
    refused = await session.cell(" ")
    assert "source" in refused.refused.detail
    assert (await session.cell("x")).done.stdout == b"1\n"
    await session.close()


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("while True: pass", pb.OUTCOME_TIMED_OUT),
        ("import os; os._exit(0)", pb.OUTCOME_CRASHED),
        ("x = b'x' * (300 << 20)", pb.OUTCOME_MEMORY_LIMIT),
        ("while True: print('x' * 1000)", pb.OUTCOME_OUTPUT_LIMIT),
    ],
)
async def test_a_limit_ends_the_session(
    executor: ExecutorProcess, sandbox: SandboxCaller, source: str, outcome: int
) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open(limits=limits_of(wall=5.0))
    assert (await session.cell("x = 1")).done.outcome == pb.OUTCOME_OK
    assert (await session.cell(source)).done.outcome == outcome
    assert await session.call.read() is grpc.aio.EOF
    assert await session.call.code() == grpc.StatusCode.OK
    await asyncio.to_thread(executor.settle)


async def test_cpu_time_is_that_of_one_cell(sandbox: SandboxCaller) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open(limits=limits_of(wall=20.0, cpu=1.5))
    burn = "import time\nend = time.process_time() + 0.8\nwhile time.process_time() < end: pass"
    for _ in range(3):
        assert (await session.cell(burn)).done.outcome == pb.OUTCOME_OK
    await session.close()


async def test_an_idle_session_ends_and_says_why(
    executor: ExecutorProcess, sandbox: SandboxCaller
) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open(idle_ttl=Duration(seconds=1))
    refusal = await refused(session.call)
    assert refusal.code() == grpc.StatusCode.ABORTED
    assert "no cell came for 1 s" in (refusal.details() or "")
    await asyncio.to_thread(executor.settle)


async def test_threads_sleep_between_cells(sandbox: SandboxCaller) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open()
    await session.cell(
        "import threading, time\nn = 0\ndef count():\n    global n\n"
        "    while True: n += 1; time.sleep(0.001)\n"
        "threading.Thread(target=count, daemon=True).start()"
    )
    before = int((await session.cell("n")).done.stdout)
    await asyncio.sleep(1.5)
    assert int((await session.cell("n")).done.stdout) < before + 500
    await session.close()


async def test_a_session_that_is_dropped_leaves_nothing(
    executor: ExecutorProcess, sandbox: SandboxCaller
) -> None:
    session = SessionCaller(sandbox.stub)
    await session.open()
    await session.cell("x = 1")
    session.call.cancel()
    await asyncio.to_thread(executor.settle)


async def test_sessions_are_bounded_and_leave_places_for_runs(sandbox: SandboxCaller) -> None:
    sessions = [SessionCaller(sandbox.stub) for _ in range(2)]
    for each in sessions:
        await each.open()
    third = SessionCaller(sandbox.stub)
    await third.call.write(pb.SessionRequest(open=pb.SessionOpen()))
    assert (await refused(third.call)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await sandbox.execute("x = 1")).outcome == pb.OUTCOME_OK
    for each in sessions:
        await each.close()


@pytest.mark.parametrize(
    "first",
    [
        pb.SessionRequest(),
        pb.SessionRequest(cell=pb.SessionCell(source="x = 1")),
        pb.SessionRequest(open=pb.SessionOpen(profile="no-such")),
        pb.SessionRequest(open=pb.SessionOpen(limits=pb.Limits(process_limit=-1))),
        pb.SessionRequest(open=pb.SessionOpen(idle_ttl=Duration(seconds=-1))),
    ],
)
async def test_a_faulty_opening_is_refused(
    sandbox: SandboxCaller, first: pb.SessionRequest
) -> None:
    call = sandbox.stub.Session()
    await call.write(first)
    assert (await refused(call)).code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_one_cap_over_all_runs_together(runsc: object, directory) -> None:
    process = ExecutorProcess(directory, {"BATOS_SANDBOX_TOTAL_MEMORY_BYTES": str(200 << 20)})
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health)
        async with open_channel(process.address) as channel:
            caller = SandboxCaller(channel)
            source = "x = b'x' * (%d << 20)\nimport time; time.sleep(3)"
            small, large = await asyncio.gather(
                caller.execute(source % 60, wall=20), caller.execute(source % 130, wall=20)
            )
        assert small.outcome == pb.OUTCOME_OK, small
        assert large.outcome == pb.OUTCOME_MEMORY_LIMIT, large
        assert "together" in large.detail
    finally:
        process.stop()
