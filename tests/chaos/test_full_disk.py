"""A full disk under each SQLite file: a typed refusal, nothing acknowledged is lost, it goes on.

The data of one service lie on a file system of some MiB that a test fills up. Memory, whose rows
are in Lance as well, has tests of its own (tests/chaos/memory/test_full_disk.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.toolforge.v1 import toolforge_pb2
from batos.trainer.v1 import trainer_pb2

from shared.rpc_status import from_rpc_error
from tests.chaos.small_disk import MIB, fill, mounted
from tests.integration.images.world import World, fresh, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LETTERS = "abcdefghijklmnopqrstuvwxyz"

Ask = Callable[[World, int, str], Awaitable[Any]]
Count = Callable[[World], Awaitable[int]]


async def import_soma(here: World, number: int, request_id: str) -> Any:
    turn = pb.Turn(number=1, user_text=f"{number} " + "x" * 30_000, assistant_text="Noted.")
    turn.created_at.FromJsonString("2026-01-01T00:00:00Z")
    soma = pb.Soma(name=f"somas/{number:032x}", persona="ROBIN", turns=[turn])
    soma.created_at.CopyFrom(turn.created_at)
    request = pb.ImportSomaRequest(request_id=request_id, soma=soma)
    return await here.supervisor.ImportSoma(request, wait_for_ready=True)


async def register_tool(here: World, number: int, request_id: str) -> Any:
    name = f"shift_{LETTERS[number // 26]}{LETTERS[number % 26]}"
    source = f'def {name}(a: int) -> int:\n    """Shift."""\n    return a + {number}\n'
    comments = "".join(f"    # {line} {'x' * 80}\n" for line in range(200))
    example = toolforge_pb2.Example(arguments_json='{"a": 1}', result_json=str(1 + number))
    spec = toolforge_pb2.Spec(name=name, description="Shift.", examples=[example])
    source = source.replace("    return", f"{comments}    return")
    request = toolforge_pb2.RegisterToolRequest(request_id=request_id, spec=spec, source=source)
    return await here.toolforge.RegisterTool(request, wait_for_ready=True)


async def import_examples(here: World, number: int, request_id: str) -> Any:
    dice = random.Random(number)
    rows = [
        json.dumps({"instruction": dice.randbytes(200).hex(), "output": dice.randbytes(400).hex()})
        for _ in range(20)
    ]
    return await here.trainer.ImportExamples(
        trainer_pb2.ImportExamplesRequest(
            request_id=request_id,
            persona="ROBIN",
            shape=trainer_pb2.EXAMPLE_SHAPE_ALPACA,
            rows=rows,
        ),
        wait_for_ready=True,
    )


async def somas(here: World) -> int:
    return len(await here.somas())


async def tools(here: World) -> int:
    return len(await here.tools())


CASES: dict[str, tuple[Ask, Count | None]] = {
    "supervisor": (import_soma, somas),
    "toolforge": (register_tool, tools),
    "trainer": (import_examples, None),
}


@pytest.fixture(params=list(CASES))
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A service whose data directory is a file system of 24 MiB."""
    with mounted(tmp_path / "data" / request.param, "24m"):
        yield request.param


async def until_refused(here: World, ask: Ask) -> tuple[list[Any], str]:
    """What was answered before the first refusal, and the request that was refused."""
    answers: list[Any] = []
    for number in range(200):
        request_id = fresh()
        try:
            answers.append(await ask(here, number, request_id))
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).reason != "DISK_FULL":
                raise
            return answers, request_id
    raise AssertionError("the disk was never full")


async def test_it_is_refused_by_name_and_goes_on_once_there_is_room(
    service: str, tmp_path: Path
) -> None:
    ask, count = CASES[service]
    disk = tmp_path / "data" / service
    async with world(tmp_path / "data") as here:
        ballast = fill(disk, spare=MIB // 2)
        answers, refused = await until_refused(here, ask)
        assert answers, "some fitted"
        if count:
            assert await count(here) == len(answers), "it still answers, with all that it took"
        if service == "supervisor":
            with pytest.raises(grpc.aio.AioRpcError) as full:
                await here.save()
            assert from_rpc_error(full.value).reason == "DISK_FULL"
            assert not await here.images()
        process = here.stack.processes[service]
        await process.kill()
        ballast.unlink()
        await process.start()
        assert await process.wait_until_serving(60), process.log_tail(20)
        if count:
            assert await count(here) == len(answers), "nothing that it took is lost"
        again = await ask(here, len(answers), refused)
        assert again == await ask(here, len(answers), refused)
        if count:
            assert await count(here) == len(answers) + 1
