"""The domain's values as messages of the contract."""

from collections.abc import Sequence

from batos.toolforge.v1 import toolforge_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.toolforge.forge import Attempt, Event, Forge, Kind, State, Verdict
from services.toolforge.invocation import End, Invocation
from services.toolforge.spec import Spec, read_spec
from services.toolforge.tool import Origin, Tool
from services.toolforge.trajectories import Trajectory

_STATES = {
    State.QUEUED: pb.FORGE_STATE_QUEUED,
    State.RUNNING: pb.FORGE_STATE_RUNNING,
    State.SUCCEEDED: pb.FORGE_STATE_SUCCEEDED,
    State.FAILED: pb.FORGE_STATE_FAILED,
    State.CANCELLED: pb.FORGE_STATE_CANCELLED,
}
_KINDS = {
    Kind.DRAFT: pb.ATTEMPT_KIND_DRAFT,
    Kind.REPAIR: pb.ATTEMPT_KIND_REPAIR,
    Kind.RESAMPLE: pb.ATTEMPT_KIND_RESAMPLE,
}
_VERDICTS = {
    Verdict.PASSED: pb.VERDICT_PASSED,
    Verdict.CHECK_FAILED: pb.VERDICT_CHECK_FAILED,
    Verdict.TRIAL_FAILED: pb.VERDICT_TRIAL_FAILED,
}
_ORIGINS = {
    Origin.FORGED: pb.TOOL_ORIGIN_FORGED,
    Origin.REGISTERED: pb.TOOL_ORIGIN_REGISTERED,
}
_ENDS = {
    End.OK: pb.INVOCATION_OUTCOME_OK,
    End.FAILED: pb.INVOCATION_OUTCOME_FAILED,
    End.STOPPED: pb.INVOCATION_OUTCOME_STOPPED,
}


def read_spec_message(message: pb.Spec) -> Spec:
    """The spec of a request; raises InvalidArgument."""
    pairs = [(example.arguments_json, example.result_json) for example in message.examples]
    return read_spec(message.name, message.description, pairs)


def spec_message(spec: Spec) -> pb.Spec:
    """A spec."""
    examples = [
        pb.Example(arguments_json=example.arguments_json, result_json=example.result_json)
        for example in spec.examples
    ]
    return pb.Spec(name=spec.name, description=spec.description, examples=examples)


def forge_message(forge: Forge) -> pb.Forge:
    """A forge with its attempts."""
    return pb.Forge(
        name=f"forges/{forge.id}",
        spec=spec_message(forge.spec),
        persona=forge.persona,
        state=_STATES[forge.state],
        attempts=[attempt_message(attempt) for attempt in forge.attempts],
        tool=f"tools/{forge.tool}" if forge.tool else "",
        failure=forge.failure,
        failure_reason=forge.failure_reason,
        model=forge.model,
        created_at=_timestamp(forge.created_at),
    )


def attempt_message(attempt: Attempt) -> pb.Attempt:
    """An attempt."""
    return pb.Attempt(
        number=attempt.number,
        kind=_KINDS[attempt.kind],
        verdict=_VERDICTS[attempt.verdict],
        source=attempt.source,
        finding=attempt.finding,
        passed_count=attempt.passed_count,
        model_time=_duration(attempt.model_seconds),
        trial_time=_duration(attempt.trial_seconds),
    )


def event_message(event: Event) -> pb.ForgeEvent:
    """An event of a forge."""
    return pb.ForgeEvent(
        sequence=event.sequence,
        state=_STATES[event.state],
        attempt=attempt_message(event.attempt) if event.attempt else None,
    )


def tool_message(tool: Tool) -> pb.Tool:
    """A tool."""
    return pb.Tool(
        name=f"tools/{tool.name}",
        version=tool.version,
        spec=spec_message(tool.spec),
        source=tool.source,
        entry_point=tool.entry_point,
        schema_json=tool.schema_json,
        origin=_ORIGINS[tool.origin],
        created_at=_timestamp(tool.created_at),
        evidence_sandbox_id=tool.sandbox_id,
    )


def hits_message(hits: Sequence[tuple[Tool, float]]) -> pb.SearchToolsResponse:
    """Found tools."""
    return pb.SearchToolsResponse(
        hits=[pb.ToolHit(tool=tool_message(tool), score=score) for tool, score in hits]
    )


def invocation_message(invocation: Invocation, tool: Tool) -> pb.InvokeToolResponse:
    """What a tool gave."""
    return pb.InvokeToolResponse(
        outcome=_ENDS[invocation.end],
        value_json=invocation.value_json,
        error=invocation.error,
        version=tool.version,
        wall=_duration(invocation.wall_seconds),
    )


def trajectory_message(trajectory: Trajectory) -> pb.Trajectory:
    """A graded example."""
    return pb.Trajectory(
        source_name=trajectory.source_name,
        origin=_ORIGINS[trajectory.origin],
        passed=trajectory.passed,
        spec=spec_message(trajectory.spec),
        prompt=[pb.ChatMessage(role=m.role, content=m.content) for m in trajectory.prompt],
        code=trajectory.code,
        family=trajectory.family,
        created_at=_timestamp(trajectory.created_at),
    )


def _timestamp(seconds: float) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromMicroseconds(round(seconds * 1e6))
    return timestamp


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration
