"""Plays the steps of a journey, on services of its own or on those that run already."""

import asyncio
import os
import platform
import shutil
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from demo.claim import Evidence, StepFailed
from demo.journey import Journey
from demo.stage import Services, Stage, open_stage
from demo.steps import STEPS
from demo.story import Story
from deploy.local import ALL_SERVICES, LocalStack
from shared.rpc_status import from_rpc_error


async def play(journey: Journey, story: Story, *, connect: bool, steps: Sequence[str]) -> None:
    """Plays the steps that are not yet completed. StepFailed where one cannot prove its claims."""
    this = asyncio.current_task()
    if this is not None:  # SIGTERM ends the demo as Ctrl-C does: the services are stopped first
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    _open(journey, story)
    async with (
        connected() if connect else started(journey, story) as services,
        open_stage(services, journey, story) as stage,
    ):
        for name in steps:
            if name not in journey.completed:
                await _run_step(stage, name)
    journey.finished = set(STEPS) <= set(journey.completed)
    journey.save()


@asynccontextmanager
async def connected() -> AsyncIterator[Services]:
    """Services that run already; addresses and identity come from the environment."""
    addresses = {
        kind.name: os.environ[kind.address_variable]
        for kind in ALL_SERVICES.values()
        if kind.address_variable in os.environ
    }
    missing = [
        kind.address_variable for kind in ALL_SERVICES.values() if kind.name not in addresses
    ]
    if missing:
        raise StepFailed(f"--connect needs {', '.join(missing)}")
    directory = os.environ.get("BATOS_TLS_DIR")
    yield Services(addresses, Path(directory) if directory else None, died=list)


@asynccontextmanager
async def started(journey: Journey, story: Story) -> AsyncIterator[Services]:
    """Services as processes of this machine, stopped at the end."""
    start = time.monotonic()
    state = journey.directory / "state"
    stack = LocalStack(
        state,
        may_be_down=["sandbox-executor"],
        # Outside of what the services keep, so that an image outlives that.
        settings={"BATOS_SUPERVISOR_IMAGES_DIR": str(journey.directory / "images")},
    )

    async def begin_anew() -> None:
        await stack.stop()
        for name in stack.processes:
            await asyncio.to_thread(shutil.rmtree, state / name, True)
        await stack.__aenter__()

    with story.console.status("starting the services"):
        await stack.__aenter__()
    try:
        _tell_processes(story, stack, time.monotonic() - start)
        yield Services(stack.addresses, None, died=stack.died, begin_anew=begin_anew)
    finally:
        with story.console.status("stopping the services"):
            await stack.stop()


def _open(journey: Journey, story: Story) -> None:
    story.opening(
        "BAT OS",
        (
            "A local model that remembers, acts and learns.",
            f"seed {journey.seed}, {platform.machine()}, Python {platform.python_version()}, "
            f"state in {journey.directory}",
            *([f"going on after {', '.join(journey.completed)}"] if journey.completed else []),
        ),
    )


def _tell_processes(story: Story, stack: LocalStack, seconds: float) -> None:
    rows = [
        (name, process.pid, process.address, "down" if name in stack.not_serving else "serving")
        for name, process in stack.processes.items()
    ]
    story.table(f"{len(rows)} processes in {seconds:.1f} s", ("", "pid", "address", ""), rows)


async def _run_step(stage: Stage, name: str) -> None:
    evidence = Evidence(name)
    start = time.monotonic()
    try:
        await STEPS[name](stage, evidence)
    except grpc.aio.AioRpcError as error:
        raise StepFailed(_refusal(stage, name, error)) from error
    evidence.seconds = round(time.monotonic() - start, 2)
    for sentence, holds in evidence.claims.items():
        stage.story.verdict(sentence, holds)
    stage.story.note(f"{evidence.seconds:.1f} s")
    if failed := evidence.failed():
        raise StepFailed(f"step {name} could not prove: {'; '.join(failed)}")
    stage.journey.complete(evidence)


def _refusal(stage: Stage, name: str, error: grpc.aio.AioRpcError) -> str:
    typed = from_rpc_error(error)
    died = "; ".join(stage.services.died())
    kind = type(typed).__name__
    return f"step {name}: {kind} ({typed.reason}): {typed.message}" + (f". {died}" if died else "")
