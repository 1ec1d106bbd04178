from pathlib import Path

import pytest

from shared.directory_lock import DirectoryLock
from shared.errors import FailedPrecondition


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path / "data")
    with pytest.raises(FailedPrecondition, match="in use by another process") as caught:
        DirectoryLock(tmp_path / "data")
    assert caught.value.reason == "DATA_DIRECTORY_IN_USE"
    first.release()
    DirectoryLock(tmp_path / "data").release()
