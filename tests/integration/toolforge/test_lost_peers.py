"""What happens when a process is away or is killed in the middle of work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from deploy.local.service_process import ServiceProcess
from deploy.local.topology import ALL_SERVICES
from shared.errors import Unavailable
from shared.rpc_status import from_rpc_error
from tests.integration.toolforge import ollama_peer as peer
from tests.integration.toolforge.workshop import ADD, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def killed(shop: Workshop, name: str) -> AsyncIterator[None]:
    """Without this process; afterwards it is back and ToolForge works with it."""
    await shop.stack.processes[name].kill()
    try:
        yield
    finally:
        await shop.stack.restart(name)
        shop.model.script(ADD.replace("add", "ready"))
        async with asyncio.timeout(20):
            while not await _works(shop):
                await asyncio.sleep(0.2)


async def _works(shop: Workshop) -> bool:
    """Whether a forge succeeds; a peer that is back is found again within a second."""
    try:
        return (await shop.forge(spec("ready"))).state == pb.FORGE_STATE_SUCCEEDED
    except grpc.aio.AioRpcError as error:
        if isinstance(from_rpc_error(error), Unavailable):
            return False
        raise


async def asked(shop: Workshop, times: int) -> None:
    """Returns once the model was asked so often."""
    async with asyncio.timeout(20):
        while len(shop.model.chats) < times:
            await asyncio.sleep(0.02)


def named(name: str) -> str:
    return ADD.replace("add", name)


async def test_without_a_sandbox_nothing_begins_and_the_caller_is_told(shop: Workshop) -> None:
    async with killed(shop, "sandbox-executor"):
        shop.model.script(named("unsafe"))
        known = (await shop.stub.ListForges(pb.ListForgesRequest())).forges
        for call in (shop.start(spec("unsafe")), shop.register(spec("unsafe"), named("unsafe"))):
            error = await failure(call)
            assert (type(error), error.reason) == (Unavailable, "SANDBOX_UNAVAILABLE")
            assert "sandbox" in error.message
        assert shop.model.chats == []
        assert (await shop.stub.ListForges(pb.ListForgesRequest())).forges == known
        assert "tools/unsafe" not in await shop.tools()


async def test_what_to_install_for_a_sandbox_reaches_the_caller(
    shop: Workshop, tmp_path: Path
) -> None:
    address = shop.stack.addresses["sandbox-executor"]
    settings = {
        "BATOS_SANDBOX_LISTEN": address,
        "BATOS_SANDBOX_RUNSC_PATH": str(tmp_path / "no_runsc_here"),
    }
    kind = ALL_SERVICES["sandbox-executor"]
    async with killed(shop, "sandbox-executor"):
        maimed = ServiceProcess(kind, address, settings, tmp_path / "sandbox.log")
        await maimed.start()
        try:
            error = await failure(shop.start(spec("unsafe")))
            async with asyncio.timeout(30):
                while "cannot be reached" in error.message:
                    error = await failure(shop.start(spec("unsafe")))
            assert (type(error), error.reason) == (Unavailable, "SANDBOX_UNAVAILABLE")
            assert "no_runsc_here" in error.message
            rejected = await failure(shop.register(spec("unsafe"), named("unsafe")))
            assert isinstance(rejected, Unavailable)
            assert "no_runsc_here" in rejected.message
        finally:
            await maimed.stop()


async def test_a_sandbox_lost_in_the_middle_ends_the_forge_typed(shop: Workshop) -> None:
    shop.model.script(peer.says_after(0.8, named("bereft")))
    started = await shop.start(spec("bereft"))
    await asked(shop, 1)
    async with killed(shop, "sandbox-executor"):
        await shop.events(started.name)
        forge = await shop.get(started.name)
        assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "SANDBOX_UNAVAILABLE")
        assert "tools/bereft" not in await shop.tools()


async def test_without_memory_tools_are_found_by_their_words(shop: Workshop) -> None:
    await shop.register(spec("quux_before"), named("quux_before"))
    request = pb.SearchToolsRequest(query="what QUUX means")
    async with killed(shop, "memory"):
        await shop.register(spec("quux_after"), named("quux_after"))
        hits = (await shop.stub.SearchTools(request)).hits
        assert [hit.tool.name for hit in hits] == ["tools/quux_after", "tools/quux_before"]
    hits = (await shop.stub.SearchTools(request)).hits  # the index has caught up
    assert {"tools/quux_after", "tools/quux_before"} <= {hit.tool.name for hit in hits}


async def test_a_model_backend_that_is_away_is_named(shop: Workshop) -> None:
    await shop.model.close()
    try:
        forge = await shop.forge(spec("orphan"))
    finally:
        await shop.model.open()
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "MODEL_UNAVAILABLE")
    assert shop.model.address in forge.failure
    assert "OLLAMA_HOST" in forge.failure
    assert "tools/orphan" not in await shop.tools()


async def test_a_killed_toolforge_goes_on_where_it_was(shop: Workshop) -> None:
    wrong, right = named("survivor").replace("+", "-"), named("survivor")
    shop.model.script(wrong, peer.says_after(60.0, right), right)
    started = await shop.start(spec("survivor"))
    watching = asyncio.create_task(failure(shop.events(started.name)))
    await asked(shop, 2)
    await shop.stack.processes["toolforge"].kill()
    assert isinstance(await watching, Unavailable)
    await shop.stack.restart("toolforge")
    events = await shop.events(started.name)
    forge = await shop.get(started.name)
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    kinds = [attempt.kind for attempt in forge.attempts]
    assert kinds == [pb.ATTEMPT_KIND_DRAFT, pb.ATTEMPT_KIND_REPAIR]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_cancelled_forge_stops_and_stays_cancelled(shop: Workshop) -> None:
    shop.model.script(peer.says_after(0.5, named("unwanted")))
    started = await shop.start(spec("unwanted"))
    await asked(shop, 1)
    request = pb.CancelForgeRequest(request_id=fresh_id(), name=started.name)
    cancelled = (await shop.stub.CancelForge(request)).forge
    assert cancelled.state == pb.FORGE_STATE_CANCELLED
    assert (await shop.events(started.name))[-1].state == pb.FORGE_STATE_CANCELLED
    await asyncio.sleep(1.0)  # the answer that was under way must not revive it
    assert (await shop.stub.CancelForge(request)).forge == cancelled
    assert "tools/unwanted" not in await shop.tools()
