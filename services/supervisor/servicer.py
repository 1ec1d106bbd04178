"""SupervisorService: messages in, domain, messages out."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb

from services.supervisor import events, listing, soma_export
from services.supervisor.answering import Question
from services.supervisor.conversation import Conversation
from services.supervisor.gpu_arbiter import GpuArbiter
from services.supervisor.gpu_lease import DEFAULT_TTL, Claim
from services.supervisor.grading import Grade
from services.supervisor.images.methods import Images
from services.supervisor.images.servicer import ImagesServicer
from services.supervisor.persona import ModelPointer
from services.supervisor.proto_messages import (
    converse_message,
    event_message,
    hit_message,
    lease_message,
    persona_message,
    soma_message,
    turn_message,
)
from services.supervisor.soma import COLLECTION, Soma
from services.supervisor.soma_import import read_soma
from services.supervisor.sqlite_events import SqliteEvents
from services.supervisor.sqlite_personas import SqlitePersonas
from services.supervisor.sqlite_soma_search import SqliteSomaSearch
from services.supervisor.sqlite_somas import SqliteSomas
from services.supervisor.swap import Report, Swapper, paired
from shared import ledger, naming, pages
from shared.durations import seconds_of
from shared.ledger import Ledger

Context = grpc.aio.ServicerContext[Any, Any]
A = TypeVar(
    "A",
    pb.RateSomaResponse,
    pb.CorrectSomaResponse,
    pb.CloseSomaResponse,
    pb.ImportSomaResponse,
    pb.ReportModelSwapResponse,
    pb.RollBackPersonaResponse,
)
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Domain:
    """What the servicer delegates to."""

    conversation: Conversation
    somas: SqliteSomas
    personas: SqlitePersonas
    arbiter: GpuArbiter
    swapper: Swapper
    events: SqliteEvents
    ledger: Ledger
    images: Images
    search: SqliteSomaSearch


class SupervisorServicer(ImagesServicer):
    """Translates between the contract and the domain; decides nothing."""

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain.images, domain.ledger)
        self._domain = domain

    async def Converse(
        self, request: pb.ConverseRequest, context: Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        """One turn."""
        question = Question(
            request_id=naming.parse_request_id(request.request_id),
            payload_sha256=_digest(request),
            soma_id=naming.parse(request.soma, COLLECTION, "soma") if request.soma else "",
            persona=request.persona,
            text=request.text,
        )
        async with aclosing(self._domain.conversation.converse(question)) as happenings:
            async for happening in happenings:
                yield converse_message(happening)

    async def RateSoma(self, request: pb.RateSomaRequest, context: Context) -> pb.RateSomaResponse:
        """Says how good a turn was."""
        grade = Grade.rated(_soma_id(request.soma), request.turn_number, request.rating)
        return await self._once(
            request,
            pb.RateSomaResponse,
            lambda receipt: self._domain.somas.grade(grade, receipt),
            lambda turn: pb.RateSomaResponse(turn=turn_message(turn)),
        )

    async def CorrectSoma(
        self, request: pb.CorrectSomaRequest, context: Context
    ) -> pb.CorrectSomaResponse:
        """Says what a turn should have answered."""
        grade = Grade.corrected(_soma_id(request.soma), request.turn_number, request.text)
        return await self._once(
            request,
            pb.CorrectSomaResponse,
            lambda receipt: self._domain.somas.grade(grade, receipt),
            lambda turn: pb.CorrectSomaResponse(turn=turn_message(turn)),
        )

    async def CloseSoma(
        self, request: pb.CloseSomaRequest, context: Context
    ) -> pb.CloseSomaResponse:
        """Ends a Soma."""
        soma_id = _soma_id(request.soma)
        return await self._once(
            request,
            pb.CloseSomaResponse,
            lambda receipt: self._domain.conversation.close(soma_id, receipt),
            lambda soma: pb.CloseSomaResponse(soma=soma_message(soma)),
        )

    async def GetSoma(self, request: pb.GetSomaRequest, context: Context) -> pb.GetSomaResponse:
        """One Soma with a page of its turns; the token is the number of the last one."""
        size, after = pages.size_of(request.page_size), pages.number_of(request.page_token)
        soma_id = naming.parse(request.name, COLLECTION)
        message = soma_message(await self._domain.somas.after(soma_id, after, size + 1))
        turns, more = pages.fitting(message.turns, size)
        del message.turns[len(turns) :]
        token = str(turns[-1].number) if more else ""
        return pb.GetSomaResponse(soma=message, next_page_token=token)

    async def ListSomas(
        self, request: pb.ListSomasRequest, context: Context
    ) -> pb.ListSomasResponse:
        """Somas, newest first."""
        query = listing.Query(
            request.persona, request.golden_only, request.page_size, request.page_token
        )
        somas, token = await listing.listed(self._domain.somas, query)
        return pb.ListSomasResponse(
            somas=[soma_message(soma) for soma in somas], next_page_token=token
        )

    async def SearchSomas(
        self, request: pb.SearchSomasRequest, context: Context
    ) -> pb.SearchSomasResponse:
        """Turns by their words."""
        hits = await self._domain.search.search(request.query, request.persona, request.limit)
        return pb.SearchSomasResponse(hits=[hit_message(hit) for hit in hits])

    async def ExportSomas(
        self, request: pb.ExportSomasRequest, context: Context
    ) -> AsyncIterator[pb.ExportSomasResponse]:
        """Everything, oldest first."""
        async with aclosing(soma_export.pieces(self._domain.somas, request.persona)) as pieces:
            async for soma in pieces:
                yield pb.ExportSomasResponse(soma=soma_message(soma))

    async def ImportSoma(
        self, request: pb.ImportSomaRequest, context: Context
    ) -> pb.ImportSomaResponse:
        """A Soma from elsewhere."""
        soma = read_soma(request.soma)

        async def take(receipt: Callable[[sqlite3.Connection, Soma], None]) -> Soma:
            await self._domain.personas.get(soma.persona or "?")
            return await self._domain.somas.take(soma, receipt)

        return await self._once(
            request,
            pb.ImportSomaResponse,
            take,
            lambda taken: pb.ImportSomaResponse(soma=soma_message(taken)),
        )

    async def ListPersonas(
        self, request: pb.ListPersonasRequest, context: Context
    ) -> pb.ListPersonasResponse:
        """Personas by name; the token is the name of the last one."""
        size, after = pages.size_of(request.page_size), pages.id_of(request.page_token)
        personas = [p for p in await self._domain.personas.all() if p.name > after]
        shown, more = pages.fitting([persona_message(p) for p in personas[: size + 1]], size)
        token = shown[-1].name if more else ""
        return pb.ListPersonasResponse(personas=shown, next_page_token=token)

    async def GetPersona(
        self, request: pb.GetPersonaRequest, context: Context
    ) -> pb.GetPersonaResponse:
        """One persona, and whether its model may be used now."""
        persona = await self._domain.personas.get(request.name)
        return pb.GetPersonaResponse(
            persona=persona_message(persona),
            serving_state=pb.ServingState.ValueType(self._domain.arbiter.state),
        )

    async def AcquireGpuLease(
        self, request: pb.AcquireGpuLeaseRequest, context: Context
    ) -> pb.AcquireGpuLeaseResponse:
        """Claims the GPU."""
        claim = Claim(
            request_id=naming.parse_request_id(request.request_id),
            holder=request.holder,
            ttl=seconds_of(request.ttl, "ttl") or DEFAULT_TTL,
            expected=seconds_of(request.expected_duration, "expected_duration"),
        )
        standing = await self._domain.arbiter.acquire(claim)
        return pb.AcquireGpuLeaseResponse(lease=lease_message(standing))

    async def RenewGpuLease(
        self, request: pb.RenewGpuLeaseRequest, context: Context
    ) -> pb.RenewGpuLeaseResponse:
        """Keeps a lease."""
        async with self._domain.ledger.alone(request):
            self._domain.arbiter.check(request.fencing_token)
            first = await self._domain.ledger.replay(request, pb.RenewGpuLeaseResponse)
            if first is not None:
                return first
            standing = await self._domain.arbiter.renew(request.fencing_token)
            answer = pb.RenewGpuLeaseResponse(lease=lease_message(standing))
            await self._domain.ledger.keep(request, answer)
            return answer

    async def ReleaseGpuLease(
        self, request: pb.ReleaseGpuLeaseRequest, context: Context
    ) -> pb.ReleaseGpuLeaseResponse:
        """Gives the GPU back."""
        async with self._domain.ledger.alone(request):
            first = await self._domain.ledger.replay(request, pb.ReleaseGpuLeaseResponse)
            if first is None:
                await self._domain.arbiter.release(request.fencing_token)
                await self._domain.ledger.keep(request, pb.ReleaseGpuLeaseResponse())
            return pb.ReleaseGpuLeaseResponse()

    async def ReportModelSwap(
        self, request: pb.ReportModelSwapRequest, context: Context
    ) -> pb.ReportModelSwapResponse:
        """Moves a pointer to a finished model."""
        report = _report(request)
        return await self._once(
            request,
            pb.ReportModelSwapResponse,
            lambda receipt: self._domain.swapper.report(report, receipt),
            lambda persona: pb.ReportModelSwapResponse(persona=persona_message(persona)),
        )

    async def RollBackPersona(
        self, request: pb.RollBackPersonaRequest, context: Context
    ) -> pb.RollBackPersonaResponse:
        """Moves a pointer back."""
        return await self._once(
            request,
            pb.RollBackPersonaResponse,
            lambda receipt: self._domain.swapper.roll_back(request.persona, receipt),
            lambda persona: pb.RollBackPersonaResponse(persona=persona_message(persona)),
        )

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        """All events, without end."""
        async with aclosing(events.watch(self._domain.events, request.after_sequence)) as watched:
            async for event in watched:
                yield pb.WatchEventsResponse(event=event_message(event))

    async def _once(
        self,
        request: Any,
        answer_type: type[A],
        mutate: Callable[[Callable[[sqlite3.Connection, D], None]], Awaitable[D]],
        answer: Callable[[D], A],
    ) -> A:
        """Runs a mutation, or gives the answer that the same request got before.

        `mutate` gets the receipt that it must write in its own transaction.
        """

        async def do() -> A:
            return answer(await mutate(lambda c, result: ledger.record(c, request, answer(result))))

        return await self._domain.ledger.once(request, answer_type, do)


def _soma_id(name: str) -> str:
    return naming.parse(name, COLLECTION, "soma")


def _digest(request: pb.ConverseRequest) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def _report(request: pb.ReportModelSwapRequest) -> Report:
    figures = request.figures
    return Report(
        fencing_token=request.fencing_token,
        persona=request.persona,
        model=ModelPointer(request.model_tag, request.model_digest),
        training_run=request.training_run,
        heldout=paired(
            "figures.heldout", list(figures.heldout_incumbent), list(figures.heldout_candidate)
        ),
        regression=paired(
            "figures.regression",
            list(figures.regression_incumbent),
            list(figures.regression_candidate),
        ),
        template_parity=figures.template_parity,
    )
