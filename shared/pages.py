"""Pages of a list: how many, and where the next one begins (AIP-158)."""

import re
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

from shared.errors import InvalidArgument

DEFAULT_SIZE = 50
MAX_SIZE = 500
MAX_BYTES = 4 * 1024 * 1024  # well under the cap on messages

_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_LARGEST_NUMBER = (1 << 63) - 1

M = TypeVar("M", bound=Message)


def size_of(page_size: int) -> int:
    """The wanted size: 0 means the default, more than the cap means the cap."""
    if page_size < 0:
        raise InvalidArgument.of_field("page_size", "must not be negative")
    return min(page_size or DEFAULT_SIZE, MAX_SIZE)


def id_of(page_token: str) -> str:
    """The id in a page token, "" in an empty one; InvalidArgument where it cannot be ours."""
    if page_token and not _ID.fullmatch(page_token):
        raise InvalidArgument.of_field("page_token", "is not one of ours")
    return page_token


def number_of(page_token: str) -> int:
    """The number in a page token, 0 in an empty one; InvalidArgument where it cannot be ours."""
    if not page_token:
        return 0
    if page_token.isascii() and page_token.isdigit() and len(page_token) < 20:
        return min(int(page_token), _LARGEST_NUMBER)
    raise InvalidArgument.of_field("page_token", "is not one of ours")


def fitting(messages: Sequence[M], size: int) -> tuple[Sequence[M], bool]:
    """As many messages as belong on one page, at least one; and whether more follow.

    `messages` holds one more than `size` where there are more.
    """
    total = 0
    for count, message in enumerate(messages):
        total += message.ByteSize()
        if count and (count == size or total > MAX_BYTES):
            return messages[:count], True
    return messages, False
