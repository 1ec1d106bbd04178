"""The walk that CONTRIBUTING describes: a folder copied, stubs made, and a whole service runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "docs" / "new-service"

CALLER = """
import asyncio, os, signal, subprocess, sys, uuid
from batos.guestbook.v1 import guestbook_pb2 as pb
from batos.guestbook.v1.guestbook_pb2_grpc import GuestbookServiceStub
from shared.channel import open_channel
from shared.errors import InvalidArgument
from shared.probe import is_serving
from shared.rpc_status import from_rpc_error
import grpc

def start():
    return subprocess.Popen([sys.executable, "-m", "services.guestbook"])

async def up(address):
    for _ in range(200):
        try:
            if await is_serving(address):
                return
        except grpc.aio.AioRpcError:
            pass
        await asyncio.sleep(0.05)
    raise SystemExit("it does not serve")

async def main():
    address = os.environ["BATOS_GUESTBOOK_LISTEN"]
    process = start()
    try:
        await up(address)
        async with open_channel(address) as channel:
            stub = GuestbookServiceStub(channel)
            signed = [pb.SignRequest(request_id=str(uuid.uuid4()), name=n) for n in ("Ada", "Bo")]
            answers = [await stub.Sign(request) for request in signed]
            process.kill(); process.wait()
            process = start()
            await up(address)
            again = [await stub.Sign(r, wait_for_ready=True) for r in signed]
            assert again == answers
            page = await stub.ListGuests(pb.ListGuestsRequest(page_size=1))
            rest = await stub.ListGuests(pb.ListGuestsRequest(page_token=page.next_page_token))
            assert [g.name for g in [*page.guests, *rest.guests]] == ["Ada", "Bo"]
            try:
                await stub.Sign(pb.SignRequest(request_id=str(uuid.uuid4())))
            except grpc.aio.AioRpcError as error:
                assert from_rpc_error(error).violations[0].field == "name"
            else:
                raise SystemExit("a guest without a name was kept")
    finally:
        process.terminate()
        assert process.wait(10) == 0

asyncio.run(main())
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the house with the template where a service belongs."""
    shutil.copytree(ROOT / "shared", tmp_path / "shared")
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    (tmp_path / "services" / "guestbook").mkdir(parents=True)
    for package in ("services", "services/guestbook"):
        (tmp_path / package / "__init__.py").touch()
    for file in TEMPLATE.glob("*.py"):
        shutil.copy(file, tmp_path / "services" / "guestbook")
    (tmp_path / "protos/batos/guestbook/v1").mkdir(parents=True)
    shutil.copy(TEMPLATE / "guestbook.proto", tmp_path / "protos/batos/guestbook/v1")
    return tmp_path


def run(tree: Path, *command: str, **environment: str) -> None:
    paths = f"{tree}{os.pathsep}{tree / 'protos'}"
    variables = os.environ | {"PYTHONPATH": paths, "PYTHON": sys.executable} | environment
    done = subprocess.run(
        command, cwd=tree, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_copied_folder_is_a_service(tree, unused_tcp_port):
    run(tree, "bash", "protos/generate.sh")
    tools = Path(sys.executable).parent
    run(tree, str(tools / "buf"), "lint", "protos")
    config = str(ROOT / "pyproject.toml")
    run(tree, str(tools / "ruff"), "check", "--config", config, "services")
    run(tree, str(tools / "ruff"), "format", "--check", "--config", config, "services")
    run(tree, str(tools / "mypy"), "--config-file", config, "services/guestbook")
    run(
        tree,
        sys.executable,
        "-c",
        CALLER,
        BATOS_GUESTBOOK_LISTEN=f"127.0.0.1:{unused_tcp_port}",
        BATOS_GUESTBOOK_DATA_DIR=str(tree / "data"),
    )
