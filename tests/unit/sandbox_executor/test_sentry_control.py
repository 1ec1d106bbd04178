import asyncio
import json

import pytest

from services.sandbox_executor.sentry import SentryControl

TASKS = {"pids": {"current": 3}}
ANSWER = json.dumps(
    {"result": {"event": {"data": TASKS}, "containerUsage": {"c": 5_000_000}}}
).encode()


@pytest.fixture
async def control(tmp_path):
    """A peer on a real socket that takes its time, as a sentry under load does."""

    async def answer(reader, writer):
        while await reader.read(4096):
            await asyncio.sleep(0.05)
            writer.write(ANSWER)
            await writer.drain()

    server = await asyncio.start_unix_server(answer, tmp_path / "sentry.sock")
    control = SentryControl(tmp_path / "sentry.sock", "c")
    yield control
    control.close()
    server.close()


async def test_two_looks_at_once_both_get_an_answer(control):
    both = await asyncio.gather(control.tasks(), control.tasks())
    assert [tasks.count for tasks in both] == [3, 3]


async def test_a_look_that_was_given_up_does_not_answer_the_next(control):
    given_up = asyncio.ensure_future(control.tasks())
    await asyncio.sleep(0.02)
    given_up.cancel()
    assert (await control.tasks()).count == 3


async def test_an_absent_sentry_is_no_answer(tmp_path):
    assert await SentryControl(tmp_path / "nobody.sock", "c").tasks() is None


def test_cpu_time_comes_from_where_it_is_counted(tmp_path):
    control = SentryControl(tmp_path / "nobody.sock", "c")
    assert control._parse(ANSWER).cpu_seconds == 0.005
    data = TASKS | {"cpu": {"usage": {"total": 7_000_000}}}
    alone = {"result": {"event": {"data": data}, "containerUsage": None}}
    assert control._parse(json.dumps(alone).encode()).cpu_seconds == 0.007
