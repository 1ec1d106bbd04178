"""Uploading, creating, listing, copying and deleting models."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import ollama
import pytest

from tests.contract.model_server.server_process import ServerProcess
from tests.unit.model_server.tiny_llama import make_tiny_llama

ASK = [{"role": "user", "content": "the bat flies over a river"}]
GREEDY = {"temperature": 0, "num_predict": 32}


def upload(client: ollama.Client, directory: Path) -> dict[str, str]:
    return {
        path.name: client.create_blob(path)
        for path in sorted(directory.iterdir())
        if path.is_file()
    }


def names(client: ollama.Client) -> list[str]:
    return [model.model for model in client.list().models]


def digest_of(client: ollama.Client, name: str) -> str:
    return next(model.digest for model in client.list().models if model.model == name)


@pytest.fixture
def made(client: ollama.Client, tiny_dir: Path) -> Iterator[str]:
    client.create("made", files=upload(client, tiny_dir), quantize="q8_0")
    yield "made:latest"
    if "made:latest" in names(client):
        client.delete("made")


def test_the_preloaded_file_is_a_tag(client: ollama.Client) -> None:
    found = next(model for model in client.list().models if model.model == "tiny:latest")
    assert len(bytes.fromhex(found.digest)) == 32
    assert found.size > 10_000
    assert found.details.family == "llama"
    assert found.details.quantization_level == "Q8_0"
    assert found.details.parameter_size.endswith("K")


def test_a_directory_of_safetensors_becomes_a_model(client: ollama.Client, made: str) -> None:
    assert made in names(client)
    made_answer = client.chat("made", messages=ASK, options=GREEDY).message.content
    assert made_answer == client.chat("tiny", messages=ASK, options=GREEDY).message.content
    shown = client.show("made")
    assert shown.details.quantization_level == "Q8_0"
    assert "<|im_start|>" in shown.template
    assert shown.modelinfo["llama.block_count"] == 2
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["tokenizer.ggml.tokens"] is None
    assert shown.capabilities == ["completion"]


def test_creating_tells_its_steps(client: ollama.Client, tiny_dir: Path) -> None:
    files = upload(client, tiny_dir)
    steps = [part.status for part in client.create("steps", files=files, stream=True)]
    assert steps[0] == "converting model"
    assert steps[-2:] == ["writing manifest", "success"]
    assert client.show("steps").details.quantization_level == "BF16"
    client.delete("steps")


async def test_the_async_client_creates_too(
    async_client: ollama.AsyncClient, tiny_dir: Path
) -> None:
    paths = [path for path in tiny_dir.iterdir() if path.is_file()]
    files = {path.name: await async_client.create_blob(path) for path in paths}
    answer = await async_client.create("made-async", files=files, quantize="q8_0")
    assert answer.status == "success"
    assert (await async_client.show("made-async")).details.quantization_level == "Q8_0"
    await async_client.delete("made-async")


def test_equal_models_have_equal_digests(client: ollama.Client, made: str, tmp_path: Path) -> None:
    assert digest_of(client, made) == digest_of(client, "tiny:latest")
    other = make_tiny_llama(tmp_path, seed=2)
    client.create("other", files=upload(client, other), quantize="q8_0")
    assert digest_of(client, "other:latest") != digest_of(client, made)
    client.delete("other")


def test_a_gguf_file_becomes_a_model(client: ollama.Client, preload_dir: Path) -> None:
    digest = client.create_blob(preload_dir / "tiny.gguf")
    client.create("from-gguf", files={"anything.gguf": digest}, system="Be brief.")
    assert client.show("from-gguf").modelfile.count("Be brief.") == 1
    client.delete("from-gguf")


def test_a_tag_made_from_another_keeps_what_is_not_replaced(client: ollama.Client) -> None:
    client.create(
        "one", from_="tiny", system="Be brief.", parameters={"num_predict": 4, "stop": ["x"]}
    )
    client.create("two", from_="one", parameters={"num_predict": 5, "temperature": 0})
    assert client.show("two").details.parent_model == "one:latest"
    assert "num_predict" in client.show("one").parameters
    system = {"role": "system", "content": "Be brief."}
    plain = client.chat("tiny", messages=[system, *ASK], options={**GREEDY, "num_predict": 5})
    assert client.chat("two", messages=ASK).message.content == plain.message.content
    client.delete("one")
    assert client.chat("two", messages=ASK).eval_count == 5
    client.delete("two")


def test_a_template_of_its_own_changes_the_prompt(client: ollama.Client) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    client.create("plain", from_="tiny", template=template)
    raw = client.generate("tiny", "the bat", raw=True, options=GREEDY).response
    assert client.generate("plain", "the bat", options=GREEDY).response == raw
    assert client.show("plain").template == template
    client.delete("plain")


def test_copies_and_deletions(client: ollama.Client) -> None:
    client.copy("tiny", "team/copy:v1")
    assert "team/copy:v1" in names(client)
    assert digest_of(client, "team/copy:v1") == digest_of(client, "tiny:latest")
    assert client.chat("team/copy:v1", messages=ASK, options=GREEDY).message.content
    client.delete("team/copy:v1")
    assert "team/copy:v1" not in names(client)
    for call in (client.delete, client.show, lambda name: client.copy(name, "x")):
        with pytest.raises(ollama.ResponseError, match="model 'team/copy:v1' not found") as absent:
            call("team/copy:v1")
        assert absent.value.status_code == 404


def test_names_are_found_in_any_case(client: ollama.Client) -> None:
    assert client.show("TINY").details.family == "llama"


def test_creating_again_replaces_the_model_in_memory(
    client: ollama.Client, made: str, tmp_path: Path
) -> None:
    before = client.chat(made, messages=ASK, options=GREEDY).message.content
    other = make_tiny_llama(tmp_path, seed=2)
    client.create("made", files=upload(client, other), quantize="q8_0")
    assert client.chat(made, messages=ASK, options=GREEDY).message.content != before


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({}, 400, "neither 'from' or 'files' was specified"),
        ({"files": {}}, 400, "no files provided to convert"),
        ({"from": "absent"}, 404, "model 'absent' not found"),
        ({"from": "tiny", "quantize": "q4_K_M"}, 400, "quantization is only supported"),
        ({"from": "tiny", "quantize": "q1"}, 400, "unsupported quantization type 'q1'"),
        ({"from": "tiny", "parameters": {"top_p": "high"}}, 400, "top_p"),
        ({"files": {"m.gguf": "sha256:" + "0" * 64}}, 400, "not found"),
        ({"files": {"m.gguf": "sha256:../../../etc/passwd"}}, 400, "invalid digest"),
    ],
)
def test_what_cannot_be_created_is_refused(
    server: ServerProcess, fields: dict[str, object], status: int, message: str
) -> None:
    answer = httpx.post(server.url + "/api/create", json={"model": "never", **fields})
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert httpx.post(server.url + "/api/show", json={"model": "never"}).status_code == 404


def test_failures_after_the_first_step_come_as_a_line(
    client: ollama.Client, server: ServerProcess, tiny_dir: Path
) -> None:
    files = upload(client, tiny_dir)
    body = {"model": "never", "files": files, "quantize": "q2_K"}
    lines = httpx.post(server.url + "/api/create", json=body).text.splitlines()
    assert json.loads(lines[0]) == {"status": "converting model"}
    assert "unsupported quantization type 'q2_k'" in json.loads(lines[-1])["error"]
    with pytest.raises(ollama.ResponseError, match="unsupported quantization"):
        client.create("never", files=files, quantize="q2_K")
    without = {name: digest for name, digest in files.items() if name != "tokenizer.json"}
    with pytest.raises(ollama.ResponseError, match=r"tokenizer\.json is missing"):
        client.create("never", files=without)
    escaping = {f"../{name}": digest for name, digest in files.items()}
    with pytest.raises(ollama.ResponseError, match="file path must be relative"):
        client.create("never", files=escaping)
    assert "never:latest" not in names(client)


def test_a_broken_gguf_file_never_becomes_a_tag(
    client: ollama.Client, preload_dir: Path, tmp_path: Path
) -> None:
    whole = (preload_dir / "tiny.gguf").read_bytes()
    for number, data in enumerate((b"not a model", whole[:2000], whole[:-5000])):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(data)
        digest = client.create_blob(path)
        with pytest.raises(ollama.ResponseError) as refused:
            client.create("broken", files={"m.gguf": digest})
        assert refused.value.status_code == 400
    assert "broken:latest" not in names(client)
    assert client.chat("tiny", messages=ASK, options=GREEDY).message.content


def test_a_wrong_digest_is_refused(server: ServerProcess) -> None:
    data, wrong = b"some bytes", "sha256:" + "1" * 64
    url = f"{server.url}/api/blobs/{wrong}"
    answer = httpx.post(url, content=data)
    assert answer.status_code == 400
    assert hashlib.sha256(data).hexdigest() in answer.json()["error"]
    assert httpx.head(url).status_code == 404
    assert httpx.post(f"{server.url}/api/blobs/sha256:xyz", content=data).status_code == 400


def test_a_blob_is_there_after_its_upload(server: ServerProcess) -> None:
    data = np.arange(300_000).tobytes()
    url = f"{server.url}/api/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
    assert httpx.head(url).status_code == 404
    assert httpx.post(url, content=data).status_code == 201
    assert httpx.head(url).status_code == 200
    assert httpx.post(url, content=data).status_code == 200


def test_a_cut_off_upload_leaves_nothing(server: ServerProcess) -> None:
    digest = "sha256:" + hashlib.sha256(b"x" * 1000).hexdigest()
    target = urlsplit(server.url)
    with socket.create_connection((target.hostname, target.port)) as connection:
        head = (
            f"POST /api/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x" * 500)
        blobs = server.data_dir / "blobs"
        while not list(blobs.glob(".*")):
            pass
    while list(blobs.glob(".*")):
        pass
    assert httpx.head(f"{server.url}/api/blobs/{digest}").status_code == 404


def test_a_go_template_renders_the_same_prompt_as_jinja(client: ollama.Client) -> None:
    turns = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    template = turns + "<|im_start|>assistant\n"
    client.create("go", from_="tiny", template=template)
    plain = client.chat("tiny", messages=ASK, options=GREEDY)
    rendered = client.chat("go", messages=ASK, options=GREEDY)
    assert rendered.message.content == plain.message.content
    assert rendered.prompt_eval_count == plain.prompt_eval_count
    asked = client.generate("tiny", ASK[0]["content"], template=template, options=GREEDY)
    assert asked.response == plain.message.content
    with pytest.raises(ollama.ResponseError, match="template error"):
        client.create("go", from_="tiny", template="{{ if .System }}")
    assert client.show("go").template == template
    client.delete("go")


def test_a_model_that_is_there_is_pulled_at_once(client: ollama.Client) -> None:
    assert client.pull("tiny").status == "success"
    assert [s.status for s in client.pull("tiny", stream=True)] == ["pulling manifest", "success"]


def test_there_is_no_registry(client: ollama.Client, server: ServerProcess) -> None:
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        client.pull("absent")
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        list(client.pull("absent", stream=True))
    with pytest.raises(ollama.ResponseError, match="no registry"):
        client.push("tiny")
    with pytest.raises(ollama.ResponseError, match="not found"):
        client.push("absent")
    assert httpx.post(server.url + "/api/pull", json={}).status_code == 400
