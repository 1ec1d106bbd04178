"""Images from the command line, against a running system."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.integration.images.world import World, fresh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def images(*arguments: str, supervisor: str = "") -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command."""
    where = ("--supervisor", supervisor) if supervisor else ()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.images", *arguments, *where),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode(), err.decode()


async def test_an_image_is_saved_listed_verified_loaded_and_deleted(here: World) -> None:
    address = here.stack.addresses["supervisor"]
    told = await here.say("The ferry is called Leonore.")
    request = ("--request-id", fresh())
    saved = [
        await images("save", "--note", "[first]", "--json", *request, supervisor=address)
        for _ in range(2)
    ]
    assert [status for status, *_ in saved] == [0, 0], saved
    image = json.loads(saved[0][1])
    assert json.loads(saved[1][1]) == image, "the same request is the same image"
    name = image["name"].removeprefix("images/")

    status, out, err = await images("list", supervisor=address)
    assert status == 0, err
    assert name[:8] in out
    assert "[first]" in out
    status, out, _ = await images("verify", name, "--json", supervisor=address)
    assert (status, json.loads(out)["name"]) == (0, image["name"])

    await here.say("The bus is called Otto.")
    status, out, err = await images("load", image["name"], "--json", supervisor=address)
    assert status == 0, err
    loaded = json.loads(out)
    assert loaded["previous"]["name"] != image["name"]
    assert await here.somas() == {told.soma}

    status, _, err = await images("delete", name, supervisor=address)
    assert (status, err.strip()) == (0, "done")
    _, out, _ = await images("list", "--json", supervisor=address)
    assert [each["name"] for each in json.loads(out)["images"]] == [loaded["previous"]["name"]]


async def test_what_cannot_be_done_is_told_in_one_line(here: World) -> None:
    address = here.stack.addresses["supervisor"]
    for command in ("verify", "load", "delete"):
        status, out, err = await images(command, fresh(), supervisor=address)
        assert (status, out) == (2, "")
        assert "Traceback" not in err
        assert err.strip()


async def test_without_a_supervisor_it_says_so() -> None:
    status, _, err = await images("list", supervisor="127.0.0.1:9")
    assert status == 2
    assert "Traceback" not in err
