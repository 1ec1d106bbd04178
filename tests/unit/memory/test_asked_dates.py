from datetime import UTC, datetime

import pytest

from services.memory.asked_dates import AskedDates


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "years", "months", "days"),
    [
        ("What happened on 7 May 2023?", {2023}, {5}, {7}),
        ("What did we do on May 7th, 2023?", {2023}, {5}, {7}),
        ("Where were you in march?", set(), {3}, set()),
        ("What did she read in 2021?", {2021}, set(), set()),
        ("What may she march for?", set(), set(), set()),
        ("Who came in Sept or Dec?", set(), {9, 12}, set()),
        ("How many of the 31 people stayed?", set(), set(), set()),
        ("Any news since the 99th of July 1776?", set(), {7}, set()),
        ("", set(), set(), set()),
    ],
)
def test_what_is_named(question: str, years: set, months: set, days: set) -> None:
    asked = AskedDates.of(question)
    assert (asked.years, asked.months, asked.days) == (years, months, days)
    assert bool(asked) == bool(years or months)


def test_a_day_fits_what_was_said_soon_after_it_best() -> None:
    asked = AskedDates.of("What did Jon do on 30 May 2023?")
    assert asked.fit(at(2023, 5, 30)) == 1.0
    assert asked.fit(at(2023, 6, 3)) == 1.0
    assert 0 < asked.fit(at(2023, 5, 2)) < 1.0
    assert asked.fit(at(2023, 6, 20)) == 0.0
    assert asked.fit(at(2022, 5, 30)) == 0.0


def test_a_month_fits_all_of_it_in_any_year() -> None:
    asked = AskedDates.of("What did Jon do in May?")
    assert asked.fit(at(2023, 5, 1)) == asked.fit(at(2021, 5, 31)) > 0
    assert asked.fit(at(2023, 6, 1)) == 0.0


def test_a_day_that_no_month_has_fits_its_month() -> None:
    assert AskedDates.of("on 31 June 2023").fit(at(2023, 6, 30)) > 0
