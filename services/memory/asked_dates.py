"""Dates that a question names, against the times of what was said."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.memory.words import words_in

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *("january jan", "february feb", "march", "april apr", "may", "june jun"),
            *("july jul", "august aug", "september sep sept", "october oct", "november nov"),
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
# These are words of other uses too: they are months only beside a number or after a preposition.
_DOUBTFUL = re.compile(
    r"\b(?:in|of|since|until|early|late|mid|last|this|next) (may|march)\b"
    r"|\b(may|march),? \d|\d(?:st|nd|rd|th)? (may|march)\b"
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_DAY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\b")
# People tell of a day in the days after it.
_TOLD_WITHIN = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class AskedDates:
    """The years, months and days of the month that a question names; any may be empty."""

    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]

    @classmethod
    def of(cls, question: str) -> "AskedDates":
        """Reads English dates and numbers; what is none is left alone."""
        text = question.lower()
        months = {_MONTHS[word] for word in words_in(text) if word in _MONTHS}
        months -= {_MONTHS["may"], _MONTHS["march"]}
        for match in _DOUBTFUL.finditer(text):
            months.add(_MONTHS[next(filter(None, match.groups()))])
        days = {int(day) for day in _DAY.findall(text) if 1 <= int(day) <= 31} if months else set()
        years = {int(year) for year in _YEAR.findall(text)}
        return cls(frozenset(years), frozenset(months), frozenset(days))

    def __bool__(self) -> bool:
        return bool(self.years or self.months)

    def fit(self, at: datetime) -> float:
        """From 0 to 1: how well a time of speaking fits."""
        if self.days and any(self._soon_after(at, day) for day in self.days):
            return 1.0
        if (self.years and at.year not in self.years) or (
            self.months and at.month not in self.months
        ):
            return 0.0
        return 0.5 if self.days else 0.7

    def _soon_after(self, at: datetime, day: int) -> bool:
        return any(
            timedelta(days=-1) <= at - named < _TOLD_WITHIN
            for year in self.years or {at.year, at.year - 1}
            for month in self.months
            if (named := _day(year, month, day))
        )


def _day(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None
