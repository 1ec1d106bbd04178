"""Modules that the guest gets out of the archive are the modules that any Python has."""

import json
import subprocess
import sys

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

ABOUT = """
import importlib, inspect, sys
def about(name):
    module = importlib.import_module(name)
    return [
        module.__spec__.name, module.__package__, hasattr(module, "__path__"),
        (module.__file__ or "").split("/lib/")[-1], sorted(vars(module)),
    ]
"""
IGNORED = {"__cached__", "__warningregistry__"}
MODULES = ["json", "re", "typing", "dataclasses", "collections", "urllib.parse", "random"]


def plain(name: str) -> list:
    """What the same interpreter says of a module, without the sandbox."""
    said = subprocess.run(
        [
            sys._base_executable,
            "-I",
            "-S",
            "-c",
            f"import json\n{ABOUT}\nprint(json.dumps(about({name!r})))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(said.stdout)


@pytest.mark.parametrize("name", MODULES)
async def test_a_module_is_what_it_is_elsewhere(sandbox: SandboxCaller, name: str) -> None:
    ((*facts, names),) = values(await sandbox.execute(ABOUT, ("about", {"name": name})))
    *expected, expected_names = plain(name)
    assert facts == expected
    assert set(names) ^ set(expected_names) <= IGNORED | {"sre_compile"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os; os.closerange(4, 200); import dataclasses; print('fine')", "fine"),
        ("import json, importlib; print(importlib.reload(json) is json)", "True"),
        ("import json, inspect; print('def dumps' in inspect.getsource(json))", "True"),
        ("import json.tool; print(json.tool.__name__)", "json.tool"),
        (
            "import pkgutil, json; print(len(list(pkgutil.iter_modules(json.__path__))))",
            "4",
        ),
        ("import random; a = random.random(); print(0 < a < 1)", "True"),
        (
            "import subprocess, sys\n"
            "print(subprocess.check_output([sys.executable, '-c', 'import json; print(1)'])[:1])",
            "b'1'",
        ),
    ],
    ids=["closed", "reload", "source", "beside", "listed", "random", "child"],
)
async def test_what_people_do_with_modules_works(
    sandbox: SandboxCaller, source: str, expected: str
) -> None:
    response = await sandbox.execute(source, wall=5)
    assert response.outcome == pb.OUTCOME_OK, response
    assert response.stdout.decode().strip() == expected


async def test_a_traceback_of_the_library_shows_its_lines(sandbox: SandboxCaller) -> None:
    source = (
        "import json, traceback\ntry: json.loads('{')\nexcept ValueError: traceback.print_exc()"
    )
    response = await sandbox.execute(source)
    assert b'/json/decoder.py", line' in response.stderr
    assert b"raise JSONDecodeError" in response.stderr or b"scan_once" in response.stderr
