"""Loading, keeping, evicting and queueing models; stopping, and being killed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import ollama
import pytest

from tests.contract.model_server.server_process import ServerProcess, until

ASK = [{"role": "user", "content": "the bat flies over a river"}]
GREEDY = {"temperature": 0, "num_predict": 16}
ENDLESS = {"type": "array", "items": {"enum": ["one", "two"]}, "minItems": 400}


@pytest.fixture
def start(preload_dir: Path, tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of the test's own, with settings of its own."""
    processes: list[ServerProcess] = []

    def begin(preload: Path = preload_dir, **settings: str) -> ServerProcess:
        processes.append(ServerProcess(tmp_path / str(len(processes)), preload, **settings))
        return processes[-1]

    yield begin
    for process in processes:
        process.close()


def in_memory(client: ollama.Client) -> list[str]:
    return [model.model for model in client.ps().models]


def test_keep_alive_says_how_long_a_model_stays(client: ollama.Client) -> None:
    client.generate("tiny", prompt="", keep_alive=0)
    client.chat("tiny", messages=ASK, options=GREEDY, keep_alive="10m")
    (model,) = client.ps().models
    assert 0 <= model.size_vram <= model.size
    assert model.size > 10_000
    assert 590 < (model.expires_at - datetime.now(UTC)).total_seconds() <= 600
    client.chat("tiny", messages=ASK, options=GREEDY, keep_alive=-1)
    assert client.ps().models[0].expires_at.year > 2200
    client.chat("tiny", messages=ASK, options=GREEDY, keep_alive=0.2)
    until(lambda: not in_memory(client))


def test_a_model_is_loaded_and_unloaded_without_a_prompt(client: ollama.Client) -> None:
    loaded = client.generate("tiny", keep_alive="5m")
    assert (loaded.done_reason, loaded.response) == ("load", "")
    assert in_memory(client) == ["tiny:latest"]
    unloaded = client.generate("tiny", prompt="", keep_alive=0)
    assert unloaded.done_reason == "unload"
    assert in_memory(client) == []
    assert client.chat("tiny", messages=[]).done_reason == "load"
    assert client.chat("tiny", messages=[], keep_alive=0).done_reason == "unload"
    assert in_memory(client) == []


def test_the_context_can_be_chosen_up_to_the_models_own(client: ollama.Client) -> None:
    client.chat("tiny", messages=ASK, options={**GREEDY, "num_ctx": 128})
    assert client.ps().models[0].context_length == 128
    client.chat("tiny", messages=ASK, options={**GREEDY, "num_ctx": 100_000})
    assert client.ps().models[0].context_length == 512


def test_the_model_unused_for_longest_makes_room(start: Callable[..., ServerProcess]) -> None:
    client = start(OLLAMA_MAX_LOADED_MODELS="2").client()
    for name in ("a", "b", "c"):
        client.copy("tiny", name)
    for name in ("a", "b", "a", "c"):
        client.chat(name, messages=ASK, options=GREEDY)
    assert sorted(in_memory(client)) == ["a:latest", "c:latest"]


def test_too_many_requests_are_turned_away(start: Callable[..., ServerProcess]) -> None:
    server = start(OLLAMA_NUM_PARALLEL="1", OLLAMA_MAX_QUEUE="2")
    body = {"model": "tiny", "messages": ASK, "format": ENDLESS, "stream": False}

    def ask(_: int) -> httpx.Response:
        return httpx.post(server.url + "/api/chat", json=body, timeout=60)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert 1 <= len(refused) <= 6
    assert "maximum pending requests exceeded" in refused[0].json()["error"]
    assert all(answer.json()["done"] for answer in answers if answer not in refused)


def test_an_unload_waits_for_the_answer_in_flight(start: Callable[..., ServerProcess]) -> None:
    client = start().client()
    parts = client.chat("tiny", messages=ASK, format=ENDLESS, stream=True)
    next(parts)
    client.generate("tiny", prompt="", keep_alive=0)
    assert in_memory(client) == ["tiny:latest"]
    assert list(parts)[-1].done
    until(lambda: not in_memory(client))


def test_the_server_answers_while_a_model_works(start: Callable[..., ServerProcess]) -> None:
    server = start()
    body = {"model": "tiny", "messages": ASK, "format": ENDLESS, "stream": False}
    worker = threading.Thread(
        target=lambda: httpx.post(server.url + "/api/chat", json=body, timeout=60)
    )
    worker.start()
    started = time.monotonic()
    assert httpx.get(server.url + "/api/tags").status_code == 200
    assert time.monotonic() - started < 1
    worker.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_while_answering(
    start: Callable[..., ServerProcess], number: signal.Signals
) -> None:
    server = start()
    parts = server.client().chat("tiny", messages=ASK, format=ENDLESS, stream=True)
    next(parts)
    status, seconds = server.stop(number)
    assert status == 0
    assert seconds < 2


def test_models_outlive_a_restart_and_remains_do_not(start: Callable[..., ServerProcess]) -> None:
    server = start()
    server.client().copy("tiny", "kept")
    server.client().create_blob(Path(__file__))
    (server.data_dir / "work-left").mkdir()
    (server.data_dir / "blobs" / ".left").touch()
    server.stop(signal.SIGKILL)
    server.start()
    assert server.client().chat("kept", messages=ASK, options=GREEDY).message.content
    assert len(list((server.data_dir / "blobs").iterdir())) == 1
    assert not (server.data_dir / "work-left").exists()


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_a_kill_during_a_creation_leaves_the_old_model(
    start: Callable[..., ServerProcess], tiny_dir: Path, delay: float
) -> None:
    server = start()
    client = server.client()
    client.copy("tiny", "target")
    before = client.chat("target", messages=ASK, options=GREEDY).message.content
    files = {p.name: client.create_blob(p) for p in tiny_dir.iterdir() if p.is_file()}
    steps = client.create("target", files=files, quantize="f32", stream=True)
    next(steps)
    time.sleep(delay)
    server.stop(signal.SIGKILL)
    server.start()
    client = server.client()
    shown = client.show("target").details.quantization_level
    assert shown in ("Q8_0", "F32")
    after = client.chat("target", messages=ASK, options=GREEDY).message.content
    assert shown == "F32" or after == before
    assert not list(server.data_dir.glob("work-*"))


def test_an_absent_preload_directory_is_a_warning(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start(preload=tmp_path / "nowhere")
    assert server.events("nothing_to_preload")
    with pytest.raises(ollama.ResponseError, match="model 'tiny' not found") as absent:
        server.client().chat("tiny", messages=ASK)
    assert absent.value.status_code == 404


def test_a_changed_preload_file_replaces_its_tag(
    start: Callable[..., ServerProcess], preload_dir: Path, tmp_path: Path
) -> None:
    preload = tmp_path / "preload"
    preload.mkdir()
    data = (preload_dir / "tiny.gguf").read_bytes()
    (preload / "mine.gguf").write_bytes(data)
    (preload / "broken.gguf").write_bytes(b"nothing")
    server = start(preload=preload)
    first = server.client().list().models
    assert [model.model for model in first] == ["mine:latest"]
    (preload / "mine.gguf").write_bytes(data + b"\0" * 32)
    server.stop()
    server.start()
    (second,) = server.client().list().models
    assert second.digest != first[0].digest


def test_settings_with_faults_are_all_named(start: Callable[..., ServerProcess]) -> None:
    with pytest.raises(AssertionError, match=r"OLLAMA_NUM_PARALLEL[\s\S]*OLLAMA_KEEP_ALIVE"):
        start(OLLAMA_NUM_PARALLEL="none", OLLAMA_KEEP_ALIVE="soon")
