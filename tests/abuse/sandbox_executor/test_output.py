"""Programs that print, report and return what they should not."""

import json

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values


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


@pytest.mark.parametrize(
    "printed",
    [
        b"x" * 50_000,  # one endless line
        b"\xff\xfe\xc3\x28 not UTF-8",
        b"nul \x00 nul",
        b"\x1b[2J\x1b]0;title\x07\x1b[31m",
        b"\r\n\r\n",
        bytes(range(256)),
    ],
    ids=["line", "no text", "nul", "terminal", "carriage", "every byte"],
)
async def test_bytes_come_out_as_they_went_in(sandbox: SandboxCaller, printed: bytes) -> None:
    response = await sandbox.execute(f"import os; os.write(1, {printed!r})")
    assert (response.outcome, response.stdout) == (pb.OUTCOME_OK, printed)


async def test_a_daemon_that_holds_stdout_open_holds_nobody(sandbox: SandboxCaller) -> None:
    source = (
        "import os, time\nif os.fork() == 0: os.setsid(); time.sleep(60); os._exit(0)\n"
        "print('done')"
    )
    response = await sandbox.execute(source, wall=20)
    assert (response.outcome, response.stdout) == (pb.OUTCOME_OK, b"done\n")
    assert response.wall.ToTimedelta().total_seconds() < 10


@pytest.mark.parametrize("descriptor", range(4, 16))
async def test_other_descriptors_lead_nowhere(sandbox: SandboxCaller, descriptor: int) -> None:
    """Whatever is open besides our four is the guest's own: nothing written there reaches us."""
    source = f"""
import os
def write():
    try:
        return os.write({descriptor}, b"x" * 100)
    except OSError as error:
        return type(error).__name__
"""
    response = await sandbox.execute(source, ("write", {}))
    assert response.outcome == pb.OUTCOME_OK, response
    assert response.stdout == response.stderr == b""


async def test_closing_the_streams_is_no_crash(sandbox: SandboxCaller) -> None:
    source = "import os, sys\nsys.stdout.close(); os.close(1); os.close(2)\ndef f(): return 1"
    response = await sandbox.execute(source, ("f", {}))
    assert (response.outcome, values(response)) == (pb.OUTCOME_OK, [1])


async def test_a_result_of_another_class_is_judged_by_its_json(sandbox: SandboxCaller) -> None:
    source = """
class Sly(int):
    def __eq__(self, other): return True
    def __hash__(self): return 0
def f(): return Sly(3)
"""
    assert values(await sandbox.execute(source, ("f", {}))) == [3]
