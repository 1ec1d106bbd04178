"""Services that are away, slow or killed, and callers that have no right; real processes all."""

import asyncio
import time

import pytest
from batos.client import (
    AsyncBatos,
    Batos,
    BatosError,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    Settings,
    Unavailable,
)

from deploy.local import LocalStack
from deploy.local.topology import free_ports
from tests.integration.client.conftest import settings_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TURNS = 12
SPEAKING = ["model-server", "memory", "supervisor"]


@pytest.fixture
def nowhere():
    (port,) = free_ports(1)
    return Settings(supervisor=f"127.0.0.1:{port}", tls_dir=None, patience=0.3)


def test_a_service_that_is_away_is_named_with_what_to_do(nowhere):
    with Batos(nowhere) as batos, pytest.raises(Unavailable) as caught:
        list(batos.personas())
    assert caught.value.reason == "UNREACHABLE"
    assert f"Supervisor does not answer at {nowhere.supervisor}" in caught.value.message
    assert "BATOS_SUPERVISOR_ADDRESS" in caught.value.message


async def test_so_it_is_in_streams_and_for_asyncio(nowhere):
    with Batos(nowhere) as batos, pytest.raises(Unavailable, match="does not answer"):
        next(batos.chat("Hello.", persona="BRICK"))
    async with AsyncBatos(nowhere) as batos:
        with pytest.raises(Unavailable, match="does not answer"):
            await anext(batos.chat("Hello.", persona="BRICK"))
        with pytest.raises(Unavailable, match="does not answer"):
            await anext(batos.events())


def test_patience_is_how_long_it_is_tried(nowhere):
    for patience, least, most in ((0.0, 0.0, 1.0), (2.0, 1.2, 4.0)):
        with Batos(Settings(supervisor=nowhere.supervisor, patience=patience)) as batos:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                batos.rate("somas/any", 1, good=True)
            assert least <= time.monotonic() - began < most


def test_the_deadline_ends_it_before_patience_does(nowhere):
    with Batos(Settings(supervisor=nowhere.supervisor, patience=60)) as batos:
        began = time.monotonic()
        with pytest.raises(BatosError) as caught:
            batos.within(0.5).ask("Hello.", persona="BRICK")
        assert time.monotonic() - began < 2
    assert isinstance(caught.value, DeadlineExceeded | Unavailable)


async def test_a_turn_that_takes_too_long_is_given_up(settings):
    hurried = Settings(supervisor=settings.supervisor, deadline=0.001)
    with Batos(hurried) as batos, pytest.raises(DeadlineExceeded, match="Converse"):
        batos.ask("Good morning.", persona="BRICK")
    async with AsyncBatos(hurried) as batos:
        with pytest.raises(DeadlineExceeded):
            await batos.ask("Good morning.", persona="BRICK")
        assert (await batos.within(30).ask("Good morning.", persona="BRICK")).turn.number == 1


def test_nothing_goes_beyond_this_machine_in_plaintext():
    away = Settings(memory="192.0.2.1:50051", tls_dir=None)
    with Batos(away) as batos, pytest.raises(FailedPrecondition) as caught:
        batos.recall("anything", namespace="personas/BRICK")
    assert caught.value.reason == "TLS_NEEDED"
    assert away.memory in caught.value.message


def test_addresses_come_from_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("BATOS_MEMORY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("BATOS_TLS_DIR", str(tmp_path))
    assert Settings().memory == "127.0.0.1:1"
    assert Settings().supervisor == "127.0.0.1:50055"
    with Batos() as batos, pytest.raises(FailedPrecondition) as caught:
        batos.forget("any", namespace="personas/BRICK")
    assert caught.value.reason == "IDENTITY_UNREADABLE"


async def test_closing_the_client_ends_what_waits_and_lets_nothing_begin(settings):
    batos = Batos(settings)
    waiting = asyncio.create_task(asyncio.to_thread(list, batos.events()))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    batos.close()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(FailedPrecondition) as caught:
        batos.ask("Good morning.", persona="BRICK")
    assert caught.value.reason == "CLIENT_CLOSED"
    async with AsyncBatos(settings) as batos:
        pass
    with pytest.raises(FailedPrecondition):
        await batos.ask("Good morning.", persona="BRICK")


async def test_a_call_waits_for_a_service_that_is_started_again(tmp_path):
    async with LocalStack(tmp_path, services=["memory"]) as stack:
        settings = settings_of(stack, patience=30)
        with Batos(settings) as batos:
            (kept,) = batos.remember("The key is under the pot.", namespace="personas/X")
            await stack.processes["memory"].stop()
            waiting = [
                asyncio.create_task(asyncio.to_thread(batos.recall, "key", namespace="personas/X")),
                asyncio.create_task(recalled(settings)),
                asyncio.create_task(
                    asyncio.to_thread(batos.remember, "The cat is Mia.", namespace="personas/Y")
                ),
            ]
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in waiting)
            await stack.restart("memory")
            blocking, awaited, (cat,) = await asyncio.gather(*waiting)
            assert [hit.record.id for hit in blocking + awaited] == [kept, kept]
            found = batos.recall("cat", namespace="personas/Y")
            assert [hit.record.id for hit in found] == [cat]


async def recalled(settings):
    async with AsyncBatos(settings) as batos:
        return await batos.recall("key", namespace="personas/X")


async def test_no_turn_is_lost_or_said_twice_over_a_kill(tmp_path):
    """A turn that the kill cut off in the middle is asked for anew, under its own id."""
    async with LocalStack(tmp_path, services=SPEAKING) as stack:
        settings = settings_of(stack, patience=30)
        blocking = asyncio.create_task(asyncio.to_thread(numbers_of_turns, settings))
        awaited = asyncio.create_task(awaited_numbers_of_turns(settings))
        watched = asyncio.create_task(asyncio.to_thread(finished_turns, settings))
        await asyncio.sleep(0.5)
        await stack.processes["supervisor"].kill()
        await stack.restart("supervisor")
        assert await blocking == list(range(1, TURNS + 1))
        assert await awaited == list(range(1, TURNS + 1))
        sequences = await watched
        assert sequences == list(range(1, 2 * TURNS + 1))


def numbers_of_turns(settings):
    with Batos(settings) as batos:
        soma, numbers = "", []
        for number in range(TURNS):
            finished = batos.ask(f"Good morning, for time {number}.", persona="BRICK", soma=soma)
            soma = finished.soma
            numbers.append(finished.turn.number)
        return numbers


async def awaited_numbers_of_turns(settings):
    async with AsyncBatos(settings) as batos:
        soma, numbers = "", []
        for number in range(TURNS):
            finished = await batos.ask(f"Good night, {number}.", persona="BRICK", soma=soma)
            soma = finished.soma
            numbers.append(finished.turn.number)
        return numbers


def finished_turns(settings):
    """The sequences of the journal, read over the kill, until it tells of all turns."""
    sequences, finished = [], 0
    with Batos(settings) as batos, batos.events() as events:
        for event in events:
            sequences.append(event.sequence)
            finished += event.kind == 1
            if finished == 2 * TURNS:
                break
    return sequences
