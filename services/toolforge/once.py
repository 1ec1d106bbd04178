"""Mutations that may be sent again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from shared.ledger import Ledger

M = TypeVar("M", bound=Message)


async def once(
    ledger: Ledger, request: Message, answer_type: type[M], do: Callable[[], Awaitable[M]]
) -> M:
    """The first answer to this request: the kept one, else that of `do`, which records it."""
    async with ledger.alone(request):
        return await ledger.replay(request, answer_type) or await do()
