"""Constant load on the sandbox, from inside the internal network: python execute_load.py WORKERS

One JSON line a second: calls that were answered, calls that failed and why, calls per replica.
Runs until its standard input ends.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import grpc
from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub

from shared.channel import open_channel

SOURCE = "def double(n):\n    return 2 * n\n"


class Load:
    """Counts since the last line."""

    def __init__(self) -> None:
        self.answered = 0
        self.failures: Counter[str] = Counter()
        self.replicas: Counter[str] = Counter()
        self.done = False

    async def work(self, stub, number: int) -> None:
        """Runs code and asks who answers, in turns, one call at a time."""
        while not self.done:
            try:
                await self.call_both(stub, number)
            except grpc.aio.AioRpcError as error:
                self.failures[f"{error.code().name}: {error.details()}"] += 1

    async def call_both(self, stub, number: int) -> None:
        call = pb.FunctionCall(function="double", arguments_json=json.dumps({"n": number}))
        run = await stub.Execute(pb.ExecuteRequest(source=SOURCE, calls=[call]))
        if run.outcome == pb.OUTCOME_OK and run.results[0].value_json == str(2 * number):
            self.answered += 1
        else:
            self.failures[f"{pb.Outcome.Name(run.outcome)}: {run.detail}"] += 1
        self.replicas[(await stub.GetCapacity(pb.GetCapacityRequest())).replica_id] += 1

    def line(self) -> str:
        """The counts, which begin anew."""
        counts = {
            "answered": self.answered,
            "failures": dict(self.failures),
            "replicas": dict(self.replicas),
        }
        self.answered, self.failures, self.replicas = 0, Counter(), Counter()
        return json.dumps(counts)


async def main(workers: int) -> None:
    """Works until nobody holds our standard input any more."""
    load, ended = Load(), asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    channel = open_channel(os.environ["BATOS_SANDBOX_ADDRESS"], Path(os.environ["BATOS_TLS_DIR"]))
    async with channel:
        stub = SandboxServiceStub(channel)
        tasks = [asyncio.create_task(load.work(stub, number)) for number in range(workers)]
        while not ended.done():
            await asyncio.sleep(1)
            print(load.line(), flush=True)
        load.done = True
        await asyncio.gather(*tasks)
        print(load.line(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
