"""Programs that end, multiply, or attack what runs them."""

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller


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


async def test_killing_everyone_kills_nobody_else(sandbox: SandboxCaller) -> None:
    source = "import os, signal\ndef f(): os.kill(-1, signal.SIGKILL)\ndef g(): os.kill(1, 9)"
    response = await sandbox.execute(source, ("f", {}), ("g", {}))
    # Process 1 of the sandbox is the guest itself: either it is spared, or it is gone.
    assert response.outcome in (pb.OUTCOME_CRASHED, pb.OUTCOME_FAILED, pb.OUTCOME_OK), response


@pytest.mark.parametrize(
    "source",
    [
        # Its grandchild belongs to nobody.
        "import os, time\nif not os.fork():\n    if not os.fork(): time.sleep(60)\n    os._exit(0)"
        "\nos.wait()",
        "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)",
        "import subprocess\n"
        "sleep = 'import time; time.sleep(60)'\n"
        "subprocess.Popen(['/python/bin/python3', '-I', '-S', '-c', sleep])",
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ],
    ids=["orphan", "session leader", "subprocess", "daemon thread"],
)
async def test_what_is_left_running_ends_with_the_run(sandbox: SandboxCaller, source: str) -> None:
    response = await sandbox.execute(source, wall=20)
    assert response.outcome == pb.OUTCOME_OK, response
    assert response.wall.ToTimedelta().total_seconds() < 10


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.modules.clear()",
        "import builtins\nbuiltins.__import__ = None; builtins.len = None",
        "import json\njson.dumps = lambda *a, **k: 'forged'",
        "import os\nos.write = lambda *a: 0",
        "import gc, types\n"
        "for f in gc.get_objects():\n"
        "    if isinstance(f, types.FunctionType) and f.__name__ == 'report':\n"
        "        f.__code__ = (lambda m: None).__code__",
        "import sys\nsys.settrace(lambda *a: 1 / 0)\nsys.setrecursionlimit(5)",
    ],
    ids=["modules", "builtins", "json", "write", "runner", "trace"],
)
async def test_spoiling_the_runner_spoils_one_run(sandbox: SandboxCaller, source: str) -> None:
    """Whatever it does to its own interpreter, there is a typed outcome, and no one else's."""
    response = await sandbox.execute(source + "\ndef f(): return 1", ("f", {}), wall=3)
    assert response.outcome != pb.OUTCOME_UNSPECIFIED
    assert response.outcome in (
        pb.OUTCOME_OK,
        pb.OUTCOME_FAILED,
        pb.OUTCOME_CRASHED,
        pb.OUTCOME_TIMED_OUT,
    )


async def test_stopping_itself_is_a_timeout(sandbox: SandboxCaller) -> None:
    """Twice, since gVisor hands on to the guest the SIGCONT that wakes its kernel for a run."""
    response = await sandbox.execute(
        "import os, signal\nfor _ in range(2): os.kill(os.getpid(), signal.SIGSTOP)", wall=1
    )
    assert response.outcome == pb.OUTCOME_TIMED_OUT, response
