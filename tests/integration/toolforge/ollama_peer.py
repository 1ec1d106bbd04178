"""A peer that speaks Ollama's documented API over real HTTP and answers what a test scripts.

It stands for models that no real server can be made to be: hostile, broken, cut off.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[["Exchange"], Any]


@dataclass
class Exchange:
    """One request to /api/chat and the connection that it came by."""

    body: dict[str, Any]
    writer: asyncio.StreamWriter

    async def start(self, status: str = "200 OK") -> None:
        self.writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/x-ndjson\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def line(self, **fields: Any) -> None:
        await self.raw(json.dumps({"model": self.body["model"], **fields}).encode() + b"\n")

    async def piece(self, content: str, done: bool = False) -> None:
        await self.line(message={"role": "assistant", "content": content}, done=done)

    async def finish(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


@dataclass
class OllamaPeer:
    """Answers each chat with the next scripted answer; the last one again when they run out."""

    address: str = ""
    answers: list[Answer] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)
    answering: int = 0
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Serves; the second time on the port of the first."""
        port = int(self.address.rpartition(":")[2] or 0)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def script(self, *answers: Answer | str) -> None:
        self.answers = [says(answer) if isinstance(answer, str) else answer for answer in answers]
        self.chats = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while request := await _read_request(reader):
                await self._answer(*request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()

    async def _answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path != "/api/chat":
            text = b'{"version":"0.12.0","models":[]}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return
        exchange = Exchange(json.loads(body), writer)
        self.chats.append(exchange.body)
        answer = self.answers[min(len(self.chats), len(self.answers)) - 1]
        self.answering += 1
        try:
            await answer(exchange)
        finally:
            self.answering -= 1


@asynccontextmanager
async def ollama_peer() -> AsyncIterator[OllamaPeer]:
    peer = OllamaPeer()
    await peer.open()
    try:
        yield peer
    finally:
        await peer.close()


def says(content: str) -> Answer:
    """A whole answer, in pieces of 40 characters."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start()
        for start in range(0, len(content), 40):
            await exchange.piece(content[start : start + 40])
        await exchange.line(
            message={"role": "assistant", "content": ""}, done=True, done_reason="stop"
        )
        await exchange.finish()

    return answer


def refuses(status: str, error: str) -> Answer:
    """An error as Ollama answers it, before anything was streamed."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start(status)
        await exchange.raw(json.dumps({"error": error}).encode())
        await exchange.finish()

    return answer


def breaks_off(content: str) -> Answer:
    """Some pieces, then the connection is gone."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.piece(content)
        exchange.writer.transport.abort()

    return answer


def ends_early(content: str) -> Answer:
    """A well-formed stream that never says done."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.piece(content)
        await exchange.finish()

    return answer


def streams(*lines: bytes) -> Answer:
    """These bytes, whatever they are."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start()
        for line in lines:
            await exchange.raw(line)
        await exchange.finish()

    return answer


def never_ends(content: str) -> Answer:
    """The same piece for ever."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start()
        while True:
            await exchange.piece(content)

    return answer


def says_after(seconds: float, content: str) -> Answer:
    """Silence, then a whole answer."""

    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await says(content)(exchange)

    return answer


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes] | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in headers if line)
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return first.split(" ")[1], body
