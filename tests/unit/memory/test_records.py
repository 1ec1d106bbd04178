import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.memory.records import TEXT_LIMIT_BYTES, check_batch, content_hash, record_id
from shared.errors import InvalidArgument
from tests.unit.memory.drafts import START, episode


def test_the_same_content_at_the_same_moment_has_one_hash() -> None:
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))
    assert content_hash(episode("hi"), START) == content_hash(episode("hi"), elsewhere)


def test_every_hashed_part_tells_records_apart() -> None:
    draft = episode("hi")
    others = [
        replace(draft, text="ho"),
        replace(draft, soma="somas/2"),
        replace(draft, speaker="ROBIN"),
        replace(draft, namespace="other"),
        replace(draft, soma="somas/1u", speaker="ser"),  # the same letters, cut elsewhere
    ]
    hashes = {content_hash(each, START) for each in [draft, *others]}
    hashes.add(content_hash(draft, datetime(2024, 3, 2, tzinfo=UTC)))
    assert len(hashes) == 7


def test_a_retry_names_the_same_rows_and_other_content_others() -> None:
    request_id = str(uuid.uuid4())
    draft = replace(episode("hi"), created_at=None)
    assert record_id(request_id, 0, draft) == record_id(request_id, 0, draft)
    assert record_id(request_id, 0, draft) != record_id(request_id, 1, draft)
    assert record_id(request_id, 0, draft) != record_id(request_id, 0, episode("ho"))


def test_every_fault_of_a_batch_is_named() -> None:
    bad = [
        episode("fine"),
        episode("  \n"),
        episode("x" * (TEXT_LIMIT_BYTES + 1)),
        replace(episode("hi"), importance=float("nan")),
        replace(episode("hi"), metadata={str(i): "" for i in range(33)}),
        replace(episode("hi"), metadata={"k": "v" * 1025}),
        replace(episode("hi"), soma="s" * 1025),
    ]
    with pytest.raises(InvalidArgument) as caught:
        check_batch(bad)
    assert [violation.field for violation in caught.value.violations] == [
        "episodes[1].text",
        "episodes[2].text",
        "episodes[3].importance",
        "episodes[4].metadata",
        "episodes[5].metadata",
        "episodes[6].soma",
    ]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand_episodes(count: int) -> None:
    with pytest.raises(InvalidArgument, match="1 to 1000"):
        check_batch([episode("hi")] * count)
