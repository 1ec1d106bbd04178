"""What the document shows, run as a program that has the `batos` namespace and nothing else."""

import os
import re
import subprocess
import sys

import pytest
from batos.client import methods

from deploy.local.topology import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

DOCUMENT = (ROOT / "docs/client.md").read_text("utf-8")
NAMES = """
import sys, batos.client
assert not {"shared", "services", "deploy"} & set(sys.modules)
"""


def run_alone(code, folder, variables=()):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATOS_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT / "protos")} | dict(variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_needs_the_namespace_alone(tmp_path):
    ended = run_alone(NAMES, tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_the_quick_start_runs(settings, tmp_path):
    (code,) = re.findall(r"```python\n(.+?)```", DOCUMENT, re.S)
    assert len([line for line in code.splitlines() if line]) == 9
    where = {
        "BATOS_SUPERVISOR_ADDRESS": settings.supervisor,
        "BATOS_MEMORY_ADDRESS": settings.memory,
    }
    ended = run_alone(code, tmp_path, where)
    assert ended.returncode == 0, ended.stderr
    answer, _, recalled = ended.stdout.strip().rpartition("The spare key")
    assert answer
    assert recalled == " is under the red pot."


def test_the_document_names_the_variables():
    for service in methods.Service:
        assert f"`{service.value}`" in DOCUMENT
