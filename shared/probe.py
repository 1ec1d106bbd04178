"""Asks a service whether it serves: `python -m shared.probe HOST:PORT`, for health checks.

Exits with 0 where it says SERVING, with 1 and a sentence where it does not. Shows the identity in
BATOS_TLS_DIR, where that is set.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import open_channel
from shared.errors import BatosError


async def is_serving(address: str, tls_dir: Path | None = None, seconds: float = 3.0) -> bool:
    """What the service at `host:port` says of itself.

    grpc.RpcError where it does not answer in time, FailedPrecondition where the identity in
    `tls_dir` cannot be read.
    """
    async with open_channel(address, tls_dir) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        answer = await check(health_pb2.HealthCheckRequest(), timeout=seconds)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> int:
    """Asks once."""
    parser = argparse.ArgumentParser(prog="python -m shared.probe", description=__doc__)
    parser.add_argument("address", help="host:port of a gRPC service")
    address = parser.parse_args().address
    directory = os.environ.get("BATOS_TLS_DIR")
    try:
        if asyncio.run(is_serving(address, Path(directory) if directory else None)):
            return 0
        trouble = "it says NOT_SERVING; its log says why"
    except grpc.aio.AioRpcError as error:
        trouble = f"{error.code().name}: {error.details()}"
    except BatosError as error:
        trouble = error.message
    sys.stderr.write(f"{address} does not serve: {trouble}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
