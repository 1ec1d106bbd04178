import dataclasses

from services.toolforge.forge import Attempt, Kind, Verdict, next_kind, seed_of, temperature_of


def attempts(*kinds: Kind, source: str = "def f(): ...") -> list[Attempt]:
    return [
        Attempt(number, kind, Verdict.CHECK_FAILED, source, "line 1: x", 0, 0.1, 0.1)
        for number, kind in enumerate(kinds, start=1)
    ]


def test_repairs_and_resamples_take_turns() -> None:
    made: list[Attempt] = []
    while len(made) < 6:
        kind = next_kind(made)
        made += attempts(kind)
    assert [attempt.kind for attempt in made] == [
        Kind.DRAFT,
        Kind.REPAIR,
        Kind.RESAMPLE,
        Kind.REPAIR,
        Kind.RESAMPLE,
        Kind.REPAIR,
    ]


def test_an_answer_without_code_is_followed_by_a_resample() -> None:
    (draft,) = attempts(Kind.DRAFT)
    assert next_kind([dataclasses.replace(draft, source="")]) is Kind.RESAMPLE


def test_only_resamples_and_further_samples_are_random() -> None:
    assert [temperature_of(kind, 0) for kind in Kind] == [0.0, 0.0, 0.8]
    assert [temperature_of(kind, 1) for kind in Kind] == [0.8, 0.8, 0.8]
    assert len({seed_of(number, sample) for number in range(17) for sample in range(32)}) == 17 * 32
