"""The Supervisor over gRPC."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.gateway.speech import Delta, Finished, Persona, Turns, Utterance
from shared.errors import AlreadyExists, NotFound
from shared.rpc_status import from_rpc_error

_HEALTH_SECONDS = 2.0


class SupervisorPeer:
    """Personas and their conversations; errors come as the Supervisor gives them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: supervisor_pb2_grpc.SupervisorServiceAsyncStub = (
            supervisor_pb2_grpc.SupervisorServiceStub(channel)
        )
        self._health: Any = health_pb2_grpc.HealthStub(channel)

    async def is_serving(self) -> bool:
        """What it says of itself; False where it does not answer."""
        try:
            answer = await self._health.Check(
                health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS
            )
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def personas(self) -> list[Persona]:
        """All of them, by name."""
        found: list[Persona] = []
        request = pb.ListPersonasRequest(page_size=500)
        while True:
            try:
                page = await self._stub.ListPersonas(request)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            found += [_persona(message) for message in page.personas]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def persona(self, model: str) -> Persona:
        """The persona that a client names as a model; NotFound (MODEL_NOT_FOUND).

        Names count in any case, with or without Ollama's `:latest`.
        """
        name = model.strip().removesuffix(":latest").upper()
        try:
            # An empty name would mean the toolsmith.
            answer = await self._stub.GetPersona(pb.GetPersonaRequest(name=name or "?"))
        except grpc.RpcError as error:
            known = from_rpc_error(error)
            if isinstance(known, NotFound):
                raise NotFound(f"model '{model}' not found", reason="MODEL_NOT_FOUND") from error
            raise known from error
        return _persona(answer.persona)

    async def take_over(self, soma_id: str, persona: str, turns: Turns) -> str:
        """Makes a Soma of a conversation from elsewhere; its name. One that is there is kept."""
        name = f"somas/{soma_id}"
        soma = pb.Soma(name=name, persona=persona, created_at=_now(), turns=_turns(turns))
        request = pb.ImportSomaRequest(request_id=str(uuid.uuid4()), soma=soma)
        try:
            await self._stub.ImportSoma(request)
        except grpc.RpcError as error:
            known = from_rpc_error(error)
            if not isinstance(known, AlreadyExists):
                raise known from error
        return name

    async def converse(self, utterance: Utterance) -> AsyncGenerator[Delta | Finished, None]:
        """The answer, piece by piece; closing the generator cancels the call."""
        request = pb.ConverseRequest(
            request_id=utterance.request_id,
            soma=utterance.soma,
            persona=utterance.persona,
            text=utterance.text,
        )
        call = self._stub.Converse(request)
        try:
            async for event in call:
                match event.WhichOneof("event"):
                    case "delta":
                        yield Delta(event.delta)
                    case "finished":
                        yield _finished(event.finished)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()


def _persona(message: pb.Persona) -> Persona:
    return Persona(
        name=message.name,
        system_prompt=message.system_prompt,
        model_tag=message.model.tag,
        model_digest=message.model.digest,
        generation=message.model.generation,
        options=dict(message.options),
    )


def _now() -> Timestamp:
    timestamp = Timestamp()
    timestamp.GetCurrentTime()
    return timestamp


def _turns(turns: Turns) -> Iterator[pb.Turn]:
    """Turns said now, a millisecond apart: nobody told when, but the order counts."""
    first = time.time_ns() - len(turns) * 1_000_000
    for number, (question, answer) in enumerate(turns, start=1):
        created_at = Timestamp()
        created_at.FromNanoseconds(first + number * 1_000_000)
        yield pb.Turn(
            number=number, user_text=question, assistant_text=answer, created_at=created_at
        )


def _finished(finished: pb.Finished) -> Finished:
    turn = finished.turn
    return Finished(
        soma=finished.soma,
        text=turn.assistant_text,
        prompt_tokens=turn.prompt_tokens,
        answer_tokens=turn.answer_tokens,
        first_token_seconds=turn.first_token.ToTimedelta().total_seconds(),
        wall_seconds=turn.wall.ToTimedelta().total_seconds(),
        about={
            "soma": finished.soma,
            "turn": turn.number,
            "model": {
                "tag": turn.model.tag,
                "digest": turn.model.digest,
                "generation": turn.model.generation,
            },
            "recalled": [_recollection(each) for each in turn.recollections],
            "recall_unavailable": turn.recall_unavailable,
            "tool_calls": [_call(each) for each in turn.tool_calls],
            "tools_unavailable": turn.tools_unavailable,
        },
    )


def _recollection(message: pb.Recollection) -> dict[str, Any]:
    return {
        "id": message.record_id,
        "speaker": message.speaker,
        "text": message.text,
        "soma": message.soma,
        "created_at": message.created_at.ToJsonString(),
        "score": round(message.score, 4),
    }


def _call(message: pb.ToolCall) -> dict[str, Any]:
    outcome = pb.ToolCallOutcome.Name(message.outcome).removeprefix("TOOL_CALL_OUTCOME_")
    return {
        "tool": message.tool,
        "arguments": _arguments(message.arguments_json),
        "result": message.result,
        "outcome": outcome.lower(),
        "seconds": message.wall.ToTimedelta().total_seconds(),
    }


def _arguments(text: str) -> Any:
    """The arguments as JSON; as the text that it is where a model wrote anything else."""
    try:
        return json.loads(text)
    except ValueError:
        return text
