"""Tools, and what happens to them, as messages of the contract."""

from collections.abc import Sequence

from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge.evidence import Evidence, EvidenceKind, Usage
from services.toolforge.invocation import End, Invocation
from services.toolforge.lifecycle import ToolEvent, ToolEventKind
from services.toolforge.moments import duration_message, timestamp_message
from services.toolforge.registration import Wanted
from services.toolforge.spec import EXACT, Example, Spec, Tolerance, read_spec
from services.toolforge.tool import Origin, Tool, ToolState

ORIGINS = {
    Origin.FORGED: pb.TOOL_ORIGIN_FORGED,
    Origin.REGISTERED: pb.TOOL_ORIGIN_REGISTERED,
}
_STATES = {
    ToolState.ACTIVE: pb.TOOL_STATE_ACTIVE,
    ToolState.QUARANTINED: pb.TOOL_STATE_QUARANTINED,
    ToolState.RETIRED: pb.TOOL_STATE_RETIRED,
}
_EVIDENCE = {
    EvidenceKind.TRIAL: pb.EVIDENCE_KIND_TRIAL,
    EvidenceKind.RETRIAL: pb.EVIDENCE_KIND_RETRIAL,
    EvidenceKind.ASSERTIONS: pb.EVIDENCE_KIND_ASSERTIONS,
    EvidenceKind.PROPOSED: pb.EVIDENCE_KIND_PROPOSED,
}
_EVENTS = {
    ToolEventKind.REGISTERED: pb.TOOL_EVENT_KIND_REGISTERED,
    ToolEventKind.ROLLED_BACK: pb.TOOL_EVENT_KIND_ROLLED_BACK,
    ToolEventKind.QUARANTINED: pb.TOOL_EVENT_KIND_QUARANTINED,
    ToolEventKind.REINSTATED: pb.TOOL_EVENT_KIND_REINSTATED,
    ToolEventKind.RETIRED: pb.TOOL_EVENT_KIND_RETIRED,
}
_ENDS = {
    End.OK: pb.INVOCATION_OUTCOME_OK,
    End.FAILED: pb.INVOCATION_OUTCOME_FAILED,
    End.STOPPED: pb.INVOCATION_OUTCOME_STOPPED,
}


def read_spec_message(message: pb.Spec) -> Spec:
    """The spec of a request; raises InvalidArgument."""
    return read_spec(message.name, message.description, _pairs(message), _tolerance(message))


def read_wanted(request: pb.RegisterToolRequest) -> Wanted:
    """What is to be registered; its spec is not looked at yet."""
    return Wanted(
        name=request.spec.name,
        description=request.spec.description,
        examples=_pairs(request.spec),
        tolerance=_tolerance(request.spec),
        source=request.source,
        assertions=request.assertions,
    )


def spec_message(spec: Spec) -> pb.Spec:
    """A spec."""
    message = pb.Spec(
        name=spec.name,
        description=spec.description,
        examples=[example_message(example) for example in spec.examples],
    )
    if spec.tolerance != EXACT:
        message.tolerance.relative = spec.tolerance.relative
        message.tolerance.absolute = spec.tolerance.absolute
    return message


def example_message(example: Example) -> pb.Example:
    """An example."""
    return pb.Example(arguments_json=example.arguments_json, result_json=example.result_json)


def tool_message(tool: Tool) -> pb.Tool:
    """A tool."""
    lineage = tool.lineage
    return pb.Tool(
        name=f"tools/{tool.name}",
        version=tool.version,
        spec=spec_message(tool.spec),
        source=tool.source,
        entry_point=tool.entry_point,
        schema_json=tool.schema_json,
        origin=ORIGINS[tool.origin],
        created_at=timestamp_message(tool.created_at),
        evidence_sandbox_id=tool.sandbox_id,
        state=_STATES[tool.state],
        state_reason=tool.state_reason,
        lineage=pb.Lineage(
            forge=f"forges/{lineage.forge}" if lineage.forge else "",
            model=lineage.model,
            model_generation=lineage.model_generation,
            attempt=lineage.attempt,
        ),
        assertions=tool.assertions,
    )


def evidence_message(evidence: Evidence) -> pb.Evidence:
    """One judging of a version."""
    return pb.Evidence(
        kind=_EVIDENCE[evidence.kind],
        sandbox_id=evidence.sandbox_id,
        time=timestamp_message(evidence.time),
        passed_count=evidence.passed_count,
        total_count=evidence.total_count,
        finding=evidence.finding,
    )


def usage_message(usage: Usage) -> pb.Usage:
    """How a version has done in use."""
    return pb.Usage(
        invocation_count=usage.invocation_count,
        failure_count=usage.failure_count,
        failures_in_a_row=usage.failures_in_a_row,
        last_failure=usage.last_failure,
        last_time=timestamp_message(usage.last_time) if usage.last_time else None,
    )


def event_message(event: ToolEvent) -> pb.ToolEvent:
    """Something that happened to a tool."""
    return pb.ToolEvent(
        sequence=event.sequence,
        kind=_EVENTS[event.kind],
        tool=f"tools/{event.tool}",
        version=event.version,
        reason=event.reason,
        time=timestamp_message(event.time),
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
        wall=duration_message(invocation.wall_seconds),
        called_versions=invocation.called_versions,
    )


def _pairs(message: pb.Spec) -> list[tuple[str, str]]:
    return [(example.arguments_json, example.result_json) for example in message.examples]


def _tolerance(message: pb.Spec) -> Tolerance:
    return Tolerance(message.tolerance.relative, message.tolerance.absolute)
