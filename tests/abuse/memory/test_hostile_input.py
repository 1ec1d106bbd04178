"""Whatever a caller sends to Memory is data: it harms neither the store nor another namespace."""

from collections.abc import AsyncIterator

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from shared.errors import InvalidArgument, ResourceExhausted
from shared.rpc_status import from_rpc_error
from tests.integration.memory.memory_process import MemoryProcess, batch, request_id, send

INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE records; --",
    "x') OR (level = 3",
    "namespace = 'victim'",
    '{"match": {"terms": "*"}}',
    "text:* AND NOT (a) + - ~2 ^5 \\",
    "\x00\x01\x7f\u202e\u200b",
    "مرحبا สวัสดี 你好 🦇" * 20,
    "a" * 100_000,
    "word " * 20_000,
]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory):
    process = MemoryProcess(tmp_path_factory.mktemp("memory"))
    yield process
    process.stop()


@pytest.fixture
async def stub(memory: MemoryProcess) -> AsyncIterator[MemoryServiceStub]:
    async with open_channel(memory.address) as channel:
        stub = MemoryServiceStub(channel)
        await send(stub, batch(["the victim's secret"], namespace="victim"))
        yield stub


async def _victim_is_untouched(stub: MemoryServiceStub) -> None:
    (stats,) = (await stub.GetStats(pb.GetStatsRequest(namespace="victim"))).namespaces
    assert stats.episode_count == 1


async def test_no_query_leaves_its_namespace(stub: MemoryServiceStub) -> None:
    await send(stub, batch(["something of mine"], namespace="attacker"))
    for text in INJECTIONS:
        found = await stub.Search(pb.SearchRequest(namespace="attacker", query=text))
        assert [hit.record.text for hit in found.hits] == ["something of mine"]
    await _victim_is_untouched(stub)


async def test_no_name_is_read_as_a_filter(stub: MemoryServiceStub) -> None:
    for text in INJECTIONS[:7]:
        searches = [
            pb.SearchRequest(namespace=text, query="secret"),
            pb.SearchRequest(namespace="attacker", query="secret", somas=[text]),
        ]
        for search in searches:
            assert not (await stub.Search(search)).hits
        for selector in ({"soma": text}, {"ids": pb.RecordIds(ids=[text])}):
            gone = await stub.Forget(
                pb.ForgetRequest(request_id=request_id(), namespace=text, **selector)
            )
            assert gone.forgotten_count == 0
    await _victim_is_untouched(stub)


async def test_ids_of_another_namespace_are_not_forgotten(stub: MemoryServiceStub) -> None:
    hit = (await stub.Search(pb.SearchRequest(namespace="victim", query="secret"))).hits[0]
    gone = await stub.Forget(
        pb.ForgetRequest(
            request_id=request_id(), namespace="attacker", ids=pb.RecordIds(ids=[hit.record.id])
        )
    )
    assert gone.forgotten_count == 0
    await _victim_is_untouched(stub)


@pytest.mark.parametrize(
    ("oversized", "error"),
    [
        (batch(["x" * 40_000]), InvalidArgument),
        (batch(["x"] * 1001), InvalidArgument),
        (batch(["x"], namespace="n" * 2000), InvalidArgument),
        (batch(["x" * 30_000] * 400), ResourceExhausted),  # over the cap of a message
    ],
)
async def test_more_than_fits_is_refused(stub: MemoryServiceStub, oversized, error) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await send(stub, oversized)
    assert type(from_rpc_error(caught.value)) is error
    await _victim_is_untouched(stub)
