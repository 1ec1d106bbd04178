"""Requests that come twice: the first answer again, and no second effect."""

import asyncio

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as memory
from batos.supervisor.v1 import supervisor_pb2 as supervisor
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1 import toolforge_pb2 as toolforge
from batos.trainer.v1 import trainer_pb2 as trainer
from google.protobuf.duration_pb2 import Duration

from tests.abuse.wire.state import STATE
from tests.abuse.wire.valid_requests import SOURCE, TOOL, VALID, fresh, soma, spec
from tests.abuse.wire.wire import Wire
from tests.contract.rpc_methods import PACKAGES, methods_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]

MUTATIONS = {
    method.name: (service, method)
    for service in PACKAGES
    for method in methods_of(service)
    if "request_id" in method.input_type.fields_by_name
}
# What a mutation changes on its way of itself: the answer shows the thing as it stands now.
LIVE = {"StartForge": "forge", "StartTrainingRun": "training_run", "CancelForge": "forge"}


class Ready:
    """Requests that succeed, for methods whose good request needs something to be there."""

    def __init__(self, stack) -> None:
        self._stack = stack
        self.wires = {name: Wire(stack.addresses[name]) for name in PACKAGES}

    async def request(self, name: str):
        service, _ = MUTATIONS[name]
        make = getattr(self, f"_{name}", None)
        return await make() if make else VALID[service][name]()

    @property
    def _supervisor(self) -> SupervisorServiceStub:
        return SupervisorServiceStub(self.wires["supervisor"].channel)

    async def _soma(self) -> str:
        request = VALID["supervisor"]["Converse"]()
        events = [event async for event in self._supervisor.Converse(request)]
        return events[-1].finished.soma

    async def _episode(self) -> str:
        wire, (_, create) = self.wires["memory"], MUTATIONS["CreateEpisodes"]
        request = VALID["memory"]["CreateEpisodes"]()
        kept = await wire.send(create, [request.SerializeToString()])
        return memory.CreateEpisodesResponse.FromString(kept.responses[0]).ids[0]

    async def _Update(self):
        request = VALID["memory"]["Update"]()
        request.id = await self._episode()
        return request

    async def _Consolidate(self):
        await self._episode()
        return VALID["memory"]["Consolidate"]()

    async def _RateSoma(self):
        request = VALID["supervisor"]["RateSoma"]()
        request.soma = await self._soma()
        return request

    async def _CorrectSoma(self):
        request = VALID["supervisor"]["CorrectSoma"]()
        request.soma = await self._soma()
        return request

    async def _CloseSoma(self):
        request = VALID["supervisor"]["CloseSoma"]()
        request.soma = await self._soma()
        return request

    async def _BuildDataset(self):
        # The toolsmith has a golden example: the tool that was registered.
        return trainer.BuildDatasetRequest(request_id=fresh(), persona="BRICK")

    async def _StartTrainingRun(self):
        # No golden examples: it is accepted, and fails before it trains anything.
        return trainer.StartTrainingRunRequest(request_id=fresh(), persona="ALFRED")

    async def _CancelTrainingRun(self):
        wire, (_, start) = self.wires["trainer"], MUTATIONS["StartTrainingRun"]
        begun = await wire.send(start, [(await self._StartTrainingRun()).SerializeToString()])
        run = trainer.StartTrainingRunResponse.FromString(begun.responses[0]).training_run
        return trainer.CancelTrainingRunRequest(request_id=fresh(), name=run.name)

    async def _CancelForge(self):
        wire, (_, start) = self.wires["toolforge"], MUTATIONS["StartForge"]
        request = VALID["toolforge"]["StartForge"]()
        begun = await wire.send(start, [request.SerializeToString()])
        forge = toolforge.StartForgeResponse.FromString(begun.responses[0]).forge
        return toolforge.CancelForgeRequest(request_id=fresh(), name=forge.name)

    async def _tool(self) -> str:
        """A tool of two versions, of its own name."""
        wire, (_, register) = self.wires["toolforge"], MUTATIONS["RegisterTool"]
        name = f"double_{fresh().replace('-', '')}"
        source = SOURCE.replace(TOOL, name)
        for text in (source, source.replace("2 * n", "n + n")):
            request = toolforge.RegisterToolRequest(
                request_id=fresh(), spec=spec(name), source=text
            )
            assert (await wire.send(register, [request.SerializeToString()])).ok
        return f"tools/{name}"

    async def _RollBackTool(self):
        return toolforge.RollBackToolRequest(request_id=fresh(), name=await self._tool())

    async def _RetireTool(self):
        return toolforge.RetireToolRequest(request_id=fresh(), name=await self._tool())

    async def _ReinstateTool(self):
        return toolforge.ReinstateToolRequest(request_id=fresh(), name=await self._tool())

    async def _lease(self) -> int:
        request = VALID["supervisor"]["AcquireGpuLease"]()
        request.ttl.CopyFrom(Duration(seconds=60))
        return (await self._supervisor.AcquireGpuLease(request)).lease.fencing_token

    async def _RenewGpuLease(self):
        return supervisor.RenewGpuLeaseRequest(
            request_id=fresh(), fencing_token=await self._lease()
        )

    async def _ReleaseGpuLease(self):
        return supervisor.ReleaseGpuLeaseRequest(
            request_id=fresh(), fencing_token=await self._lease()
        )

    async def _ImportSoma(self):
        request = supervisor.ImportSomaRequest(request_id=fresh(), soma=soma())
        request.soma.turns[0].ClearField("rating")
        return request

    async def _DeleteImage(self):
        request = VALID["supervisor"]["SaveImage"]()
        saved = [event async for event in self._supervisor.SaveImage(request)][-1].image
        return supervisor.DeleteImageRequest(request_id=fresh(), name=saved.name)

    async def settle(self) -> None:
        """Gives back whatever lease is held."""
        for token in range(1, 40):
            request = supervisor.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=token)
            await self._supervisor.ReleaseGpuLease(request)


# The first two need a model that has won, and are repeated in tests/integration/supervisor; the
# third puts everything back, and is repeated in tests/integration/images.
ELSEWHERE = {"ReportModelSwap", "RollBackPersona", "LoadImage"}


@pytest.mark.parametrize("name", sorted(set(MUTATIONS) - ELSEWHERE))
async def test_a_repeated_request_gets_its_first_answer(stack, name):
    ready = Ready(stack)
    service, method = MUTATIONS[name]
    wire, request = ready.wires[service], await ready.request(name)
    first = await wire.send(method, [request.SerializeToString()])
    assert first.ok, first
    before = await STATE[service](wire.channel)
    for spelling in (request.request_id, request.request_id.upper(), f"{{{request.request_id}}}"):
        again = type(request)()
        again.CopyFrom(request)
        again.request_id = spelling
        outcome = await wire.send(method, [again.SerializeToString()])
        if spelling == request.request_id:
            assert outcome.ok, outcome
            assert told(method, outcome) == told(method, first)
        else:
            # Another spelling is another payload of the same id; it must not act again.
            assert outcome.ok or outcome.reason == "REQUEST_ID_REUSED", outcome
    assert await STATE[service](wire.channel) == before
    await ready.settle()


@pytest.mark.parametrize("name", sorted(set(MUTATIONS) - ELSEWHERE))
async def test_an_id_that_comes_with_another_request_is_refused(stack, name):
    ready = Ready(stack)
    service, method = MUTATIONS[name]
    wire, request = ready.wires[service], await ready.request(name)
    assert (await wire.send(method, [request.SerializeToString()])).ok
    before = await STATE[service](wire.channel)
    other = type(request)()
    other.CopyFrom(request)
    change(other)
    outcome = await wire.send(method, [other.SerializeToString()])
    # A stale token or an unknown name may be noticed before the id is.
    assert outcome.code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
    )
    if outcome.code is grpc.StatusCode.INVALID_ARGUMENT:
        assert outcome.reason == "REQUEST_ID_REUSED", outcome
    assert await STATE[service](wire.channel) == before
    await ready.settle()


@pytest.mark.parametrize("name", ["CreateSummary", "RegisterTool", "StartForge", "Converse"])
async def test_the_same_request_sent_many_times_at_once_acts_once(stack, name):
    ready = Ready(stack)
    service, method = MUTATIONS[name]
    wire, request = ready.wires[service], await ready.request(name)
    payload = [request.SerializeToString()]
    outcomes = await asyncio.gather(*(wire.send(method, payload) for _ in range(8)))
    assert all(outcome.ok for outcome in outcomes)
    assert len({identity(method, outcome) for outcome in outcomes}) == 1


def change(request) -> None:
    """Makes another request of it, still a good one where that can be."""
    for field in ("namespace", "text", "persona", "holder", "name", "source", "note"):
        if field in request.DESCRIPTOR.fields_by_name and getattr(request, field):
            setattr(request, field, getattr(request, field) + "x")
            return
    if "turn_number" in request.DESCRIPTOR.fields_by_name:
        request.rating = supervisor.RATING_BAD
    elif request.DESCRIPTOR.name == "ImportSomaRequest":
        request.soma.turns[0].user_text += "x"
    elif "soma" in request.DESCRIPTOR.fields_by_name:
        request.soma += "x"
    else:
        request.fencing_token += 1


def told(method, outcome):
    """The answer, whose bytes may hold a map in any order; of what lives on only its name."""
    if method.name in LIVE:
        return identity(method, outcome)
    return _answer_type(method).FromString(outcome.responses[-1])


def identity(method, outcome) -> str:
    """What an answer is about."""
    answer = _answer_type(method).FromString(outcome.responses[-1])
    if method.name in LIVE:
        return getattr(answer, LIVE[method.name]).name
    if method.name == "Converse":
        return answer.finished.soma
    return answer.summary.id if method.name == "CreateSummary" else answer.tool.version


def _answer_type(method):
    (module,) = [m for m in PACKAGES.values() if m.DESCRIPTOR is method.output_type.file]
    return getattr(module, method.output_type.name)
