"""Starting, overload, crashes and missing runtimes of real executor processes."""

import asyncio
import os
import signal
from pathlib import Path

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.channel import open_channel
from shared.errors import BatosError, ResourceExhausted, Unavailable
from shared.rpc_status import from_rpc_error
from tests.integration.sandbox_executor.executor_process import DOCKER, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller

SLEEP = "import time; time.sleep(30)"


async def _refusal(address: str, source: str = "x = 1") -> BatosError:
    async with open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await SandboxCaller(channel).execute(source, timeout=20)
    return from_rpc_error(raised.value)


async def _busy(address: str) -> None:
    """Waits until a run is under way."""
    async with open_channel(address) as channel:
        stub = SandboxCaller(channel).stub
        while not (await stub.GetCapacity(pb.GetCapacityRequest())).busy_count:
            await asyncio.sleep(0.02)


def test_sigterm_leaves_nothing_behind(runsc: Path, directory: Path) -> None:
    process = ExecutorProcess(directory)
    process.start()
    process.wait_for_health()
    process.settle()
    assert process.stop() == 0
    assert process.sandbox_dirs() == set()
    assert process.sandbox_processes() == {}


async def test_the_next_executor_removes_what_a_killed_one_left(
    runsc: Path, directory: Path
) -> None:
    first = ExecutorProcess(directory)
    first.start()
    await asyncio.to_thread(first.wait_for_health)
    async with open_channel(first.address) as channel:
        call = SandboxCaller(channel).stub.Execute(SandboxCaller.request(SLEEP, wall=60))
        await _busy(first.address)
        # By now the guest has its request, and would not see us hang up; the idle ones sleep.
        await asyncio.sleep(6)
        first.stop(signal.SIGKILL)
        call.cancel()
    left = first.sandbox_dirs()
    assert left
    assert DOCKER or first.sandbox_processes()
    second = ExecutorProcess(directory)
    second.start()
    try:
        await asyncio.to_thread(second.wait_for_health)
        await asyncio.to_thread(second.settle)
        assert not second.sandbox_dirs() & left
    finally:
        second.stop()


async def test_two_executors_leave_each_other_alone(runsc: Path, directory: Path) -> None:
    settings = {"BATOS_SANDBOX_POOL_SIZE": "1"}
    first, second = ExecutorProcess(directory, settings), ExecutorProcess(directory, settings)
    first.start()
    await asyncio.to_thread(first.wait_for_health)
    second.start()
    try:
        await asyncio.to_thread(second.wait_for_health)
        for process in (first, second):
            async with open_channel(process.address) as channel:
                response = await SandboxCaller(channel).execute("x = 1")
            assert response.outcome == pb.OUTCOME_OK
    finally:
        first.stop()
        second.stop()


async def test_a_full_queue_refuses_before_anything_runs(runsc: Path, directory: Path) -> None:
    process = ExecutorProcess(
        directory, {"BATOS_SANDBOX_MAX_RUNNING": "1", "BATOS_SANDBOX_MAX_QUEUED": "1"}
    )
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health)
        async with open_channel(process.address) as channel:
            caller = SandboxCaller(channel)
            running = caller.stub.Execute(caller.request(SLEEP, wall=20))
            queued = caller.stub.Execute(caller.request(SLEEP, wall=20))
            while (await caller.stub.GetCapacity(pb.GetCapacityRequest())).queued_count < 1:
                await asyncio.sleep(0.02)
            error = await _refusal(process.address)
            running.cancel()
            queued.cancel()
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "SANDBOX_QUEUE_FULL"
        assert error.retry_after
    finally:
        process.stop()


async def test_a_burst_beyond_the_pool_is_served_in_turn(runsc: Path, directory: Path) -> None:
    process = ExecutorProcess(directory, {"BATOS_SANDBOX_MAX_RUNNING": "2"})
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health)
        async with open_channel(process.address) as channel:
            caller = SandboxCaller(channel)
            responses = await asyncio.gather(*(caller.execute("x = 1", wall=30) for _ in range(6)))
        assert {response.outcome for response in responses} == {pb.OUTCOME_OK}
        assert len({response.sandbox_id for response in responses}) == 6
        await asyncio.to_thread(process.settle)
    finally:
        process.stop()


async def test_without_gvisor_it_says_what_to_install(directory: Path) -> None:
    process = ExecutorProcess(
        directory, {"BATOS_CACHE_DIR": str(directory / "cache"), "PATH": "/nowhere"}
    )
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health, serving=False)
        error = await _refusal(process.address)
        assert isinstance(error, Unavailable)
        assert error.reason == "SANDBOX_RUNTIME_MISSING"
        assert "python -m deploy.install_gvisor" in error.message
        async with open_channel(process.address) as channel:
            capacity = await SandboxCaller(channel).stub.GetCapacity(pb.GetCapacityRequest())
        assert "python -m deploy.install_gvisor" in capacity.unavailable_reason
        assert process.sandbox_dirs() == set()
    finally:
        process.stop()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo runsc version release-20220905.0", "SANDBOX_RUNTIME_TOO_OLD"),
        ("exit 1", "SANDBOX_RUNTIME_BROKEN"),
        (
            '[ "$1" = --version ] && echo runsc version 20990101 && exit\n'
            "echo fork/exec: operation not permitted >&2; exit 128",
            "SANDBOX_BOOT_FAILED",
        ),
    ],
)
async def test_an_unusable_gvisor_is_never_used(directory: Path, script: str, reason: str) -> None:
    fake = directory / "runsc"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    process = ExecutorProcess(directory, {"BATOS_SANDBOX_RUNSC_PATH": str(fake)})
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health, serving=False)
        error = await _refusal(process.address)
        assert isinstance(error, Unavailable)
        assert error.reason == reason
    finally:
        process.stop()
    assert process.sandbox_dirs() == set()


async def test_it_recovers_once_gvisor_is_there(runsc: Path, directory: Path) -> None:
    path = directory / "runsc"
    process = ExecutorProcess(directory, {"BATOS_SANDBOX_RUNSC_PATH": str(path)})
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health, serving=False)
        path.symlink_to(runsc)
        await asyncio.to_thread(process.wait_for_health)
    finally:
        process.stop()


async def test_a_sandbox_that_died_while_waiting_is_replaced(runsc: Path, directory: Path) -> None:
    process = ExecutorProcess(directory)
    process.start()
    try:
        await asyncio.to_thread(process.wait_for_health)
        await asyncio.to_thread(process.settle)
        for pid, command in process.sandbox_processes().items():
            if "runsc-sandbox" in command:
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(
            1
        )  # a kill takes its time; one that died in the claim itself is CRASHED
        async with open_channel(process.address) as channel:
            response = await SandboxCaller(channel).execute("x = 1", wall=30)
        assert response.outcome == pb.OUTCOME_OK, response
        await asyncio.to_thread(process.settle)
    finally:
        process.stop()
