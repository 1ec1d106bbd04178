"""A power cut: all services die at once, and every file is as long as at its last sync.

A preloaded library notes the length of each file whenever it is synced. After `kill -9` of all
services whatever was written later is cut off, and what was never synced is empty. Then everything
starts again, and all that was acknowledged must be there. What it does not try: names that were
not synced (renames and new files stay), and blocks that reached the disk out of order.
Budget: two minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.trainer.v1 import trainer_pb2

from tests.integration.images.world import World, fresh, world
from tests.integration.preloaded import compiled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SOURCE = Path(__file__).with_name("synced_lengths.c")
SEED = int(os.environ.get("BATOS_CHAOS_SEED", "0")) or random.randrange(1, 1 << 30)
ROUNDS = 3


@pytest.fixture
def noting(tmp_path: Path) -> dict[str, str]:
    """The environment of services whose syncs are noted."""
    library = compiled(SOURCE, tmp_path)
    return {"LD_PRELOAD": str(library), "SYNCED_LENGTHS": str(tmp_path / "lengths")}


def cut_power(data: Path, lengths: Path) -> int:
    """Cuts every file to its last synced length; how many lost bytes."""
    synced: dict[tuple[int, int], int] = {}
    for line in lengths.read_text().splitlines():
        device, inode, size = map(int, line.split())
        synced[device, inode] = size
    shortened = 0
    for path in data.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        status = path.stat()
        durable = synced.get((status.st_dev, status.st_ino), 0)
        if durable < status.st_size:
            os.truncate(path, durable)
            shortened += 1
    return shortened


async def live(here: World, number: int) -> list[str]:
    """Some of everything, acknowledged; the turns' Somas."""
    somas = [(await here.say(f"Harbour {number}.{n} has {n} cranes.")).soma for n in range(4)]
    await here.register(f"harbour_{'abcdefgh'[number]}", "a + b")
    rows = [f'{{"instruction": "Say {number}.", "output": "{number}"}}']
    await here.trainer.ImportExamples(
        trainer_pb2.ImportExamplesRequest(
            request_id=fresh(),
            persona="ROBIN",
            shape=trainer_pb2.EXAMPLE_SHAPE_ALPACA,
            rows=rows,
        )
    )
    return somas


async def test_everything_acknowledged_outlives_it(noting: dict[str, str], tmp_path: Path) -> None:
    rng, data = random.Random(SEED), tmp_path / "data"
    settings = noting | {"BATOS_MEMORY_UPKEEP_SECONDS": "0.3"}
    somas: set[str] = set()
    tools: set[str] = set()
    images: set[str] = set()
    for number in range(ROUNDS):
        async with world(data, **settings) as here:
            somas.update(await live(here, number))
            tools.add(f"tools/harbour_{'abcdefgh'[number]}")
            images.add((await here.save()).name)
            somas.update(await live(here, number + ROUNDS))
            tools.add(f"tools/harbour_{'abcdefgh'[number + ROUNDS]}")
            await asyncio.sleep(rng.random())
            await asyncio.gather(*(p.kill() for p in here.stack.processes.values()))
            assert cut_power(data, Path(noting["SYNCED_LENGTHS"])) > 0, "nothing was cut off"
    async with world(data) as here:
        assert await here.somas() == somas, f"BATOS_CHAOS_SEED={SEED}"
        assert await here.tools() == tools
        assert {image.name for image in await here.images()} == images
        for name in images:
            await here.supervisor.VerifyImage(pb.VerifyImageRequest(name=name))
        expected = {f"Harbour {n}.{m} has {m} cranes." for n in range(2 * ROUNDS) for m in range(4)}
        async with asyncio.timeout(30):
            while not expected <= set(await here.remembered("harbour cranes")):
                await asyncio.sleep(0.2)
        request = trainer_pb2.BuildDatasetRequest(request_id=fresh(), persona="ROBIN")
        dataset = (await here.trainer.BuildDataset(request)).dataset
        assert sum(dataset.source_counts.values()) >= 2 * ROUNDS
        await here.load(sorted(images)[0], discard_current=True)
