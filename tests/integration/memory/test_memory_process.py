"""Starting, stopping and refusing to start."""

import asyncio
import subprocess
from pathlib import Path

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import open_channel
from tests.integration.memory.memory_process import (
    ROOT,
    START_SECONDS,
    MemoryProcess,
    batch,
    command,
    environment,
    send,
)


async def test_memories_outlive_a_restart(tmp_path: Path) -> None:
    first = MemoryProcess(tmp_path)
    async with open_channel(first.address) as channel:
        await send(MemoryServiceStub(channel), batch(["I live in Vienna."]))
    assert first.stop() == 0
    second = MemoryProcess(tmp_path)
    async with open_channel(second.address) as channel:
        search = pb.SearchRequest(namespace="people", query="Vienna")
        found = await MemoryServiceStub(channel).Search(search)
    assert second.stop() == 0
    assert [hit.record.text for hit in found.hits] == ["I live in Vienna."]


def _fails(data_dir: Path, **settings: str) -> str:
    """What a process that must not start says."""
    run = subprocess.run(
        command(),
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert run.returncode in (1, 2)
    assert "Traceback" not in run.stderr
    return run.stderr


def test_a_second_process_on_the_same_directory_is_refused(memory) -> None:
    data_dir = Path(f"/proc/{memory.process.pid}/environ").read_text()
    (own,) = [v for v in data_dir.split("\0") if v.startswith("BATOS_MEMORY_DATA_DIR=")]
    assert "in use by another process" in _fails(Path(own.partition("=")[2]))


def test_another_embedder_is_refused_with_both_names(tmp_path: Path) -> None:
    assert MemoryProcess(tmp_path).stop() == 0
    said = _fails(tmp_path, BATOS_MEMORY_EMBEDDER="wordllama-64")
    assert "EMBEDDER_MISMATCH" in said
    assert "wordllama-256" in said
    assert "wordllama-64" in said


def test_every_faulty_setting_is_named(tmp_path: Path) -> None:
    said = _fails(tmp_path, BATOS_MEMORY_EMBEDDER="wordllama-7", BATOS_MEMORY_UPKEEP_SECONDS="-1")
    assert "BATOS_MEMORY_EMBEDDER" in said
    assert "ollama/<model>" in said
    assert "BATOS_MEMORY_UPKEEP_SECONDS" in said


async def test_health_is_answered_while_much_is_stored(memory, channel, stub) -> None:
    texts = [f"a sentence of some length about the subject number {n} " * 10 for n in range(1000)]
    ingest = asyncio.create_task(send(stub, batch(texts, namespace="load")))
    health = health_pb2_grpc.HealthStub(channel)
    waits = []
    while not ingest.done():
        start = asyncio.get_running_loop().time()
        answer = await health.Check(health_pb2.HealthCheckRequest(service=""))
        waits.append(asyncio.get_running_loop().time() - start)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        await asyncio.sleep(0.01)
    assert len((await ingest)[0].ids) == 1000
    assert sorted(waits)[len(waits) // 2] < 0.1
