"""The Supervisor as the port `Arbiter`."""

from __future__ import annotations

import uuid

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub

from services.trainer.arbiter import Lease, PersonaCard, Swap
from services.trainer.peer_error import peer_error

_GET_SECONDS = 10.0


class GrpcArbiter:
    """Calls `SupervisorService`."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = SupervisorServiceStub(channel)
        self._address = address

    async def persona(self, name: str) -> PersonaCard:
        """As `Arbiter.persona`."""
        try:
            response = await self._stub.GetPersona(
                pb.GetPersonaRequest(name=name), timeout=_GET_SECONDS
            )
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._address, error) from error
        return _card(response.persona)

    async def acquire(
        self, request_id: str, holder: str, ttl: float, expected_seconds: float
    ) -> Lease:
        """As `Arbiter.acquire`."""
        request = pb.AcquireGpuLeaseRequest(request_id=request_id, holder=holder)
        request.ttl.FromMilliseconds(int(ttl * 1000))
        request.expected_duration.FromMilliseconds(int(expected_seconds * 1000))
        try:
            response = await self._stub.AcquireGpuLease(request)
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._address, error) from error
        return _lease(response.lease)

    async def renew(self, token: int, timeout: float) -> Lease:
        """As `Arbiter.renew`.

        A fresh request id each time: the stored answer of an earlier renewal would say nothing
        about the time that is left now.
        """
        try:
            response = await self._stub.RenewGpuLease(
                pb.RenewGpuLeaseRequest(request_id=str(uuid.uuid4()), fencing_token=token),
                timeout=timeout,
            )
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._address, error) from error
        return _lease(response.lease)

    async def release(self, token: int) -> None:
        """As `Arbiter.release`."""
        try:
            await self._stub.ReleaseGpuLease(
                pb.ReleaseGpuLeaseRequest(request_id=str(uuid.uuid4()), fencing_token=token),
                timeout=_GET_SECONDS,
            )
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._address, error) from error

    async def report_swap(self, request_id: str, swap: Swap) -> PersonaCard:
        """As `Arbiter.report_swap`."""
        request = pb.ReportModelSwapRequest(
            request_id=request_id,
            fencing_token=swap.token,
            persona=swap.persona,
            model_tag=swap.tag,
            model_digest=swap.digest,
            training_run=swap.run,
            figures=pb.EvaluationFigures(
                heldout_incumbent=swap.scores.heldout_incumbent,
                heldout_candidate=swap.scores.heldout_candidate,
                regression_incumbent=swap.scores.regression_incumbent,
                regression_candidate=swap.scores.regression_candidate,
                template_parity=swap.scores.template_parity,
            ),
        )
        try:
            response = await self._stub.ReportModelSwap(request)
        except grpc.RpcError as error:
            raise peer_error("supervisor", self._address, error) from error
        return _card(response.persona)


def _card(persona: pb.Persona) -> PersonaCard:
    return PersonaCard(
        name=persona.name,
        system_prompt=persona.system_prompt,
        model_tag=persona.model.tag,
        base_model=persona.base_model,
        generation=persona.model.generation,
        toolsmith=persona.toolsmith,
        previous_tag=persona.previous.tag,
    )


def _lease(lease: pb.GpuLease) -> Lease:
    return Lease(lease.fencing_token, lease.ttl.ToTimedelta().total_seconds())
