"""Reembed: another embedder for all that is kept, while the service goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from shared.errors import Aborted, FailedPrecondition, InvalidArgument, Unavailable
from shared.rpc_status import from_rpc_error
from tests.integration.memory.memory_process import MemoryProcess, batch, request_id, send

ROWS = 60
Start = Callable[..., MemoryProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Memory on the one directory of the test."""
    processes: list[MemoryProcess] = []

    def started(**settings: str) -> MemoryProcess:
        processes.append(
            MemoryProcess(tmp_path, **{"BATOS_MEMORY_UPKEEP_SECONDS": "0.2", **settings})
        )
        return processes[-1]

    yield started
    for process in processes:
        if process.process.poll() is None:
            process.kill()


@asynccontextmanager
async def connected(memory: MemoryProcess) -> AsyncIterator[MemoryServiceStub]:
    async with open_channel(memory.address) as channel:
        yield MemoryServiceStub(channel)


async def reembedded(stub, embedder: str) -> list[pb.ReembedResponse]:
    return [each async for each in stub.Reembed(pb.ReembedRequest(embedder=embedder))]


async def contents(stub) -> list[pb.Record]:
    records, token = [], ""
    while True:
        page = await stub.List(pb.ListRequest(namespace="people", page_size=500, page_token=token))
        records += page.records
        token = page.next_page_token
        if not token:
            return records


async def stored(stub, count: int = ROWS, **where) -> None:
    texts = [f"The parrot number {n} likes fruit." for n in range(count - 1)]
    await send(stub, batch([*texts, "We drove to Vienna by train."], **where))


async def finds_vienna(stub) -> bool:
    for mode in pb.SearchMode.values():
        query = pb.SearchRequest(namespace="people", query="train to Vienna", mode=mode)
        if "Vienna" not in (await stub.Search(query)).hits[0].record.text:
            return False
    return True


async def test_all_that_is_kept_moves_over_and_stays_there(start: Start) -> None:
    memory = start()
    async with connected(memory) as stub:
        await stored(stub)
        made = pb.ConsolidateRequest(request_id=request_id(), namespace="people", soma="somas/1")
        await stub.Consolidate(made)
        before = await contents(stub)
        last = (await reembedded(stub, "wordllama-64"))[-1]
        assert (last.done_count, last.total_count) == (ROWS + 1, ROWS + 1)
        assert (last.embedder, last.finished) == ("wordllama-64", True)
        assert await contents(stub) == before
        assert await finds_vienna(stub)
        stats = await stub.GetStats(pb.GetStatsRequest())
        assert (stats.embedder, stats.dimension) == ("wordllama-64", 64)
        (same,) = (await reembedded(stub, "wordllama-64"))[-1:]
        assert same.finished
        await stored(stub, 3, soma="somas/2", start=9000)
    assert memory.stop() == 0
    again = start()  # set to no certain embedder
    async with connected(again) as stub:
        assert len(await contents(stub)) == ROWS + 4
        assert (await stub.GetStats(pb.GetStatsRequest())).embedder == "wordllama-64"
        assert (await reembedded(stub, "wordllama-256"))[-1].finished  # and back
        assert await finds_vienna(stub)
    assert again.stop() == 0
    tables = {path.name for path in (again.data_dir / "lance").iterdir()}
    assert len(tables) == 1


async def test_a_model_of_ollama_takes_over(start: Start, model_server) -> None:
    host = {"OLLAMA_HOST": f"http://{model_server.address}"}
    memory = start(**host)
    async with connected(memory) as stub:
        await stored(stub)
        last = (await reembedded(stub, "ollama/starter"))[-1]
        assert last.finished
        assert last.embedder.startswith("ollama/starter@")
        assert (await stub.GetStats(pb.GetStatsRequest())).embedder == last.embedder
        keyword = pb.SearchRequest(namespace="people", query="Vienna", mode=pb.SEARCH_MODE_KEYWORD)
        assert "Vienna" in (await stub.Search(keyword)).hits[0].record.text
    assert memory.stop() == 0
    again = start(BATOS_MEMORY_EMBEDDER="ollama/starter", **host)
    assert again.stop() == 0


async def test_what_cannot_be_is_refused_and_nothing_changes(start: Start, model_server) -> None:
    async def refusal(stub, embedder: str) -> Exception:
        with pytest.raises(grpc.RpcError) as caught:
            await reembedded(stub, embedder)
        return from_rpc_error(caught.value)

    memory = start(OLLAMA_HOST=f"http://{model_server.address}")
    async with connected(memory) as stub:
        await stored(stub)
        for name in ("", "wordllama-7", "ollama/", "gpt", "ollama/\n", "ollama/" + "x" * 500):
            assert isinstance(await refusal(stub, name), InvalidArgument), name
        assert isinstance(await refusal(stub, "ollama/absent"), FailedPrecondition)
        assert (await stub.GetStats(pb.GetStatsRequest())).embedder == "wordllama-256"
    memory.stop()
    lonely = start(OLLAMA_HOST="http://127.0.0.1:9")
    async with connected(lonely) as stub:
        assert isinstance(await refusal(stub, "ollama/starter"), Unavailable)
        assert await finds_vienna(stub)


async def test_reads_and_writes_go_on_and_nothing_of_them_is_lost(start: Start) -> None:
    memory = start()
    async with connected(memory) as stub:
        for part in range(3):
            await stored(stub, 1000, soma=f"somas/{part}", start=part * 2000)
        records = await contents(stub)
        moving = asyncio.create_task(reembedded(stub, "wordllama-128"))
        for n in range(12):
            await stored(stub, 5, soma=f"somas/new{n}", start=10_000 + 10 * n)
            gone = pb.ForgetRequest(
                request_id=request_id(),
                namespace="people",
                ids=pb.RecordIds(ids=[records[n].id]),
            )
            await stub.Forget(gone)
            assert await finds_vienna(stub)
        other = stub.Reembed(pb.ReembedRequest(embedder="wordllama-64"))
        if not moving.done():
            with pytest.raises(grpc.RpcError) as caught:
                await other.read()
            assert isinstance(from_rpc_error(caught.value), Aborted)
        assert (await moving)[-1].finished
        expected = {record.id for record in records[12:]}
        kept = await contents(stub)
        assert expected <= {record.id for record in kept}
        assert len(kept) == 3000 - 12 + 12 * 5
        assert await finds_vienna(stub)


async def test_it_is_taken_up_again_after_a_kill(start: Start) -> None:
    memory = start()
    async with connected(memory) as stub:
        await stored(stub, 900)
        await stored(stub, 900, soma="somas/2", start=5000)
        await stored(stub, 900, soma="somas/3", start=9000)
        before = await contents(stub)
        async for told in stub.Reembed(pb.ReembedRequest(embedder="wordllama-64")):
            if told.total_count:
                break
    memory.kill()
    again = start()
    async with connected(again) as stub:
        assert await contents(stub) == before
        assert await finds_vienna(stub)
        last = (await reembedded(stub, "wordllama-64"))[-1]
        assert last.finished
        assert last.done_count == 2700
        assert await contents(stub) == before
        assert await finds_vienna(stub)


async def test_what_is_forgotten_leaves_a_migration_that_broke_off_too(
    start: Start, tmp_path: Path
) -> None:
    memory = start(BATOS_MEMORY_UPKEEP_SECONDS="3600")
    async with connected(memory) as stub:
        for part in range(3):
            texts = [f"filler number {n}" for n in range(999)]
            said = batch(
                [*texts, "the zebrasecret is out"], soma=f"somas/{part}", start=part * 2000
            )
            await send(stub, said)
        async for told in stub.Reembed(pb.ReembedRequest(embedder="wordllama-64")):
            if told.done_count:
                break
    memory.kill()
    again = start(BATOS_MEMORY_UPKEEP_SECONDS="3600")
    async with connected(again) as stub:
        secrets = [record.id for record in await contents(stub) if "zebra" in record.text]
        request = pb.ForgetRequest(
            request_id=request_id(), namespace="people", ids=pb.RecordIds(ids=secrets)
        )
        assert (await stub.Forget(request)).forgotten_count == 3
        await stub.Optimize(pb.OptimizeRequest())
    assert again.stop() == 0
    left = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and "lance" in str(path) and b"zebrasecret" in path.read_bytes()
    ]
    assert left == []
