"""The client for asyncio against the same services."""

import asyncio

import pytest
from batos.client import Cancelled, InvalidArgument, NotFound, ToolFailed
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_a_turn_comes_in_pieces_and_ends_as_it_is_kept(async_batos):
    async with async_batos.chat("Good morning.", persona="BRICK") as turn:
        said = "".join([event.delta async for event in turn])
        finished = await turn.result()
    assert said == finished.turn.assistant_text != ""
    rated = await async_batos.rate(finished.soma, 1, good=False)
    assert rated.rating == supervisor_pb2.RATING_BAD
    corrected = await async_batos.correct(finished.soma, 1, "Good day.")
    assert corrected.correction == "Good day."
    assert finished.soma in [soma.name async for soma in async_batos.somas(golden_only=True)]


async def test_turns_side_by_side(async_batos):
    answers = await asyncio.gather(
        *(async_batos.ask(f"Good morning, {n}.", persona="BRICK") for n in range(4))
    )
    assert len({answer.soma for answer in answers}) == 4


async def test_a_stream_closed_early_gives_the_turn_up(async_batos):
    soma = (await async_batos.ask("Good morning.", persona="BRICK")).soma
    async with async_batos.chat("Good evening.", soma=soma) as turn:
        await anext(turn)
    with pytest.raises(Cancelled):
        await turn.result()
    assert (await async_batos.ask("Good night.", soma=soma)).turn.number == 2


async def test_memory_and_lists(async_batos):
    namespace = "personas/ASYNC"
    texts = [f"Entry number {number}." for number in range(1001)]
    ids = await async_batos.remember(*texts, namespace=namespace)
    assert len(set(ids)) == 1001
    hits = await async_batos.recall("Which entry?", namespace=namespace, limit=3)
    assert len(hits) == 3
    assert (await async_batos.forget(*ids[:1000], namespace=namespace)).forgotten_count == 1000
    assert "BRICK" in [persona.name async for persona in async_batos.personas()]


async def test_bad_arguments_and_absent_things(async_batos):
    with pytest.raises(InvalidArgument) as caught:
        await async_batos.recall("", namespace="personas/ASYNC")
    assert [violation.field for violation in caught.value.violations] == ["query"]
    with pytest.raises(NotFound):
        await async_batos.ask("Hello.", persona="NOBODY")
    with pytest.raises(NotFound):
        await async_batos.invoke("no_such_tool")


async def test_a_forge_and_its_tool(async_batos):
    examples = [({"text": "a b"}, 2), ({"text": "a b c"}, 3), ({"text": "a"}, 1)]
    work = await async_batos.forge("words_in", "Count the words of a text.", examples)
    attempts = [event.attempt async for event in work if event.HasField("attempt")]
    forge = await work.result()
    assert [attempt.number for attempt in attempts] == [each.number for each in forge.attempts]
    if forge.tool:
        assert await async_batos.invoke(forge.tool, text="one two") == 2
        with pytest.raises((ToolFailed, InvalidArgument)):
            await async_batos.invoke(forge.tool, text=None)
        assert forge.tool in [tool.name async for tool in async_batos.tools()]


async def test_a_run_is_watched_to_its_end(async_batos):
    run = await async_batos.train("ALFRED")
    async with async_batos.watch(run.name) as work:
        states = [event.state async for event in work]
        assert (await work.result()).state == states[-1] == trainer_pb2.TRAINING_STATE_FAILED
    assert run.name in [each.name async for each in async_batos.runs()]


async def test_an_image_is_saved_and_listed(async_batos):
    image = await async_batos.save_image("kept").result()
    assert image.name in [each.name async for each in async_batos.images()]


async def test_the_journal_from_where_one_was(async_batos):
    await async_batos.ask("Good morning.", persona="BRICK")
    async with async_batos.events(after=1) as events:
        assert (await anext(events)).sequence == 2
