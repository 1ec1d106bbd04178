"""The port to the Sandbox-executor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class CodeRunner(Protocol):
    """Runs untrusted code."""

    async def call(
        self, source: str, function: str, arguments_json: Sequence[str]
    ) -> list[str | None]:
        """Results as JSON, one per call, None where it raised or was stopped.

        Raises Unavailable where no sandbox can be had: that says nothing about the code.
        """
