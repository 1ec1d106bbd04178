"""What happens when a process is away or is killed in the middle of work."""

import asyncio
from pathlib import Path

from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import Unavailable
from tests.integration.toolforge import ollama_peer as peer
from tests.integration.toolforge.workshop import ADD, Workshop, failure, spec, workshop


async def _asked(shop: Workshop, times: int) -> None:
    """Returns once the model was asked so often."""
    async with asyncio.timeout(20):
        while len(shop.model.chats) < times:
            await asyncio.sleep(0.02)


async def test_without_a_sandbox_nothing_begins_and_the_caller_is_told(tmp_path: Path) -> None:
    async with workshop(tmp_path, services=("supervisor",)) as shop:
        shop.model.script(ADD)
        for call in (shop.start(spec()), shop.register(spec(), ADD)):
            error = await failure(call)
            assert (type(error), error.reason) == (Unavailable, "SANDBOX_UNAVAILABLE")
            assert "sandbox" in error.message
        assert shop.model.chats == []
        assert (await shop.stub.ListForges(pb.ListForgesRequest())).forges == []
        assert await shop.tools() == set()


async def test_without_memory_tools_are_found_by_their_words(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        await shop.register(spec(), ADD)
        await shop.stack.processes["memory"].kill()
        await shop.register(spec("other"), ADD.replace("add", "other"))
        request = pb.SearchToolsRequest(query="something to ADD numbers")
        hits = (await shop.stub.SearchTools(request)).hits
        assert hits[0].tool.name == "tools/add"
        await shop.stack.restart("memory")
        hits = (await shop.stub.SearchTools(request)).hits
        assert {hit.tool.name for hit in hits} == {"tools/add", "tools/other"}


async def test_a_model_backend_that_is_away_is_named(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        shop.model.script(ADD)
        await shop.model.close()
        forge = await shop.forge(spec())
        assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "MODEL_UNAVAILABLE")
        assert shop.model.address in forge.failure
        assert "OLLAMA_HOST" in forge.failure


async def test_a_sandbox_lost_in_the_middle_ends_the_forge_typed(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        shop.model.script(peer.says_after(1.0, ADD))
        started = await shop.start(spec())
        await _asked(shop, 1)
        await shop.stack.processes["sandbox-executor"].kill()
        await shop.events(started.name)
        forge = (await shop.stub.GetForge(pb.GetForgeRequest(name=started.name))).forge
        assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "SANDBOX_UNAVAILABLE")
        assert await shop.tools() == set()


async def test_a_killed_toolforge_goes_on_where_it_was(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        shop.model.script(ADD.replace("+", "-"), peer.says_after(60.0, ADD), ADD)
        started = await shop.start(spec())
        watching = asyncio.create_task(failure(shop.events(started.name)))
        await _asked(shop, 2)
        await shop.stack.processes["toolforge"].kill()
        assert isinstance(await watching, Unavailable)
        await shop.stack.restart("toolforge")
        events = await shop.events(started.name)
        forge = (await shop.stub.GetForge(pb.GetForgeRequest(name=started.name))).forge
        assert forge.state == pb.FORGE_STATE_SUCCEEDED
        assert [attempt.kind for attempt in forge.attempts] == [
            pb.ATTEMPT_KIND_DRAFT,
            pb.ATTEMPT_KIND_REPAIR,
        ]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_cancelled_forge_stops_and_stays_cancelled(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        shop.model.script(peer.says_after(2.0, ADD))
        started = await shop.start(spec())
        await _asked(shop, 1)
        request = pb.CancelForgeRequest(request_id=started.name[-32:], name=started.name)
        cancelled = (await shop.stub.CancelForge(request)).forge
        assert cancelled.state == pb.FORGE_STATE_CANCELLED
        assert (await shop.events(started.name))[-1].state == pb.FORGE_STATE_CANCELLED
        await asyncio.sleep(2.5)  # the answer that was under way must not revive it
        assert (await shop.stub.CancelForge(request)).forge == cancelled
        assert await shop.tools() == set()
