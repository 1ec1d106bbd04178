"""A service that can be killed at any point of a mutation, and started again on what it left."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from deploy.local import ALL_SERVICES
from deploy.local.service_process import ServiceProcess
from deploy.local.topology import environments, free_ports

A = TypeVar("A", bound=Message)

MOST_POINTS = 24
# Every third point, to spare a developer's time; CI kills at each.
STEP = int(os.environ.get("BATOS_KILL_STEP", "3"))
START_SECONDS = 60
# A killed peer is no reason to try again by itself here: the tests do that, and count.
OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)


class Victim:
    """A running service under the launcher."""

    def __init__(self, name: str, directory: Path, settings: Mapping[str, str]) -> None:
        kind = ALL_SERVICES[name]
        self._directory = directory
        self.recoveries = 0
        address = f"127.0.0.1:{free_ports(1)[0]}"
        self._file = directory / f"{name}.kill"
        variables = environments([kind], {name: address}, directory)[name]
        launched = {"BATOS_KILL_FILE": str(self._file), "BATOS_KILL_MODULE": kind.module}
        self._process = ServiceProcess(
            replace(kind, module="tests.chaos.kill.launcher"),
            address,
            variables | dict(settings) | launched,
            directory / f"{name}.log",
        )
        self.channel = grpc.aio.insecure_channel(address, options=OPTIONS)

    @property
    def is_dead(self) -> bool:
        """Whether it was killed, and not started again yet."""
        return self._process.exit_status is not None

    def folder(self, name: str) -> Path:
        """A folder of its data directory's parent."""
        return self._directory / name

    async def start(self) -> None:
        """Starts, and waits until it serves."""
        await self._process.start()
        serving = await self._process.wait_until_serving(START_SECONDS)
        assert serving, f"{self._process.exit_status}\n{self._process.log_tail(20)}"

    async def stop(self) -> None:
        """For good."""
        await self.channel.close()
        await self._process.kill()

    async def kill(self) -> None:
        """Now, wherever it stands; then starts it again."""
        await self._process.kill()
        await self.start()

    async def kill_at(self, point: int) -> None:
        """From now on, after so many points were passed by."""
        await asyncio.to_thread(self._file.write_text, str(point))

    async def recover(self) -> bool:
        """Starts it again where it was killed; True where it was. No more kills."""
        await asyncio.to_thread(self._file.unlink, True)
        with contextlib.suppress(TimeoutError):
            # A kill after the answer may be a moment away still.
            async with asyncio.timeout(0.3):
                while self._process.exit_status is None:
                    await asyncio.sleep(0.02)
        if self._process.exit_status is None:
            return False
        assert self._process.exit_status == -9, self._process.log_tail(20)
        self.recoveries += 1
        await self.start()
        return True


@asynccontextmanager
async def victim(name: str, directory: Path, **settings: str) -> AsyncIterator[Victim]:
    """A started service; stopped at the end."""
    service = Victim(name, directory, settings)
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


async def killed_everywhere(
    service: Victim,
    mutation: str,
    make: Callable[[], Awaitable[Any]],
    call: Callable[[Any], Awaitable[A]],
    check: Callable[[Any, A], Awaitable[None]],
    *,
    points: int,
) -> None:
    """Kills the service at each point of a mutation in turn, and repeats the request afterwards.

    The completeness check reads which mutations are named here.

    `make` makes a fresh request, `call` sends it, `check` looks whether its effect is there once.
    The repetition gets the first answer, where there was one, and then always the same. At least
    `points` points must be found.
    """
    for point in range(0, MOST_POINTS + STEP, STEP):
        request = await make()
        assert request.DESCRIPTOR.name == f"{mutation}Request"
        await service.kill_at(point)
        first = await answered(call(request))
        killed = await service.recover()
        second = await call(request)
        assert first is None or second == first, (point, first, second)
        assert await call(request) == second, point
        await check(request, second)
        if not killed:
            assert first is not None
            assert point >= points, f"only {point} points were found"
            return
    raise AssertionError(f"more than {MOST_POINTS} points")


async def answered(answer: Awaitable[A]) -> A | None:
    """The answer; None where the call was cut off, or the service is not there."""
    try:
        return await answer
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return None
        raise
