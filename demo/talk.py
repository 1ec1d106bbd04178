"""A turn with a persona, streamed to the terminal."""

from dataclasses import dataclass

from batos.supervisor.v1 import supervisor_pb2 as pb

from demo.stage import Stage


@dataclass(frozen=True)
class Answer:
    """A finished turn and the Soma that it belongs to."""

    soma: str
    turn: pb.Turn


async def ask(stage: Stage, persona: str, text: str, *, soma: str = "", label: str) -> Answer:
    """Says something to a persona and returns its durable answer."""
    request = pb.ConverseRequest(
        request_id=stage.journey.request_id(label), soma=soma, persona=persona, text=text
    )
    finished: pb.Finished | None = None
    async for response in stage.supervisor.Converse(request):
        if response.WhichOneof("event") == "finished":
            finished = response.finished
    if finished is None:
        raise EOFError("the turn's stream ended without its last event")
    return Answer(finished.soma, finished.turn)
