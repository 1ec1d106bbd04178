"""Model files made to hurt: they must be refused, and the server must go on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from services.model_server.gguf_header import read_gguf_header
from services.model_server.load_check import check_loads
from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.export import export_gguf
from tests.contract.model_server.server_process import ServerProcess
from tests.unit.model_server.tiny_llama import make_tiny_llama


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny")
    (directory / "preload").mkdir()
    path = directory / "preload" / "tiny.gguf"
    export_gguf(make_tiny_llama(directory / "hf"), path)
    return path


@pytest.fixture(scope="module")
def client(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ollama.Client]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), gguf.parent)
    yield server.client()
    server.close()


def with_value(data: bytes, key: str, value: int) -> bytes:
    """The same file with another 32-bit value for a key."""
    at = data.index(key.encode()) + len(key) + 4
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.block_count", 0),
        ("llama.context_length", 0),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", 2**31),
    ],
)
def test_a_file_that_crashes_llama_cpp_is_refused(
    client: ollama.Client, gguf: Path, tmp_path: Path, key: str, value: int
) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(with_value(gguf.read_bytes(), key, value))
    digest = client.create_blob(path)
    with pytest.raises(ollama.ResponseError, match=r"llama\.cpp cannot use the model"):
        client.create("hostile", files={"m.gguf": digest})
    messages = [{"role": "user", "content": "hi"}]
    assert client.chat("tiny", messages=messages, options={"num_predict": 4}).done


@pytest.mark.parametrize("length", [0, 3, 8, 23, 24, 60, 200, 3000, -1])
def test_a_cut_header_is_refused(gguf: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf.read_bytes()[:length])
    with pytest.raises(BadModelError):
        read_gguf_header(path)


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63),
        b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
        b"GGUF"
        + struct.pack("<IQQ", 3, 0, 1)
        + struct.pack("<Q", 1)
        + b"k"
        + struct.pack("<I", 77),
        b"GGUF"
        + struct.pack("<IQQQ", 3, 0, 1, 1)
        + b"k"
        + struct.pack("<I", 9)
        + struct.pack("<IQ", 9, 1) * 50,
    ],
    ids=["counts", "string", "version", "type", "nesting"],
)
def test_a_lying_header_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "lying.gguf"
    path.write_bytes(data + b"\0" * 64)
    with pytest.raises(BadModelError):
        read_gguf_header(path)


@pytest.mark.parametrize("template", ["{% for %}", "{{ raise_exception('no') }}"])
def test_a_template_that_fails_is_refused(gguf: Path, template: str) -> None:
    with pytest.raises(BadModelError, match=r"llama\.cpp cannot use the model"):
        check_loads(gguf, template)
