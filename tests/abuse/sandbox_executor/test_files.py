"""Programs after files that are not theirs, and files meant to do harm outside."""

from pathlib import Path

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.executor_process import DOCKER, ROOT
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

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


async def test_links_to_files_outside_are_no_artifacts(sandbox: SandboxCaller) -> None:
    source = (
        "import os\nos.symlink('/etc/passwd', 'passwd'); os.symlink('/proc/1/environ', 'environ')\n"
        "os.symlink('../../python', 'up'); os.link('/python/bin/python3', 'hard')"
    )
    response = await sandbox.execute(source, collect=("*", "**/*", "up/bin/*"))
    assert response.outcome in (pb.OUTCOME_OK, pb.OUTCOME_FAILED), response
    assert not response.files


@pytest.mark.parametrize(
    "name", ["x\ny", "\x1b[31mred", "a'b\"c$(id)", "-rf", " ", "ü" * 100, "..."]
)
async def test_odd_names_are_only_names(sandbox: SandboxCaller, name: str) -> None:
    response = await sandbox.execute(f"open({name!r}, 'w').write('x')", collect=("*",))
    assert response.outcome == pb.OUTCOME_OK, response
    assert [(file.path, file.content) for file in response.files] == [(name, b"x")]


async def test_a_name_that_is_no_text_is_made_one(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("import os; open(b'\\xff\\xfe', 'w').close()", collect=("*",))
    assert [file.path for file in response.files] == ["??"]


async def test_a_thousand_folders_deep(sandbox: SandboxCaller) -> None:
    source = (
        "import os\nfor n in range(1000):\n    os.mkdir('d'); os.chdir('d')\n"
        "open('end', 'w').close()"
    )
    response = await sandbox.execute(source, collect=("**/end",), wall=20)
    assert response.outcome in (pb.OUTCOME_OK, pb.OUTCOME_FAILED, pb.OUTCOME_CRASHED), response
    assert not response.files


async def test_leftovers_and_poisoned_start_up_files_meet_nobody(sandbox: SandboxCaller) -> None:
    poison = (
        "import os\nfor name in ('sitecustomize.py', 'usercustomize.py', 'json.py', 'main.pth'):\n"
    )
    poison += "    for folder in ('/tmp', '/python/lib/python3.11', '/python/packages'):\n"
    poison += "        try: open(f'{folder}/{name}', 'w').write('raise SystemExit(9)')\n"
    poison += "        except OSError: pass\n"
    assert (await sandbox.execute(poison)).outcome == pb.OUTCOME_OK
    response = await sandbox.execute(
        "import json, os\ndef f(): return [json.dumps(1), os.listdir()]", ("f", {})
    )
    assert values(response) == [["1", []]]


async def test_files_with_the_names_of_modules_are_not_imported(sandbox: SandboxCaller) -> None:
    """The caller's own files lie in the working directory, which is no place for imports here."""
    response = await sandbox.execute(
        "import base64\nprint(base64.b64encode(b'x').decode())",
        files={"base64.py": b"raise SystemExit(9)", "random.py": b"raise SystemExit(9)"},
    )
    assert (response.outcome, response.stdout) == (pb.OUTCOME_OK, b"eA==\n")
