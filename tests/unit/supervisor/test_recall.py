import pytest

from services.supervisor.recall import Recall, Recalled, only_asks, ranked
from shared.errors import InvalidArgument, Unavailable
from tests.unit.supervisor.samples import found

NOBODY: set = set()


def texts(hits, disowned=NOBODY):
    return [r.text for r in ranked("ROBIN", hits, disowned)]


@pytest.mark.parametrize(
    "text",
    ["What is my boat called?", "Where? When?", "船の名前は？", "أين؟", " Why? \n"],
)
def test_texts_that_only_ask(text):
    assert only_asks(text)


@pytest.mark.parametrize(
    "text", ["My boat is called Ondine. Do you like it?", "Tell me.", "", "?!", "3.5 m long"]
)
def test_texts_that_say_something(text):
    assert not only_asks(text)


def test_earlier_questions_make_room_for_facts():
    hits = [found("What is my boat called?", score=2.0), found("My boat is called Ondine.")]
    assert texts(hits) == ["My boat is called Ondine."]


def test_a_personas_questions_are_its_own_words_and_no_questions_of_the_user():
    assert texts([found("Shall I order the part?", speaker="ROBIN")]) == ["Shall I order the part?"]


def test_the_personas_own_words_count_half_and_not_at_all_beside_better_hits():
    hits = [
        found("You like boats.", speaker="ROBIN", score=1.4),
        found("My boat is called Ondine.", score=1.0),
        found("Noted.", speaker="ROBIN", score=0.7),
    ]
    assert texts(hits) == ["My boat is called Ondine.", "You like boats."]


def test_another_personas_words_and_documents_count_whole():
    hits = [found("From BABS.", speaker="BABS", score=0.9), found("Page 3.", "document", 1.0)]
    assert texts(hits) == ["Page 3.", "From BABS."]


def test_what_was_called_wrong_is_not_recalled_but_its_correction_is():
    hits = [
        found("It is called Bob.", "ROBIN", 2.0, turn=3),
        found("It is called Ondine.", "ROBIN", 1.0, turn=3, correction=True),
        found("What I said in that turn.", "user", 0.7, turn=3),
    ]
    assert texts(hits, {("somas/old", 3)}) == ["It is called Ondine.", "What I said in that turn."]


def test_what_scores_far_less_than_the_best_is_about_something_else():
    hits = [
        found("My boat is Ondine.", score=3.0),
        found("My boat leaks.", score=1.9),
        found("I like tea.", score=1.7),
    ]
    assert texts(hits, NOBODY) == ["My boat is Ondine.", "My boat leaks."]


def test_the_same_words_are_recalled_once_with_their_best_score():
    hits = [found("My boat  is Ondine.", score=0.5), found("my boat is ondine.", score=0.8)]
    (once,) = ranked("ROBIN", hits, NOBODY)
    assert once.score == 0.8


class Answering:
    """A Memory that answers with what it is given, or raises it; and never settles late."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def search(self, namespace, query, limit, excluded_soma, seconds):
        self.asked.append((namespace, query, excluded_soma))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def remember(self, batch):
        raise AssertionError("recall remembers nothing")

    async def disowned(self, turns):
        return NOBODY

    async def settled(self, seconds):
        return


async def recalled(answer, text="boat"):
    peer = Answering(answer)
    return await Recall(peer, peer, peer, 1.0).recall("ROBIN", text, "somas/now"), peer


async def test_recall_asks_for_other_somas_of_the_persona():
    _, peer = await recalled([])
    assert peer.asked == [("personas/ROBIN", "boat", "somas/now")]


async def test_recall_says_so_when_memory_is_away():
    assert (await recalled(Unavailable("away")))[0] == Recalled(unavailable=True)


async def test_a_text_without_words_recalls_nothing_and_memory_is_not_away():
    assert (await recalled(InvalidArgument("no words")))[0] == Recalled()
    nothing, peer = await recalled([], text=" \n ")
    assert nothing == Recalled()
    assert peer.asked == []


async def test_five_are_recalled_at_most():
    outcome, _ = await recalled([found(f"Fact {n}.", score=10 + n) for n in range(9)])
    assert [r.text for r in outcome.recollections] == [f"Fact {n}." for n in (8, 7, 6, 5, 4)]
