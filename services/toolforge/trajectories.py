"""Graded training data: what a model was asked, and code that the sandbox has judged."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Protocol

from services.toolforge.family import family_of
from services.toolforge.forge import Attempt, Forge, Kind, Sample, State, Verdict
from services.toolforge.prompt import Message, draft_messages
from services.toolforge.spec import Spec
from services.toolforge.tool import Origin, Tool, ToolState


@dataclass(frozen=True)
class GradedDraft:
    """A draft on the way, and what was wrong with it."""

    kind: Kind
    code: str
    verdict: Verdict
    finding: str


@dataclass(frozen=True)
class Trajectory:
    """One graded example. `created_at`, Unix seconds, is when it was graded.

    `drafts` are all of a forge, in order, the samples that were not chosen before the one that was.
    """

    source_name: str
    origin: Origin
    passed: bool
    spec: Spec
    prompt: tuple[Message, ...]
    code: str
    family: str
    created_at: float
    drafts: tuple[GradedDraft, ...] = ()

    @property
    def digest(self) -> bytes:
        """Equal for the same code with the same verdict that answers the same prompt."""
        parts = [str(self.passed), *(message.content for message in self.prompt), self.code]
        text = "\0".join(parts)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Trajectories(Protocol):
    """The port to all graded examples."""

    def export(self, include_failed: bool) -> AsyncIterator[Trajectory]:
        """Every finished forge that drafted any code, and every registered tool, oldest first.

        The same code for the same prompt comes once. What is in quarantine now has not passed.
        """
        ...


def of_tool(tool: Tool) -> Trajectory:
    """The example that an owner's tool makes."""
    return Trajectory(
        source_name=f"tools/{tool.name}",
        origin=Origin.REGISTERED,
        passed=tool.state is not ToolState.QUARANTINED,
        spec=tool.spec,
        prompt=draft_messages("", tool.spec),
        code=_as_answered(tool.source),
        family=family_of(tool.source),
        created_at=tool.created_at,
    )


def of_forge(forge: Forge, ended_at: float, quarantined: bool) -> Trajectory:
    """The example that a finished forge makes: its last attempt's code, graded."""
    source = forge.attempts[-1].source
    return Trajectory(
        source_name=f"forges/{forge.id}",
        origin=Origin.FORGED,
        passed=forge.state is State.SUCCEEDED and not quarantined,
        spec=forge.spec,
        prompt=draft_messages("", forge.spec),
        code=_as_answered(source),
        family=family_of(source),
        created_at=ended_at,
        drafts=tuple(draft for attempt in forge.attempts for draft in _drafts(attempt)),
    )


def _drafts(attempt: Attempt) -> Iterator[GradedDraft]:
    chosen = Sample(attempt.source, attempt.verdict, attempt.finding, attempt.passed_count)
    for tried in (*attempt.other_samples, chosen):
        code = _as_answered(tried.source)
        yield GradedDraft(attempt.kind, code, tried.verdict, tried.finding)


def _as_answered(source: str) -> str:
    """As a model answers: without blank lines around it."""
    return source.strip("\n")
