"""Programs that want to speak to anybody."""

import asyncio
from typing import Any

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.executor_process import ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

NETWORK = """
import socket
def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return "refused: " + type(error).__name__
def knock(host, port):
    return attempt(lambda: socket.create_connection((host, port), 1))
def resolve(name):
    return attempt(lambda: socket.getaddrinfo(name, 80))
def datagram(host):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return attempt(lambda: sender.sendto(b"x", (host, 53)))
"""


async def test_there_is_no_network(sandbox: SandboxCaller) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    response = await sandbox.execute(
        NETWORK,
        ("knock", {"host": "127.0.0.1", "port": port}),
        ("knock", {"host": "1.1.1.1", "port": 53}),
        ("resolve", {"name": "example.com"}),
        ("datagram", {"host": "1.1.1.1"}),
        wall=20,
    )
    server.close()
    assert response.outcome == pb.OUTCOME_OK, response
    assert all(value.startswith("refused") for value in values(response)), values(response)
    assert heard == []


SPEAK = """
import errno, socket
def speak(family, kind, address):
    try:
        with socket.socket(getattr(socket, family), getattr(socket, kind)) as one:
            one.settimeout(1)
            one.connect(tuple(address) if isinstance(address, list) else address)
            one.send(b"x")
            return "spoke"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
def raw():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        return "opened"
    except OSError as error:
        return errno.errorcode[error.errno]
def interfaces():
    return [name for _, name in socket.if_nameindex()]
"""


@pytest.mark.parametrize(
    ("family", "kind", "address"),
    [
        ("AF_INET", "SOCK_STREAM", ["169.254.169.254", 80]),
        ("AF_INET", "SOCK_STREAM", ["172.17.0.1", 2375]),
        ("AF_INET", "SOCK_STREAM", ["10.0.0.1", 443]),
        ("AF_INET", "SOCK_DGRAM", ["8.8.8.8", 53]),
        ("AF_INET", "SOCK_DGRAM", ["255.255.255.255", 67]),
        ("AF_INET6", "SOCK_STREAM", ["2606:4700:4700::1111", 443]),
        ("AF_INET6", "SOCK_STREAM", ["fe80::1", 80]),
        ("AF_INET6", "SOCK_DGRAM", ["ff02::1", 5353]),
        ("AF_UNIX", "SOCK_STREAM", "/var/run/docker.sock"),
        ("AF_UNIX", "SOCK_STREAM", "\0/containerd-shim/x.sock"),
    ],
)
async def test_nobody_can_be_spoken_to(
    sandbox: SandboxCaller, family: str, kind: str, address: Any
) -> None:
    given = {"family": family, "kind": kind, "address": address}
    response = await sandbox.execute(SPEAK, ("speak", given), wall=20)
    assert response.outcome == pb.OUTCOME_OK, response
    assert values(response)[0] != "spoke"


async def test_the_executor_itself_cannot_be_reached(
    sandbox: SandboxCaller, executor: ExecutorProcess
) -> None:
    host, _, port = executor.address.rpartition(":")
    given = {"family": "AF_INET", "kind": "SOCK_STREAM", "address": [host, int(port)]}
    response = await sandbox.execute(SPEAK, ("speak", given))
    assert values(response)[0] != "spoke"


async def test_there_is_only_the_loopback(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(SPEAK, ("interfaces", {}), ("raw", {}))
    names, opened = values(response)
    assert set(names or ["lo"]) == {"lo"}
    assert opened in ("EPERM", "EACCES", "EAFNOSUPPORT")


async def test_talking_to_oneself_is_allowed_and_stays_inside(sandbox: SandboxCaller) -> None:
    source = """
import socket
def f():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as one:
            other, _ = server.accept()
            one.sendall(b"x")
            return other.recv(1).decode()
"""
    response = await sandbox.execute(source, ("f", {}))
    assert response.outcome in (pb.OUTCOME_OK, pb.OUTCOME_FAILED), response
