"""`kill -9` of the Sandbox-executor inside a run: it keeps nothing, and leaves nothing behind."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.channel import open_channel
from tests.integration.sandbox_executor.executor_process import ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SLOW = "import time\ndef slowly():\n    time.sleep(2)\n    return 'done'\n"


@pytest.fixture
async def executor() -> AsyncIterator[ExecutorProcess]:
    directory = tempfile.mkdtemp(prefix="bat")  # short, since sockets live in it
    process = ExecutorProcess(Path(directory))
    process.start()
    await asyncio.to_thread(process.wait_for_health)
    yield process
    process.stop()
    shutil.rmtree(directory)


def request(*, idempotent: bool) -> pb.ExecuteRequest:
    asked = SandboxCaller.request(SLOW, ("slowly", {}), wall=20)
    asked.idempotent = idempotent
    return asked


async def killed_in_a_run(executor: ExecutorProcess, call: "asyncio.Future") -> set[int]:
    """The sandbox processes of the run that was going on; the executor is started again."""
    await asyncio.sleep(0.7)
    assert not call.done()
    orphans = set(executor.sandbox_processes())
    assert orphans
    executor.stop(9)
    executor.start()
    return orphans


async def test_a_run_is_lost_and_its_sandbox_with_it(executor):
    async with open_channel(executor.address) as channel:
        stub = SandboxCaller(channel).stub
        call = asyncio.ensure_future(stub.Execute(request(idempotent=False)))
        orphans = await killed_in_a_run(executor, call)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.to_thread(executor.wait_for_health)
        await asyncio.to_thread(executor.settle)
        assert not orphans & set(executor.sandbox_processes())
        # The channel may still be pausing between two tries to connect.
        again = await stub.Execute(request(idempotent=False), wait_for_ready=True)
        assert values(again) == ["done"]


async def test_a_run_that_may_be_repeated_gets_its_answer(executor):
    async with open_channel(executor.address) as channel:
        stub = SandboxCaller(channel).stub
        call = asyncio.ensure_future(stub.Execute(request(idempotent=True)))
        orphans = await killed_in_a_run(executor, call)
        answer = await call
        assert (answer.outcome, values(answer)) == (pb.OUTCOME_OK, ["done"])
        assert not orphans & set(executor.sandbox_processes())


async def test_cancelling_a_run_that_may_be_repeated_ends_it(executor):
    async with open_channel(executor.address) as channel:
        call = asyncio.ensure_future(SandboxCaller(channel).stub.Execute(request(idempotent=True)))
        await asyncio.sleep(0.5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.to_thread(executor.settle)


async def test_a_refusal_in_words_is_not_repeated(executor):
    async with open_channel(executor.address) as channel:
        asked = request(idempotent=True)
        asked.source = ""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(SandboxCaller(channel).stub.Execute(asked), 1)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_all_attempts_share_one_deadline():
    async with open_channel("127.0.0.1:9") as channel, asyncio.timeout(3):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await SandboxCaller(channel).stub.Execute(request(idempotent=True), timeout=1)
    assert caught.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
