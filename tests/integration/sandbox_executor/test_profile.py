"""Guests with packages: numpy and pandas, installed, booted ahead and preloaded."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.channel import open_channel
from tests.integration.sandbox_executor.executor_process import ROOT, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cache(runsc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of its own, as `make data-profile` fills it."""
    cache = tmp_path_factory.mktemp("cache")
    (cache / "gvisor").symlink_to(runsc.parent)
    target = cache / "sandbox-packages" / "data"
    install = [sys.executable, "-m", "deploy.locked", "install", "guest-data"]
    subprocess.run([*install, "--target", str(target)], cwd=ROOT, check=True, timeout=240)
    return cache


@pytest.fixture(scope="module")
def address(cache: Path) -> Iterator[str]:
    """An executor that has the profile."""
    settings = {"BATOS_CACHE_DIR": str(cache), "BATOS_SANDBOX_DATA_POOL_SIZE": "1"}
    with TemporaryDirectory(prefix="batos-", ignore_cleanup_errors=True) as path:
        process = ExecutorProcess(Path(path), settings)
        process.start()
        try:
            process.wait_for_health()
            yield process.address
        finally:
            process.stop()


@pytest_asyncio.fixture
async def sandbox(address: str) -> AsyncIterator[SandboxCaller]:
    async with open_channel(address) as channel:
        yield SandboxCaller(channel)


FRAME = """
import sys
preloaded = "pandas" in sys.modules
import numpy as np
import pandas as pd
def totals(rows):
    frame = pd.DataFrame(rows).groupby("kind")["n"].sum()
    return {"totals": {k: int(v) for k, v in frame.items()}, "preloaded": preloaded}
def solved():
    a = np.arange(9.0).reshape(3, 3) + np.eye(3)
    return np.round(np.linalg.inv(a) @ a, 6).tolist()
"""


async def test_numbers_and_tables_are_there(sandbox: SandboxCaller) -> None:
    capacity = await sandbox.stub.GetCapacity(pb.GetCapacityRequest())
    assert list(capacity.profiles) == ["python", "data"]
    rows = [{"kind": "a", "n": 1}, {"kind": "b", "n": 2}, {"kind": "a", "n": 3}]
    calls = [("totals", {"rows": rows}), ("solved", {})]
    response = await sandbox.execute(FRAME, *calls, profile="data", wall=30, cpu=30)
    assert response.outcome == pb.OUTCOME_OK, response
    totals, solved = values(response)
    assert totals == {"totals": {"a": 4, "b": 2}, "preloaded": True}
    assert solved == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


async def test_the_plain_profile_has_none_of_it(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("import numpy")
    assert response.exception.type == "ModuleNotFoundError"


async def test_guests_share_no_random_state(sandbox: SandboxCaller) -> None:
    source = "import numpy as np\ndef f(): return float(np.random.rand())"
    seen = []
    for _ in range(3):
        seen += values(await sandbox.execute(source, ("f", {}), profile="data", wall=30, cpu=30))
        await asyncio.sleep(0)
    assert len(set(seen)) == 3
