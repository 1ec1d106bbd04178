"""Random calls to every service: typed refusals or answers, and a service that goes on.

BATOS_FUZZ_CALLS says how many per service; 200 where it is not set, 2,000 in CI. The calls are the
same each time; BATOS_FUZZ_SEED draws others.
"""

import os
import re
from collections import Counter
from pathlib import Path

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2 as supervisor
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.abuse.wire.random_messages import payloads
from tests.abuse.wire.valid_requests import VALID, fresh
from tests.abuse.wire.wire import refusal
from tests.contract.rpc_methods import PACKAGES, methods_of, path_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CALLS = int(os.environ.get("BATOS_FUZZ_CALLS", "200"))
SEED = int(os.environ.get("BATOS_FUZZ_SEED", "0"))
SECONDS = 20
WATCH_SECONDS = 0.05
GROWTH_BYTES = 400 << 20
# A run costs a sandbox, a hundred times as much as any other call.
WEIGHTS = {"Execute": 1, "ExecuteStream": 1, "Session": 1, "GetCapacity": 9}
USUAL = (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


class Target:
    """One service: calls what it is given and judges how that ended."""

    def __init__(self, stack, service: str) -> None:
        self.process = stack.processes[service]
        self.channel = grpc.insecure_channel(
            stack.addresses[service], options=[("grpc.enable_retries", 0)]
        )
        self.ends: Counter[grpc.StatusCode] = Counter()

    def call(self, method, payload: bytes) -> None:
        payload = _harmless(method, payload)
        endless = method.name.startswith("Watch")
        try:
            answers = self._answers(method, payload, WATCH_SECONDS if endless else SECONDS)
        except grpc.RpcError as error:
            self.ends[error.code()] += 1
            if not (endless and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED):
                refusal(error).check_typed()
            return
        self.ends[grpc.StatusCode.OK] += 1
        if method.name == "AcquireGpuLease":
            self._release(supervisor.AcquireGpuLeaseResponse.FromString(answers[0]).lease)

    def _answers(self, method, payload: bytes, seconds: float) -> list[bytes]:
        path = path_of(method)
        if method.client_streaming:
            return list(self.channel.stream_stream(path)(iter([payload]), timeout=seconds))
        if method.server_streaming:
            return list(self.channel.unary_stream(path)(payload, timeout=seconds))
        return [self.channel.unary_unary(path)(payload, timeout=seconds)]

    def _release(self, lease: supervisor.GpuLease) -> None:
        SupervisorServiceStub(self.channel).ReleaseGpuLease(
            supervisor.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=lease.fencing_token)
        )

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def _harmless(method, payload: bytes) -> bytes:
    """A training run must not really train: it gets a dataset that is not there."""
    if method.name != "StartTrainingRun":
        return payload
    try:
        request = type(VALID["trainer"]["StartTrainingRun"]()).FromString(payload)
    except Exception:  # it is no message, and will be refused as such
        return payload
    request.dataset = request.dataset or "datasets/0123456789abcdef"
    return request.SerializeToString()


@pytest.mark.parametrize("service", list(PACKAGES))
def test_random_calls(stack, service):
    target = Target(stack, service)
    before = target.resident_bytes()
    methods = [m for m in methods_of(service) for _ in range(WEIGHTS.get(m.name, 1))]
    strategies = {m.name: payloads(VALID[service][m.name]) for m in methods}

    @seed(SEED)
    @settings(
        max_examples=CALLS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def calls(data):
        method = data.draw(st.sampled_from(methods))
        target.call(method, data.draw(strategies[method.name]))

    calls()
    assert target.ends.total() >= CALLS
    # Calls that all end in the same way would try little.
    assert min(target.ends[code] for code in USUAL) > CALLS / 50, target.ends
    assert target.process.exit_status is None
    assert "unhandled error" not in target.process.log.read_text()
    assert target.resident_bytes() - before < GROWTH_BYTES
    target.channel.close()
