"""Calls as data: what is asked and how the answer is read, for either kind of channel."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from batos.client.methods import Method

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Event = TypeVar("Event")
End = TypeVar("End")

# A turn whose connection broke is asked for so many times; each time the service is waited for.
TURNS = 3


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, one response; `read` makes of it what the caller gets, or raises."""

    method: Method
    request: Any
    read: Callable[[Any], Answer]


@dataclass(frozen=True)
class Pages(Generic[Item]):
    """A List method: the request gets each next page_token, `read` gives a page's items."""

    method: Method
    request: Any
    read: Callable[[Any], Iterable[Item]]


@dataclass(frozen=True)
class Batches(Generic[Item]):
    """A stream of requests, each acknowledged by a response with items of its own."""

    method: Method
    requests: list[Any]
    read: Callable[[Any], Iterable[Item]]


@dataclass(frozen=True)
class Work(Generic[Event, End]):
    """A stream whose last event holds the end; `end` gives it, or None for the other events."""

    method: Method
    request: Any
    end: Callable[[Event], End | None]


@dataclass(frozen=True)
class Watch(Generic[Event, End]):
    """A Watch method, resumed after the last `sequence`; `end` asks how it ended, if it can end."""

    method: Method
    request: Any
    read: Callable[[Any], Event]
    end: Call[End] | None


def copied(request: Any) -> Any:
    """A request of one's own, to be changed."""
    copy = type(request)()
    copy.CopyFrom(request)
    return copy


def request_id() -> str:
    """A fresh one; the service answers all sendings of a request with the same id but once."""
    return str(uuid.uuid4())


def batches(texts: Iterable[str], count: int, size: int) -> Iterable[list[str]]:
    """Texts in order, so many and so many bytes of them at once."""
    batch: list[str] = []
    left = size
    for text in texts:
        length = len(text.encode("utf-8", "replace"))
        if batch and (len(batch) == count or length > left):
            yield batch
            batch, left = [], size
        batch.append(text)
        left -= length
    if batch:
        yield batch
