"""Waiting for a service that is away, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import Unavailable

_PAUSE_SECONDS = 1.0

T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The call's result; Unavailable counts only once it has lasted for `seconds`."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except Unavailable:
            if time.monotonic() + _PAUSE_SECONDS > give_up:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
