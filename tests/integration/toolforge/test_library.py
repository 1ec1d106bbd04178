"""Tools out into plain files and in again, by the command that people run; real processes."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from tests.integration.toolforge.workshop import ADD, Workshop, fresh_id, spec, workshop

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOTAL = (
    "from tools import plus\n\n\ndef total(a: int, b: int) -> int:\n"
    '    """Add by way of plus."""\n    return plus(a, b)\n'
)
PROBLEMS = [
    {
        "task_id": "Own/0",
        "prompt": "from typing import List\n\n\ndef below_zero(operations: List[int]) -> bool:\n"
        '    """ Tell whether a balance that begins at zero ever falls below zero.\n'
        '    >>> below_zero([1, -2])\n    True\n    """\n',
        "entry_point": "below_zero",
        "canonical_solution": "    balance = 0\n    for operation in operations:\n"
        "        balance += operation\n        if balance < 0:\n            return True\n"
        "    return False\n",
        "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([]) == False\n"
        "    assert candidate([1, -2]) == True\n    assert candidate([5, -2, -3]) == False\n",
    },
    {
        "task_id": "Own/1",
        "prompt": 'def shouted(text, times):\n    """Say it louder: Größe counts."""\n',
        "entry_point": "shouted",
        "solution": "    return text.upper() * times\n",
        "test": "def check(candidate):\n    for times in range(3):\n"
        "        assert candidate('ab', times) == 'AB' * times\n"
        "    assert candidate('x', 1) == 'X'\n",
    },
    {
        "task_id": "Own/2",
        "prompt": 'def wrong_one(n: int) -> int:\n    """Double."""\n',
        "entry_point": "wrong_one",
        "canonical_solution": "    return n\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    },
]


async def library(shop: Workshop, *arguments: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.toolforge.library",
        *arguments,
        "--toolforge",
        shop.stack.addresses["toolforge"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "COLUMNS": "300",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(filter(None, sys.path)),
        },
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, " ".join(printed.decode().split())


async def test_a_registry_moves_to_another_machine_as_plain_files(
    shop: Workshop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # "total" sorts after "plus" and needs it; "aardvark" sorts before and needs it as well.
    await shop.register(spec("plus"), ADD.replace("add", "plus"))
    wanted = spec("total")
    wanted.tolerance.absolute = 0.5
    await shop.register(wanted, TOTAL)
    await shop.register(spec("aardvark"), TOTAL.replace("total", "aardvark"))
    await shop.register(spec("gone"), ADD.replace("add", "gone"))
    await shop.stub.RetireTool(
        pb.RetireToolRequest(request_id=fresh_id(), name="tools/gone", reason="Too old.")
    )
    folder = tmp_path / "library"
    status, printed = await library(shop, "export", str(folder), "--include-retired")
    assert status == 0, printed
    assert (folder / "total" / "tool.py").read_text() == TOTAL
    table = json.loads((folder / "total" / "spec.json").read_text())
    assert table["examples"][0] == {"arguments": {"a": 1, "b": 2}, "result": 3}
    assert table["tolerance"] == {"absolute": 0.5}
    record = json.loads((folder / "total" / "record.json").read_text())
    assert record["evidence"][0]["kind"] == "EVIDENCE_KIND_TRIAL"
    assert [path.name for path in tmp_path.iterdir()] == ["library"]
    assert (await library(shop, "export", str(folder)))[0] == 2

    for name in (path.name for path in folder.iterdir()):
        if name not in {"plus", "total", "aardvark", "gone"}:
            for file in (folder / name).iterdir():
                file.unlink()
            (folder / name).rmdir()
    (folder / "evil").mkdir()
    (folder / "evil" / "tool.py").write_text(ADD)
    (folder / "evil" / "spec.json").write_text('{"description": 1')
    (folder / "liar").mkdir()
    (folder / "liar" / "tool.py").write_text(ADD.replace("add", "liar").replace("+", "-"))
    (folder / "liar" / "spec.json").write_text(json.dumps(table))
    (folder / "liar" / "record.json").write_text(json.dumps(record))
    async with workshop(tmp_path_factory.mktemp("other")) as other:
        status, printed = await library(other, "import", str(folder))
        assert status == 1
        assert "evil/spec.json is not JSON" in printed
        assert "rejected liar: the code was rejected: liar(1, 2) returned -1" in printed
        assert "4 registered, 0 unchanged, 2 rejected" in printed
        assert await other.tools() == {"tools/plus", "tools/total", "tools/aardvark"}
        assert (await other.invoke("aardvark", a=2, b=3)).value_json == "5"
        gone = (await other.stub.GetTool(pb.GetToolRequest(name="tools/gone"))).tool
        assert (gone.state, gone.state_reason) == (pb.TOOL_STATE_RETIRED, "Too old.")
        total = (await other.stub.GetTool(pb.GetToolRequest(name="tools/total"))).tool
        assert total.spec == wanted
        status, printed = await library(other, "import", str(folder))
        assert "0 registered, 4 unchanged, 2 rejected" in printed


async def test_problems_in_humanevals_shape_become_tools(shop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    lines = [json.dumps(problem) for problem in PROBLEMS]
    file.write_text("\n".join([*lines, "{", '{"prompt": 1}', ""]))
    status, printed = await library(shop, "import-humaneval", str(file))
    assert status == 1
    assert "unreadable line 4: is not JSON" in printed
    assert "unreadable line 5: has no text in 'entry_point'" in printed
    assert "rejected wrong_one: the code was rejected: the assertions raised" in printed
    assert "2 registered, 0 unchanged, 3 rejected" in printed
    assert (await shop.invoke("below_zero", operations=[3, -4])).value_json == "true"
    tool = (await shop.stub.GetTool(pb.GetToolRequest(name="tools/shouted"))).tool
    assert "def shouted(text: str, times: int) -> object:" in tool.source
    assert tool.spec.description == "Say it louder: Größe counts."
    assert len(tool.spec.examples) == 4
    described = (await shop.stub.GetTool(pb.GetToolRequest(name="tools/below_zero"))).tool
    assert described.spec.description.endswith("ever falls below zero.")
    assert tool.assertions == PROBLEMS[1]["test"]
    status, printed = await library(shop, "import-humaneval", str(file))
    assert "0 registered, 2 unchanged" in printed


async def test_what_cannot_be_done_is_said_and_told_by_the_exit_status(
    shop: Workshop, tmp_path: Path
) -> None:
    status, printed = await library(shop, "import", str(tmp_path))
    assert (status, "holds no tools" in printed) == (2, True)
    status, printed = await library(shop, "import-humaneval", str(tmp_path / "none"))
    assert (status, "cannot be read" in printed) == (2, True)
    status, printed = await library(shop, "export", "--help")
    assert status == 0
    assert "import-humaneval" in printed
