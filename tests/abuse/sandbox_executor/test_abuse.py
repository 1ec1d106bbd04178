"""Hostile programs, each with the outcome that it must get. The checks afterwards: conftest.py."""

import asyncio
import json
from pathlib import Path

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.executor_process import DOCKER, ROOT
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


@pytest.mark.parametrize("descriptor", [1, 2])
async def test_output_flood_is_cut(sandbox: SandboxCaller, descriptor: int) -> None:
    source = f"import os\nwhile True: os.write({descriptor}, b'flood ' * 1000)"
    response = await sandbox.execute(source, output_limit_bytes=10_000)
    assert response.outcome == pb.OUTCOME_OUTPUT_LIMIT
    assert len(response.stdout) + len(response.stderr) == 10_000


FORGE = """
import json, os, struct
def send(message, size=None):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    data = struct.pack('>I', len(body) if size is None else size) + body
    while data:
        data = data[os.write(3, data):]
"""


@pytest.mark.parametrize(
    "source",
    [
        FORGE + "send({'kind': 'end'}); os._exit(0)",
        FORGE + "send({'kind': 'loaded'}); send({'kind': 'end'}); os._exit(0)",
        FORGE + "send(b'', size=4_000_000_000)",
        FORGE + "send(b'not json')",
        FORGE + "send(b'[]')",
        FORGE + "send(b'[' * 100_000)",
        FORGE + "send({'kind': 'loaded'}); send(b'{\"kind\": \"value\", \"value\": NaN}')",
        FORGE + "send({'kind': 'raised', 'type': 7})",
        FORGE + "send({'kind': 'value', 'value': 1})",
        'import os\nos.write(1, b\'\\x00\\x00\\x00\\x0e{"kind":"end"}\'); os._exit(0)',
        "import os\nos.close(3)\nimport time; time.sleep(0.2)",
    ],
)
async def test_forged_reports_are_no_success(sandbox: SandboxCaller, source: str) -> None:
    response = await sandbox.execute(source + "\ndef f(): return 1", ("f", {}))
    assert response.outcome == pb.OUTCOME_CRASHED, response
    assert values(response) == [None]


async def test_a_forged_value_is_only_a_value(sandbox: SandboxCaller) -> None:
    """A guest may report any value: it could return it as well. The caller compares it outside."""
    source = FORGE + "def f(): send({'kind': 'value', 'value': 'forged'}); return 'honest'"
    response = await sandbox.execute(source, ("f", {}))
    assert response.outcome == pb.OUTCOME_CRASHED  # one report more than there were calls
    source = FORGE + (
        "def f():\n    send({'kind': 'value', 'value': 'forged'}); send({'kind': 'end'})\n"
        "    os._exit(0)"
    )
    response = await sandbox.execute(source, ("f", {}))
    assert values(response) == ["forged"]


@pytest.mark.parametrize(
    ("source", "trace"),
    [
        ("import os; os._exit(0)", "exit status 0"),
        ("import os; os._exit(7)", "exit status 7"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os, sys; os.execv('/python/bin/python3', ['python3', '-c', 'pass'])", "exit"),
    ],
)
async def test_ending_without_a_report_is_a_crash(
    sandbox: SandboxCaller, source: str, trace: str
) -> None:
    response = await sandbox.execute(source)
    assert response.outcome == pb.OUTCOME_CRASHED, response
    assert trace in response.detail


NETWORK = """
import socket
def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return "refused: " + type(error).__name__
def knock(host, port):
    return attempt(lambda: socket.create_connection((host, port), 1))
def resolve(name):
    return attempt(lambda: socket.getaddrinfo(name, 80))
def datagram(host):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return attempt(lambda: sender.sendto(b"x", (host, 53)))
"""


async def test_there_is_no_network(sandbox: SandboxCaller) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    response = await sandbox.execute(
        NETWORK,
        ("knock", {"host": "127.0.0.1", "port": port}),
        ("knock", {"host": "1.1.1.1", "port": 53}),
        ("resolve", {"name": "example.com"}),
        ("datagram", {"host": "1.1.1.1"}),
        wall=20,
    )
    server.close()
    assert response.outcome == pb.OUTCOME_OK, response
    assert all(value.startswith("refused") for value in values(response)), values(response)
    assert heard == []


FILES = """
import os
def read(path):
    try:
        with open(path, "rb") as file:
            return len(file.read())
    except OSError as error:
        return type(error).__name__
def write(path):
    try:
        with open(path, "wb") as file:
            return file.write(b"x")
    except OSError as error:
        return type(error).__name__
def tree():
    return sorted(os.listdir("/"))
"""


async def test_the_host_has_no_files_in_there(sandbox: SandboxCaller, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    paths = ["/etc/shadow", "/etc/passwd", str(secret), str(ROOT / "README.md"), "/root/.bashrc"]
    response = await sandbox.execute(FILES, *(("read", {"path": path}) for path in paths))
    assert response.outcome == pb.OUTCOME_OK
    assert set(values(response)) == {"FileNotFoundError"}
    response = await sandbox.execute(FILES, ("tree", {}))
    known = {"dev", "lib", "lib64", "proc", "python", "sys", "tmp"}
    # What Docker itself puts into every container.
    assert set(values(response)[0]) <= known | ({".dockerenv", "etc"} if DOCKER else set())


async def test_the_system_cannot_be_written(sandbox: SandboxCaller) -> None:
    paths = ["/python/bin/python3", "/python/lib/python3.11/os.py", "/new", "/proc/sys/kernel/x"]
    response = await sandbox.execute(FILES, *(("write", {"path": path}) for path in paths))
    assert response.outcome == pb.OUTCOME_OK
    refused = {"OSError", "PermissionError", "FileNotFoundError"}
    assert set(values(response)) <= refused, values(response)


async def test_privileges_cannot_be_had(sandbox: SandboxCaller) -> None:
    source = """
import ctypes, os
def attempts():
    libc = ctypes.CDLL(None, use_errno=True)
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "uid": os.getuid(),
        "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
        "setuid": libc.setuid(0),
        "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "chroot": libc.chroot(b"/tmp"),
    }
"""
    response = await sandbox.execute(source, ("attempts", {}))
    assert values(response) == [
        {"uid": 65534, "capabilities": 0, "setuid": -1, "mount": -1, "chroot": -1}
    ]


async def test_killing_everyone_kills_nobody_else(sandbox: SandboxCaller) -> None:
    source = "import os, signal\ndef f(): os.kill(-1, signal.SIGKILL)\ndef g(): os.kill(1, 9)"
    response = await sandbox.execute(source, ("f", {}), ("g", {}))
    # Process 1 of the sandbox is the guest itself: either it is spared, or it is gone.
    assert response.outcome in (pb.OUTCOME_CRASHED, pb.OUTCOME_FAILED, pb.OUTCOME_OK), response


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


async def test_huge_and_odd_values_are_refused(sandbox: SandboxCaller) -> None:
    source = """
def huge(): return "x" * (2 << 20)
def deep():
    x = []
    for _ in range(100_000): x = [x]
    return x
def cyclic():
    x = []; x.append(x); return x
def digits(): return 10 ** 10_000
def surrogate(): raise ValueError("\\ud800")
def broken():
    class E(Exception):
        def __str__(self): raise SystemExit(3)
    raise E
"""
    names = ["huge", "deep", "cyclic", "digits", "surrogate", "broken"]
    response = await sandbox.execute(source, *((name, {}) for name in names))
    assert response.outcome == pb.OUTCOME_FAILED, response
    types = [result.exception.type for result in response.results]
    assert types == ["ValueError", "RecursionError", "ValueError", "ValueError", "ValueError", "E"]
    assert json.dumps(response.results[4].exception.message)
