"""Messages of a chat, and what the Supervisor kept of it."""

from __future__ import annotations

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc

from deploy.local.stack import LocalStack


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def soma_of(answer) -> str:
    return answer.batos["soma"]


def turns_of(stack: LocalStack, soma: str) -> list[pb.Turn]:
    """The turns of a Soma, as the Supervisor tells them."""
    with grpc.insecure_channel(stack.addresses["supervisor"]) as channel:
        stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
        return list(stub.GetSoma(pb.GetSomaRequest(name=soma), timeout=10).soma.turns)


def somas_of(stack: LocalStack) -> list[str]:
    """All Somas, newest first, for clients that drop what they do not know, such as Ollama's."""
    with grpc.insecure_channel(stack.addresses["supervisor"]) as channel:
        stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
        return [s.name for s in stub.ListSomas(pb.ListSomasRequest(), timeout=10).somas]
