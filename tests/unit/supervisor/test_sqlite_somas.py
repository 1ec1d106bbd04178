import uuid
from dataclasses import replace

import pytest

from services.supervisor import listing
from services.supervisor.events import EventKind
from services.supervisor.grading import Grade
from services.supervisor.memory import Episode
from services.supervisor.soma import Rating
from services.supervisor.sqlite_events import SqliteEvents
from services.supervisor.sqlite_outbox import SqliteOutbox
from services.supervisor.sqlite_somas import SqliteSomas
from shared.errors import InvalidArgument, NotFound
from tests.unit.supervisor.samples import START, question, soma, turn


@pytest.fixture
def somas(journal) -> SqliteSomas:
    return SqliteSomas(journal)


def no_receipt(connection, graded) -> None:
    return


async def test_a_turn_comes_back_as_it_was_kept(somas):
    kept = await somas.keep(question(), soma(), turn(assistant_text="Grüße\x00 船"))
    again = await somas.get("s1")
    assert kept.turn == turn(assistant_text="Grüße\x00 船")
    assert (again.persona, again.created_at, again.turns) == (
        "ROBIN",
        soma().created_at,
        (kept.turn,),
    )


async def test_turns_are_numbered_in_their_soma(somas):
    numbers = [(await somas.keep(question(), soma(), turn())).turn.number for _ in range(3)]
    other = await somas.keep(question(), soma("s2"), turn())
    assert numbers == [1, 2, 3]
    assert other.turn.number == 1


async def test_the_same_request_is_kept_once(somas, journal):
    asked = question()
    first = await somas.keep(asked, soma(), turn(assistant_text="first"))
    second = await somas.keep(asked, soma(), turn(assistant_text="second"))
    assert second.turn == first.turn == (await somas.finished(asked)).turn
    assert len((await somas.get("s1")).turns) == 1
    assert len(await SqliteEvents(journal).page(0)) == 1


async def test_a_request_id_is_for_one_request(somas):
    asked = question()
    await somas.keep(asked, soma(), turn())
    with pytest.raises(InvalidArgument) as caught:
        await somas.finished(replace(asked, payload_sha256=b"other"))
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_a_turn_puts_both_its_sides_into_the_outbox(somas, journal):
    await somas.keep(question(), soma(), turn("My boat is green.", "Noted."))
    batch = (await SqliteOutbox(journal).first()).content
    assert batch.namespace == "personas/ROBIN"
    assert batch.episodes[0] == Episode("somas/s1", 1, "user", "My boat is green.", START)
    assert (batch.episodes[1].speaker, batch.episodes[1].text) == ("ROBIN", "Noted.")
    assert (batch.episodes[1].created_at - START).total_seconds() == 1.5


async def test_an_empty_answer_is_no_episode_and_a_long_one_is_cut(somas, journal):
    await somas.keep(question(), soma(), turn("Hm.", " \n"))
    await somas.keep(question(), soma(), turn("Hm.", "é" * 40_000))
    outbox = SqliteOutbox(journal)
    first = await outbox.first()
    assert [e.text for e in first.content.episodes] == ["Hm."]
    await outbox.delivered(first)
    second = await outbox.first()
    assert second.content.episodes[1].text == "é" * (16 * 1024)


async def test_a_refused_parcel_lets_the_next_one_pass(somas, journal):
    await somas.keep(question(), soma(), turn("One."))
    await somas.keep(question(), soma(), turn("Two."))
    outbox = SqliteOutbox(journal)
    await outbox.refused(await outbox.first(), "too odd")
    assert (await outbox.first()).content.episodes[0].text == "Two."


async def test_grades_change_a_turn_and_tell_of_it(somas, journal):
    await somas.keep(question(), soma(), turn())
    rated = await somas.grade(Grade.rated("s1", 1, 1), no_receipt)
    corrected = await somas.grade(Grade.corrected("s1", 1, "Good day."), no_receipt)
    assert (rated.rating, rated.correction) == (Rating.GOOD, "")
    assert (corrected.rating, corrected.correction) == (Rating.GOOD, "Good day.")
    assert (await somas.get("s1")).turns == (corrected,)
    told = [e.happening for e in await SqliteEvents(journal).page(1)]
    assert [h.kind for h in told] == [EventKind.SOMA_GRADED] * 2
    assert told[1].message == "Turn 1 of somas/s1 was corrected."


async def test_a_correction_is_remembered_once(somas, journal):
    await somas.keep(question(), soma(), turn())
    outbox = SqliteOutbox(journal)
    await outbox.delivered(await outbox.first())
    for _ in range(2):
        await somas.grade(Grade.corrected("s1", 1, "Good day."), no_receipt)
    parcel = await outbox.first()
    assert parcel.content.episodes == (
        Episode("somas/s1", 1, "ROBIN", "Good day.", START, correction=True),
    )
    await outbox.delivered(parcel)
    assert await outbox.first() is None


async def test_a_failed_receipt_undoes_the_grade(somas):
    await somas.keep(question(), soma(), turn())

    def fail(connection, graded) -> None:
        raise RuntimeError("no ledger")

    with pytest.raises(RuntimeError):
        await somas.grade(Grade.rated("s1", 1, 2), fail)
    assert (await somas.get("s1")).turns[0].rating is Rating.NONE


@pytest.mark.parametrize("number", [0, -1, 2])
async def test_only_turns_that_are_there_can_be_graded(somas, number):
    await somas.keep(question(), soma(), turn())
    with pytest.raises(NotFound):
        await somas.grade(Grade.rated("s1", number, 1), no_receipt)
    with pytest.raises(NotFound):
        await somas.grade(Grade.rated("absent", 1, 1), no_receipt)


@pytest.mark.parametrize("rating", [0, 3, -1])
def test_a_rating_is_good_or_bad(rating):
    with pytest.raises(InvalidArgument):
        Grade.rated("s1", 1, rating)


@pytest.mark.parametrize("text", ["", " \n", "x" * (32 * 1024 + 1)])
def test_a_correction_says_something_and_not_too_much(text):
    with pytest.raises(InvalidArgument):
        Grade.corrected("s1", 1, text)


async def test_turns_that_were_called_wrong_are_known(somas):
    for _ in range(3):
        await somas.keep(question(), soma(), turn())
    await somas.grade(Grade.rated("s1", 1, Rating.BAD), no_receipt)
    await somas.grade(Grade.corrected("s1", 2, "Better."), no_receipt)
    keys = {("somas/s1", n) for n in (1, 2, 3)} | {("documents/report", 1)}
    assert await somas.disowned(keys) == {("somas/s1", 1), ("somas/s1", 2)}


async def all_pages(somas, **filters):
    pages, token = [], ""
    for _ in range(9):
        query = listing.Query(**{"persona": "", "golden_only": False, **filters}, token=token)
        found, token = await listing.listed(somas, query)
        pages.append([s.id for s in found])
        if not token:
            return pages
    raise AssertionError("the pages do not end")


async def test_listing_goes_page_by_page_newest_first(somas):
    for number in range(5):
        persona = "ROBIN" if number % 2 else "BABS"
        await somas.keep(question(), soma(f"s{number}", persona), turn())
    await somas.grade(Grade.rated("s1", 1, 1), no_receipt)
    await somas.grade(Grade.rated("s2", 1, 2), no_receipt)
    await somas.grade(Grade.corrected("s4", 1, "Better."), no_receipt)
    assert await all_pages(somas, size=2) == [["s4", "s3"], ["s2", "s1"], ["s0"]]
    assert await all_pages(somas, size=5) == [["s4", "s3", "s2", "s1", "s0"]]
    assert await all_pages(somas, size=0, persona="ROBIN") == [["s3", "s1"]]
    assert await all_pages(somas, size=1, golden_only=True) == [["s4"], ["s1"]]
    assert await all_pages(somas, size=0, persona="NOBODY") == [[]]


@pytest.mark.parametrize("token", ["x", "bm9uc2Vuc2U=", "WzFd", "\N{SNOWMAN}", "MQ=="])
async def test_a_forged_page_token_is_refused(somas, token):
    with pytest.raises(InvalidArgument):
        await listing.listed(somas, listing.Query("", False, 1, token))


async def test_a_page_token_belongs_to_its_listing(somas):
    for number in range(2):
        await somas.keep(question(), soma(f"s{number}"), turn())
    _, token = await listing.listed(somas, listing.Query("", False, 1, ""))
    with pytest.raises(InvalidArgument, match="another listing"):
        await listing.listed(somas, listing.Query("ROBIN", False, 1, token))
    with pytest.raises(InvalidArgument):
        await listing.listed(somas, listing.Query("", False, -1, ""))


async def test_request_ids_are_unique_over_somas(somas):
    asked = question(request_id=str(uuid.uuid4()))
    first = await somas.keep(asked, soma("s1"), turn())
    second = await somas.keep(asked, soma("s2"), turn())
    assert second.soma.id == first.soma.id == "s1"
