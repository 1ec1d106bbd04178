"""Which models are in memory, with real runners of a small model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.model_server.errors import BusyError, LoadError
from services.model_server.loaded_model import Lease, Wanted
from services.model_server.manifest import Manifest, ModelDetails
from services.model_server.model_name import ModelName
from services.model_server.model_store import StoredModel
from services.model_server.runner import RunnerSpec
from services.model_server.scheduler import Scheduler
from services.model_server.workers import Workers
from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_llama(directory / "hf"), directory / "m.gguf")
    return directory / "m.gguf"


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    made = Scheduler(Workers(4, "test"), parallel=2, max_loaded=2, max_queue=2)
    yield made
    await made.close()


def wanted(path: Path, name: str = "a", context: int = 64) -> Wanted:
    manifest = Manifest("sha256:" + "0" * 64, 1, ModelDetails("llama", "1", "F16"))
    model = StoredModel(ModelName.parse(name), manifest, datetime.now(UTC))
    return Wanted(model, RunnerSpec(path, context, threads=1))


def loaded(scheduler: Scheduler) -> list[tuple[str, int]]:
    found = [(x.wanted.model.name.model, x.wanted.spec.context) for x in scheduler.loaded()]
    return sorted(found)


async def test_leases_of_one_model_share_its_runner(scheduler: Scheduler, gguf: Path) -> None:
    first, second = await asyncio.gather(
        scheduler.acquire(wanted(gguf), 60), scheduler.acquire(wanted(gguf), 60)
    )
    assert first.runner is second.runner
    assert first.load_ns > 0


async def test_what_finds_no_place_waits_for_one(scheduler: Scheduler, gguf: Path) -> None:
    leases = [await scheduler.acquire(wanted(gguf), 60) for _ in range(2)]
    third = asyncio.ensure_future(scheduler.acquire(wanted(gguf), 60))
    await asyncio.sleep(0.05)
    assert not third.done()
    leases[0].release()
    leases[0].release()  # releasing again must not make a second place
    fourth = asyncio.ensure_future(scheduler.acquire(wanted(gguf), 60))
    await asyncio.sleep(0.05)
    assert (await third).runner is leases[1].runner
    assert not fourth.done()
    fourth.cancel()


async def test_a_full_queue_refuses(scheduler: Scheduler, gguf: Path) -> None:
    held = [await scheduler.acquire(wanted(gguf), 60) for _ in range(2)]
    waiting = [asyncio.ensure_future(scheduler.acquire(wanted(gguf), 60)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await scheduler.acquire(wanted(gguf), 60)
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    another = asyncio.ensure_future(scheduler.acquire(wanted(gguf), 60))
    for lease in held:
        lease.release()
    assert isinstance(await waiting[1], Lease)
    assert isinstance(await another, Lease)


async def test_a_model_in_use_is_not_evicted(scheduler: Scheduler, gguf: Path) -> None:
    await scheduler.acquire(wanted(gguf, "a"), 60)
    (await scheduler.acquire(wanted(gguf, "b"), 60)).release()
    (await scheduler.acquire(wanted(gguf, "c"), 60)).release()
    assert loaded(scheduler) == [("a", 64), ("c", 64)]


async def test_another_context_loads_anew(scheduler: Scheduler, gguf: Path) -> None:
    (await scheduler.acquire(wanted(gguf), 60)).release()
    (await scheduler.acquire(wanted(gguf, context=128), 60)).release()
    assert loaded(scheduler) == [("a", 128)]


async def test_a_model_that_cannot_load_fails_all_who_wait(
    scheduler: Scheduler, gguf: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf.read_bytes()[:5000])
    asks = [scheduler.acquire(wanted(tmp_path / "m.gguf"), 60) for _ in range(2)]
    failures = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(failure) for failure in failures] == [LoadError, LoadError]
    assert loaded(scheduler) == []
    assert (await scheduler.acquire(wanted(gguf), 60)).runner


async def test_whoever_gives_up_while_it_loads_leaves_no_lease(
    scheduler: Scheduler, gguf: Path
) -> None:
    asking = asyncio.ensure_future(scheduler.acquire(wanted(gguf), 60))
    await asyncio.sleep(0)
    asking.cancel()
    leases = [await scheduler.acquire(wanted(gguf), 0) for _ in range(2)]
    for lease in leases:
        lease.release()
    await scheduler.unload("a:latest")
    assert loaded(scheduler) == []
