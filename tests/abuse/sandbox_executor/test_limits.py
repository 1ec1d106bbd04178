"""Programs that want more than they may have: time, processes, memory, disk, descriptors."""

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

MEBIBYTE = 1 << 20


FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


RAISING_FORK_BOMB = """
import os, time
for _ in range(1000):
    if os.fork() == 0:
        time.sleep(60)
"""


THREAD_BOMB = """
import threading, time
for _ in range(1000):
    threading.Thread(target=time.sleep, args=(60,)).start()
"""


async def test_busy_loop_is_stopped_by_the_clock(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("while True: pass", wall=0.5)
    assert response.outcome == pb.OUTCOME_TIMED_OUT
    assert 0.5 <= response.wall.ToNanoseconds() / 1e9 < 5


async def test_busy_loop_is_stopped_by_cpu_time(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("while True: pass", wall=30, cpu=0.3)
    assert response.outcome == pb.OUTCOME_TIMED_OUT
    assert "CPU" in response.detail
    assert response.wall.ToSeconds() < 20


async def test_sleeping_for_ever_is_stopped(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "import signal, time\nfor n in range(1, 32):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "time.sleep(600)",
        wall=0.5,
    )
    assert response.outcome == pb.OUTCOME_TIMED_OUT


@pytest.mark.parametrize(
    "source", [FORK_BOMB, RAISING_FORK_BOMB, THREAD_BOMB], ids=["fork", "raise", "threads"]
)
async def test_bombs_are_defused(sandbox: SandboxCaller, source: str) -> None:
    response = await sandbox.execute(source, wall=30, cpu=30, process_limit=4)
    assert response.outcome == pb.OUTCOME_PROCESS_LIMIT, response


async def test_huge_allocation_is_refused(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("x = bytearray(64 << 30)")
    assert response.outcome == pb.OUTCOME_MEMORY_LIMIT, response
    assert response.exception.type == "MemoryError"


@pytest.mark.parametrize(
    "source",
    [
        "x = []\nwhile True: x.append(b'x' * (1 << 20))",
        "x = b'x' * (400 << 20)\nimport time; time.sleep(5)",
        # Not on the heap: no limit inside the guest stops this one.
        "import os\nfor _ in range(40):\n    f = os.memfd_create('m')\n"
        "    for _ in range(16): os.write(f, b'x' * (1 << 20))",
        "import os, mmap\nfs = []\nwhile True:\n"
        "    f = os.memfd_create('m'); os.truncate(f, 16 << 20)\n"
        "    m = mmap.mmap(f, 16 << 20); m.write(b'x' * (16 << 20)); fs.append(m)",
    ],
    ids=["list", "one block", "memfds", "mapped memfds"],
)
async def test_used_memory_is_seen_from_outside(sandbox: SandboxCaller, source: str) -> None:
    response = await sandbox.execute(source, memory_limit_bytes=128 * MEBIBYTE, wall=30)
    assert response.outcome == pb.OUTCOME_MEMORY_LIMIT, response
    assert 128 * MEBIBYTE < response.peak_memory_bytes < 600 * MEBIBYTE


async def test_files_without_content_are_memory_too(sandbox: SandboxCaller) -> None:
    """No limit of the file system counts these, and they lie outside the guest's memory file."""
    source = "import os\nn = 0\nwhile True:\n    os.symlink(f'{n:04000}', f'/tmp/{n}'); n += 1"
    response = await sandbox.execute(source, memory_limit_bytes=32 * MEBIBYTE, wall=30, cpu=30)
    assert response.outcome == pb.OUTCOME_MEMORY_LIMIT, response


async def test_the_disk_cannot_be_filled(sandbox: SandboxCaller) -> None:
    source = """
import errno
def fill():
    total, number = 0, 0
    while True:
        try:
            with open(f"/tmp/{number}", "wb", buffering=0) as file:
                while True:
                    total += file.write(b"x" * (1 << 20))
        except OSError as error:
            if error.errno != errno.EFBIG:
                return [errno.errorcode[error.errno], total >> 20]
            number += 1
"""
    response = await sandbox.execute(source, ("fill", {}), wall=20)
    assert response.outcome == pb.OUTCOME_OK, response
    assert values(response) == [["ENOSPC", 64]]


async def test_descriptors_run_out_in_there_only(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("x = []\nwhile True: x.append(open('/dev/null'))")
    assert response.outcome == pb.OUTCOME_FAILED
    assert response.exception.type == "OSError"


async def test_endless_recursion_is_an_exception(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("def f(): return f()", ("f", {}))
    assert response.outcome == pb.OUTCOME_FAILED
    assert response.results[0].exception.type == "RecursionError"
    assert len(response.results[0].exception.traceback) <= 4096


SPLIT = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        x = b"x" * (40 << 20)
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""


async def test_memory_split_over_children_is_added_up(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(SPLIT, memory_limit_bytes=128 * MEBIBYTE, wall=20)
    assert response.outcome == pb.OUTCOME_MEMORY_LIMIT, response


async def test_inodes_are_memory_too(sandbox: SandboxCaller) -> None:
    source = "import os\nn = 0\nwhile True:\n    os.mkdir(f'/tmp/{n}'); n += 1"
    response = await sandbox.execute(source, memory_limit_bytes=32 * MEBIBYTE, wall=8, cpu=8)
    assert response.outcome in (pb.OUTCOME_MEMORY_LIMIT, pb.OUTCOME_TIMED_OUT), response


async def test_a_sparse_file_takes_no_space(sandbox: SandboxCaller) -> None:
    source = """
import errno, os
def sparse(size):
    with open("/tmp/sparse", "wb") as file:
        try:
            os.truncate(file.fileno(), size)
        except OSError as error:
            return errno.errorcode[error.errno]
    return os.stat("/tmp/sparse").st_size
"""
    calls = [("sparse", {"size": size}) for size in (16 << 20, 1 << 40)]
    response = await sandbox.execute(source, *calls)
    assert values(response) == [16 << 20, "EFBIG"]
    assert response.peak_memory_bytes < 100 * MEBIBYTE


async def test_shared_mappings_are_memory(sandbox: SandboxCaller) -> None:
    source = (
        "import mmap, time\nm = mmap.mmap(-1, 300 << 20)\n"
        "for n in range(0, 300 << 20, 4096): m[n] = 1\ntime.sleep(10)"
    )
    response = await sandbox.execute(source, memory_limit_bytes=128 * MEBIBYTE, wall=20)
    assert response.outcome == pb.OUTCOME_MEMORY_LIMIT, response


async def test_pipes_and_sockets_are_bounded(sandbox: SandboxCaller) -> None:
    source = "import os\nx = []\nwhile True: x.append(os.pipe())"
    response = await sandbox.execute(source)
    assert (response.outcome, response.exception.type) == (pb.OUTCOME_FAILED, "OSError")


async def test_ignoring_every_signal_helps_nobody(sandbox: SandboxCaller) -> None:
    source = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\nwhile True: pass"
    )
    response = await sandbox.execute(source, wall=0.5)
    assert response.outcome == pb.OUTCOME_TIMED_OUT, response


async def test_a_regular_expression_that_never_ends(sandbox: SandboxCaller) -> None:
    """It holds the interpreter's lock and hears no signal of Python's own."""
    response = await sandbox.execute("import re; re.match('(a+)+$', 'a' * 40 + 'b')", wall=0.5)
    assert response.outcome == pb.OUTCOME_TIMED_OUT, response


async def test_children_use_cpu_time_too(sandbox: SandboxCaller) -> None:
    source = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    response = await sandbox.execute(source, wall=20, cpu=1)
    assert response.outcome == pb.OUTCOME_TIMED_OUT, response
    assert "CPU" in response.detail
