"""A training run from its golden examples to the swap, over real sockets and processes."""

from __future__ import annotations

from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2

from tests.integration.trainer.conftest import Neighbourhood, figures_of


async def test_a_corrected_persona_learns_and_is_swapped(neighbourhood: Neighbourhood) -> None:
    await neighbourhood.correct_somas(36)
    before = (await neighbourhood.persona()).persona

    run = await neighbourhood.start()
    events = [event async for event in neighbourhood.events(run.name)]
    run = await neighbourhood.end(run.name)

    assert run.state == trainer_pb2.TRAINING_STATE_SUCCEEDED, figures_of(run)
    assert run.figures.heldout_before == 0
    assert run.figures.heldout_after > 0.9
    assert run.figures.template_parity
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    states = list(dict.fromkeys(event.state for event in events))
    assert states == list(
        range(trainer_pb2.TRAINING_STATE_QUEUED, trainer_pb2.TRAINING_STATE_SUCCEEDED + 1)
    )
    after = await neighbourhood.persona()
    assert after.serving_state == supervisor_pb2.SERVING_STATE_SERVING
    assert (after.persona.model.tag, after.persona.model.digest) == (run.model, run.model_digest)
    assert after.persona.model.generation == run.generation == before.model.generation + 1
    assert after.persona.previous.tag == before.model.tag
