import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local import LocalStack, ServiceDied

SERVICES = ["memory", "model-server"]

STARTER = """
import asyncio, sys
from pathlib import Path
from deploy.local import LocalStack

async def main():
    stack = LocalStack(Path(sys.argv[1]), services=sys.argv[2:])
    for process in stack.processes.values():
        await process.start()
    print(*(process.pid for process in stack.processes.values()), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_services_start_stop_and_start_again_on_their_state(tmp_path):
    async with LocalStack(tmp_path, services=SERVICES) as stack:
        assert stack.died() == []
        await stack.processes["memory"].kill()
        assert stack.died() == ["memory ended with status -9"]
        await stack.restart("memory")
        assert await stack.processes["memory"].is_serving()
    assert all(process.exit_status == 0 for process in stack.processes.values())


async def test_a_service_that_cannot_start_is_named_with_its_own_words(tmp_path):
    async with LocalStack(tmp_path, services=["memory"]):
        with pytest.raises(ServiceDied, match="in use by another process"):
            await LocalStack(tmp_path, services=["memory"]).__aenter__()


@pytest.mark.parametrize("delay", [0.0, 0.5, 5.0])
def test_services_end_with_whoever_started_them_however_early_that_died(tmp_path, delay):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path), *SERVICES], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    time.sleep(delay)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    asyncio.run(wait_until_gone(pids))


async def wait_until_gone(pids):
    for _ in range(600):
        if not any(is_running(pid) for pid in pids):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still running: {[pid for pid in pids if is_running(pid)]}")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
