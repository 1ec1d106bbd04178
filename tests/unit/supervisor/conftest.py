from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.supervisor.sqlite_journal import Journal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "supervisor.sqlite")
    await journal.open()
    yield journal
    await journal.close()
