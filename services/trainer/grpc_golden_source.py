"""ToolForge's trajectories and the Supervisor's Somas as the port `GoldenSource`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1 import toolforge_pb2
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from services.trainer import tool_turns
from services.trainer.arbiter import Arbiter
from services.trainer.golden_example import Expectation, GoldenExample, ToolSpec
from services.trainer.peer_error import peer_error
from services.trainer.training_job import Message

_PAGE_SIZE = 200
_MAX_PAGES = 5000  # a peer that never ends its list must not hold this service for ever
_SOURCES = {
    toolforge_pb2.TOOL_ORIGIN_FORGED: "forge",
    toolforge_pb2.TOOL_ORIGIN_REGISTERED: "tool",
}


class GrpcGoldenSource:
    """Tools are golden for the toolsmith; rated and corrected turns for whoever spoke them."""

    def __init__(
        self,
        arbiter: Arbiter,
        toolforge: tuple[grpc.aio.Channel, str],
        supervisor: tuple[grpc.aio.Channel, str],
    ) -> None:
        """Each channel comes with the address that error sentences name."""
        self._arbiter = arbiter
        self._toolforge, self._toolforge_address = ToolForgeServiceStub(toolforge[0]), toolforge[1]
        self._supervisor, self._supervisor_address = (
            SupervisorServiceStub(supervisor[0]),
            supervisor[1],
        )

    async def examples(self, persona: str) -> list[GoldenExample]:
        """As `GoldenSource.examples`."""
        card = await self._arbiter.persona(persona)
        examples = [example async for example in self._turns(card.name)]
        if card.toolsmith:
            examples += [example async for example in self._tools(card.system_prompt)]
        return examples

    async def _tools(self, system_prompt: str) -> AsyncIterator[GoldenExample]:
        request = toolforge_pb2.ExportTrajectoriesRequest(include_failed=False)
        try:
            async for response in self._toolforge.ExportTrajectories(request):
                if response.trajectory.passed:
                    yield _tool(response.trajectory, system_prompt)
        except grpc.RpcError as error:
            raise peer_error("toolforge", self._toolforge_address, error) from error

    async def _turns(self, persona: str) -> AsyncIterator[GoldenExample]:
        try:
            async for name in self._golden_somas(persona):
                for example in soma_examples(await self._soma(name)):
                    yield example
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._supervisor_address, error) from error

    async def _soma(self, name: str) -> supervisor_pb2.Soma:
        """With all its turns: an example needs what was said before it."""
        whole = supervisor_pb2.Soma(name=name)
        token = ""
        for _ in range(_MAX_PAGES):
            page = await self._supervisor.GetSoma(
                supervisor_pb2.GetSomaRequest(name=name, page_size=_PAGE_SIZE, page_token=token)
            )
            whole.turns.extend(page.soma.turns)
            token = page.next_page_token
            if not token:
                break
        return whole

    async def _golden_somas(self, persona: str) -> AsyncIterator[str]:
        token = ""
        for _ in range(_MAX_PAGES):
            page = await self._supervisor.ListSomas(
                supervisor_pb2.ListSomasRequest(
                    persona=persona, page_size=_PAGE_SIZE, page_token=token, golden_only=True
                )
            )
            for soma in page.somas:
                yield soma.name
            token = page.next_page_token
            if not token:
                return


def soma_examples(soma: supervisor_pb2.Soma) -> list[GoldenExample]:
    """The golden turns of one Soma, each with the turns before it as they were spoken.

    A correction counts before a rating: who corrects an answer wants other words, whatever tools
    were called. Of a good turn each call is an example, and the answer after it with the results
    before it: its words alone would teach to know a result without asking.
    """
    examples: list[GoldenExample] = []
    earlier: list[Message] = []
    for turn in soma.turns:
        said: list[Message] = [{"role": "user", "content": turn.user_text}]
        asked = ({"role": "system", "content": turn.system_text}, *earlier, *said)
        examples += _turn_examples(soma.name, turn, asked)
        earlier += [*said, {"role": "assistant", "content": turn.assistant_text}]
    return examples


def _turn_examples(
    soma: str, turn: supervisor_pb2.Turn, asked: tuple[Message, ...]
) -> Iterator[GoldenExample]:
    if turn.correction:
        yield GoldenExample("correction", soma, asked, turn.correction, origin=soma)
    elif turn.rating == supervisor_pb2.RATING_GOOD:
        tools = tool_turns.offered(turn)
        for step in tool_turns.steps(turn):
            yield GoldenExample(
                source="rating",
                family=soma,
                prompt=(*asked, *step.before),
                answer=step.answer,
                origin=soma,
                tools=tools,
                calls=step.calls,
            )


def _tool(trajectory: toolforge_pb2.Trajectory, system_prompt: str) -> GoldenExample:
    asked = [{"role": m.role, "content": m.content} for m in trajectory.prompt]
    return GoldenExample(
        source=_SOURCES.get(trajectory.origin, "tool"),
        family=trajectory.family,
        prompt=({"role": "system", "content": system_prompt}, *asked),
        answer=trajectory.code.rstrip("\n"),
        spec=ToolSpec(
            trajectory.spec.name,
            tuple(Expectation(e.arguments_json, e.result_json) for e in trajectory.spec.examples),
        ),
        origin=trajectory.source_name,
    )
