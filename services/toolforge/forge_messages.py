"""Forges and what they teach as messages of the contract."""

from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge.forge import Attempt, Event, Forge, Kind, Sample, State, Verdict
from services.toolforge.moments import duration_message, timestamp_message
from services.toolforge.tool_messages import ORIGINS, example_message, spec_message
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
        created_at=timestamp_message(forge.created_at),
        samples_per_attempt=forge.samples,
        existing=forge.existing,
        proposed_tests=[
            pb.ProposedTest(example=example_message(test.example), disagreement=test.disagreement)
            for test in forge.proposed or ()
        ],
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
        model_time=duration_message(attempt.model_seconds),
        trial_time=duration_message(attempt.trial_seconds),
        other_samples=[_sample_message(sample) for sample in attempt.other_samples],
    )


def _sample_message(sample: Sample) -> pb.Sample:
    return pb.Sample(
        source=sample.source,
        verdict=_VERDICTS[sample.verdict],
        finding=sample.finding,
        passed_count=sample.passed_count,
    )


def event_message(event: Event) -> pb.ForgeEvent:
    """An event of a forge."""
    return pb.ForgeEvent(
        sequence=event.sequence,
        state=_STATES[event.state],
        attempt=attempt_message(event.attempt) if event.attempt else None,
    )


def trajectory_message(trajectory: Trajectory) -> pb.Trajectory:
    """A graded example."""
    return pb.Trajectory(
        source_name=trajectory.source_name,
        origin=ORIGINS[trajectory.origin],
        passed=trajectory.passed,
        spec=spec_message(trajectory.spec),
        prompt=[pb.ChatMessage(role=m.role, content=m.content) for m in trajectory.prompt],
        code=trajectory.code,
        family=trajectory.family,
        created_at=timestamp_message(trajectory.created_at),
        drafts=[
            pb.GradedDraft(
                kind=_KINDS[draft.kind],
                code=draft.code,
                verdict=_VERDICTS[draft.verdict],
                finding=draft.finding,
            )
            for draft in trajectory.drafts
        ],
    )
