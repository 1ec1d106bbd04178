"""The blocking client against all services; the model server's starter model answers."""

import uuid

import grpc
import pytest
from batos.client import Cancelled, FailedPrecondition, InvalidArgument, NotFound, ToolFailed
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from batos.trainer.v1 import trainer_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NOTES = "personas/NOTES"


def test_a_turn_comes_in_pieces_and_ends_as_it_is_kept(batos):
    with batos.chat("Good morning.", persona="BRICK") as turn:
        events = list(turn)
        finished = turn.result()
    assert events[0].HasField("recalled")
    assert "".join(event.delta for event in events) == finished.turn.assistant_text != ""
    assert finished.soma in [soma.name for soma in batos.somas("BRICK")]


def test_a_conversation_goes_on_and_is_graded(batos):
    first = batos.ask("Good morning.", persona="BRICK")
    second = batos.ask("And good night.", soma=first.soma)
    assert (second.soma, second.turn.number) == (first.soma, 2)
    rated = batos.rate(first.soma, 1, good=True)
    assert rated.rating == supervisor_pb2.RATING_GOOD
    assert batos.correct(first.soma, 2, "Sleep well.").correction == "Sleep well."
    assert first.soma in [soma.name for soma in batos.somas(golden_only=True)]


def test_the_same_request_is_answered_once(batos):
    asked = str(uuid.uuid4())
    first = batos.ask("Good morning.", persona="BRICK", request_id=asked)
    assert batos.ask("Good morning.", persona="BRICK", request_id=asked) == first


def test_a_turn_that_is_closed_early_is_given_up_and_the_next_is_answered(batos):
    soma = batos.ask("Good morning.", persona="BRICK").soma
    with batos.chat("Good evening.", soma=soma) as turn:
        next(turn)
    assert list(turn) == []
    with pytest.raises(Cancelled):
        turn.result()
    assert batos.ask("Good night.", soma=soma).turn.number == 2


def test_personas_come_by_name(batos):
    names = [persona.name for persona in batos.personas()]
    assert "BRICK" in names
    assert names == sorted(names)


def test_what_is_remembered_is_recalled_until_it_is_forgotten(batos):
    ids = batos.remember("The key is under the red pot.", "The cat is Mia.", namespace=NOTES)
    hits = batos.recall("Where is the key?", namespace=NOTES)
    assert hits[0].record.id == ids[0]
    assert batos.forget(ids[0], namespace=NOTES).forgotten_count == 1
    left = [hit.record.id for hit in batos.recall("Where is the key?", namespace=NOTES)]
    assert ids[0] not in left
    assert ids[1] in left


def test_more_than_a_batch_is_remembered_in_order(batos):
    texts = [f"Entry number {number} of the log." for number in range(1203)]
    ids = batos.remember(*texts, namespace="personas/LOG")
    assert len(set(ids)) == len(texts)
    batos.forget(ids[0], ids[-1], namespace="personas/LOG")
    again = batos.recall("number 1202", namespace="personas/LOG", limit=100)
    assert ids[-1] not in [hit.record.id for hit in again]


def test_faulty_fields_are_named(batos):
    with pytest.raises(InvalidArgument) as caught:
        batos.recall("", namespace=NOTES)
    assert [violation.field for violation in caught.value.violations] == ["query"]


def test_what_is_not_there_is_not_found(batos):
    with pytest.raises(NotFound) as caught:
        batos.ask("Hello.", persona="NOBODY")
    assert caught.value.reason
    with pytest.raises(NotFound):
        batos.watch("trainingRuns/none").result()


@pytest.fixture(scope="module")
def halve(settings):
    """A tool of the owner's own, which raises for odd numbers."""
    example = toolforge_pb2.Example(arguments_json='{"number": 8}', result_json="4")
    request = toolforge_pb2.RegisterToolRequest(
        request_id=str(uuid.uuid4()),
        spec=toolforge_pb2.Spec(name="halve", description="Halves a number.", examples=[example]),
        source='def halve(number: int) -> int:\n    """Halves."""\n'
        "    if number % 2:\n        raise ValueError('it is odd')\n    return number // 2\n",
    )
    with grpc.insecure_channel(settings.toolforge) as channel:
        return ToolForgeServiceStub(channel).RegisterTool(request, timeout=60).tool


def test_a_tool_is_listed_and_run(batos, halve):
    assert halve.name in [tool.name for tool in batos.tools()]
    assert batos.invoke("halve", number=10) == 5
    assert batos.invoke(halve.name, number=4) == 2


def test_a_tool_that_raises_says_what(batos, halve):
    with pytest.raises(ToolFailed, match="it is odd") as caught:
        batos.invoke("halve", number=3)
    assert caught.value.response.outcome == toolforge_pb2.INVOCATION_OUTCOME_FAILED


def test_arguments_that_do_not_fit_are_refused_before_a_run(batos, halve):
    with pytest.raises(InvalidArgument) as caught:
        batos.invoke("halve", number="ten")
    assert caught.value.violations
    with pytest.raises(InvalidArgument, match="not JSON serializable"):
        batos.invoke("halve", number={1, 2})


def test_a_forge_is_watched_to_its_end(batos):
    examples = [({"a": 1, "b": 2}, 3), ({"a": 5, "b": 5}, 10)]
    with batos.forge("add_up", "Add two numbers.", examples) as work:
        events = list(work)
        forge = work.result()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state == forge.state
    assert len(forge.attempts) == len([event for event in events if event.HasField("attempt")])
    if forge.state == toolforge_pb2.FORGE_STATE_SUCCEEDED:
        assert batos.invoke("add_up", a=20, b=22) == 42


def test_a_run_is_begun_and_watched_to_its_end(batos):
    """ROBIN has nothing to learn from yet, so the end is near."""
    run = batos.train("ROBIN")
    assert run.name in [each.name for each in batos.runs()]
    with batos.watch(run.name) as work:
        events = list(work)
        ended = work.result()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state == ended.state == trainer_pb2.TRAINING_STATE_FAILED
    assert ended.failure


def test_an_image_is_saved_and_listed(batos):
    image = batos.save_image("before the holidays").result()
    assert image.note == "before the holidays"
    assert image.name in [each.name for each in batos.images()]


def test_an_image_is_loaded_and_what_came_after_it_is_gone(batos):
    image = batos.save_image().result()
    batos.remember("Said after the image.", namespace="personas/AFTER")
    loaded = batos.load_image(image.name, discard_current=True).result()
    assert loaded.image.name == image.name
    assert batos.recall("Said after the image.", namespace="personas/AFTER") == []
    with pytest.raises(NotFound):
        batos.load_image("images/00000000").result()


def test_a_persona_that_never_changed_cannot_be_rolled_back(batos):
    with pytest.raises(FailedPrecondition) as caught:
        batos.roll_back("BABS")
    assert caught.value.reason


def test_the_journal_is_read_from_where_one_was(batos):
    batos.ask("Good morning.", persona="BRICK")
    with batos.events() as events:
        first = next(events)
    assert first.sequence == 1
    with batos.events(after=1) as events:
        assert next(events).sequence == 2
