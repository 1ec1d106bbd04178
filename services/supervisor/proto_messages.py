"""The Supervisor's domain as messages of its contract."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from batos.supervisor.v1 import supervisor_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.supervisor.answering import Ready
from services.supervisor.conversation import Finished, Happening
from services.supervisor.events import Event
from services.supervisor.gpu_lease import Standing
from services.supervisor.persona import ModelPointer, Persona
from services.supervisor.soma import Recollection, Soma, Turn
from services.supervisor.speech import Called, Calling, Delta
from services.supervisor.sqlite_soma_search import TurnHit
from services.supervisor.tools import COLLECTION, Offer, ToolCall


def persona_message(persona: Persona) -> pb.Persona:
    """A persona as it stands."""
    return pb.Persona(
        name=persona.name,
        system_prompt=persona.system_prompt,
        model=_pointer(persona.model),
        previous=_pointer(persona.previous) if persona.previous else None,
        base_model=persona.base_model,
        toolsmith=persona.toolsmith,
        options=persona.options,
        tool_limit=persona.tool_limit,
    )


def soma_message(soma: Soma) -> pb.Soma:
    """A Soma with the turns that it carries."""
    return pb.Soma(
        name=soma.name,
        persona=soma.persona,
        created_at=timestamp_message(soma.created_at),
        turns=[turn_message(turn) for turn in soma.turns],
        closed_at=timestamp_message(soma.closed_at) if soma.closed_at else None,
    )


def turn_message(turn: Turn) -> pb.Turn:
    """A turn as kept."""
    return pb.Turn(
        number=turn.number,
        user_text=turn.user_text,
        assistant_text=turn.assistant_text,
        system_text=turn.system_text,
        recollections=_recollections(turn.recollections),
        model=_pointer(turn.model),
        rating=pb.Rating.ValueType(turn.rating),
        correction=turn.correction,
        created_at=timestamp_message(turn.created_at),
        first_token=duration_message(turn.first_token_seconds),
        wall=duration_message(turn.wall_seconds),
        recall_unavailable=turn.recall_unavailable,
        tools=[_offered(offer) for offer in turn.tools],
        tool_calls=[_tool_call(call) for call in turn.tool_calls],
        tools_unavailable=turn.tools_unavailable,
        prompt_tokens=turn.prompt_tokens,
        answer_tokens=turn.answer_tokens,
    )


def converse_message(happening: Happening) -> pb.ConverseResponse:
    """What happens in a turn."""
    match happening:
        case Ready(recalled, tools):
            ready = pb.Recalled(
                recollections=_recollections(recalled.recollections),
                tools=[_offered(offer) for offer in tools],
            )
            return pb.ConverseResponse(recalled=ready)
        case Delta(text):
            return pb.ConverseResponse(delta=text)
        case Calling(call):
            return pb.ConverseResponse(calling=_tool_call(call))
        case Called(call):
            return pb.ConverseResponse(called=_tool_call(call))
        case Finished(soma, turn):
            finished = pb.Finished(soma=soma.name, turn=turn_message(turn))
            return pb.ConverseResponse(finished=finished)


def hit_message(hit: TurnHit) -> pb.TurnHit:
    """A turn that was found."""
    return pb.TurnHit(
        soma=hit.soma,
        turn_number=hit.number,
        persona=hit.persona,
        excerpt=hit.excerpt,
        score=hit.score,
    )


def lease_message(standing: Standing) -> pb.GpuLease:
    """A lease that is held."""
    return pb.GpuLease(
        fencing_token=standing.fencing_token,
        holder=standing.claim.holder,
        ttl=duration_message(standing.claim.ttl),
    )


def event_message(event: Event) -> pb.Event:
    """One line of the journal."""
    return pb.Event(
        sequence=event.sequence,
        created_at=timestamp_message(event.created_at),
        kind=pb.EventKind.ValueType(event.happening.kind),
        persona=event.happening.persona,
        subject=event.happening.subject,
        message=event.happening.message,
    )


def duration_message(seconds: float) -> Duration:
    """A span of seconds."""
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _offered(offer: Offer) -> pb.OfferedTool:
    return pb.OfferedTool(
        tool=offer.resource,
        description=offer.description,
        schema_json=json.dumps(dict(offer.schema), ensure_ascii=False),
    )


def _tool_call(call: ToolCall) -> pb.ToolCall:
    return pb.ToolCall(
        tool=f"{COLLECTION}/{call.name}",
        arguments_json=call.arguments_json,
        result=call.result,
        outcome=pb.ToolCallOutcome.ValueType(call.outcome),
        wall=duration_message(call.wall_seconds),
        position=call.position,
    )


def _pointer(pointer: ModelPointer) -> pb.ModelPointer:
    return pb.ModelPointer(tag=pointer.tag, digest=pointer.digest, generation=pointer.generation)


def _recollections(recollections: Iterable[Recollection]) -> list[pb.Recollection]:
    return [
        pb.Recollection(
            record_id=r.record_id,
            speaker=r.speaker,
            text=r.text,
            soma=r.soma,
            created_at=timestamp_message(r.created_at),
            score=r.score,
        )
        for r in recollections
    ]


def timestamp_message(moment: datetime) -> Timestamp:
    """A moment."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
