"""What a service's log says of a call: who made it, for which request, in which trace."""

import json
from pathlib import Path

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from deploy.local import LocalStack
from shared import tracing
from shared.channel import open_channel
from shared.interceptors import request_id
from tests.integration.identity.certificates import Certificates

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_line_tells_caller_request_and_trace(tmp_path: Path, ours: Certificates):
    ours.of("memory")
    request_id.current.set("abcdefgh1234")
    tracing.current.set(TRACE)
    async with LocalStack(tmp_path / "state", services=["memory"], identities=ours.root) as stack:
        async with open_channel(stack.addresses["memory"], ours.of("operator")) as channel:
            await MemoryServiceStub(channel).GetStats(pb.GetStatsRequest())
        lines = stack.processes["memory"].log.read_text().splitlines()
    (line,) = [entry for entry in map(json.loads, lines) if entry["event"] == "call"]
    told = {name: line[name] for name in ("request_id", "trace_id", "caller", "code", "service")}
    assert told == {
        "request_id": "abcdefgh1234",
        "trace_id": TRACE.split("-")[1],
        "caller": "operator",
        "code": "OK",
        "service": "memory",
    }
