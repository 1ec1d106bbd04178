"""Graded training data: what a model was asked, and code that the sandbox has judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from services.toolforge.family import family_of
from services.toolforge.forge import Forge, State
from services.toolforge.prompt import Message, draft_messages
from services.toolforge.spec import Spec
from services.toolforge.tool import Origin, Tool


@dataclass(frozen=True)
class Trajectory:
    """One graded example. `created_at`, Unix seconds, is when it was graded."""

    source_name: str
    origin: Origin
    passed: bool
    spec: Spec
    prompt: tuple[Message, ...]
    code: str
    family: str
    created_at: float


class Trajectories(Protocol):
    """The port to all graded examples."""

    def export(self, include_failed: bool) -> AsyncIterator[Trajectory]:
        """Every finished forge that drafted any code, and every registered tool, oldest first."""
        ...


def of_tool(tool: Tool) -> Trajectory:
    """The example that an owner's tool makes."""
    return Trajectory(
        source_name=f"tools/{tool.name}",
        origin=Origin.REGISTERED,
        passed=True,
        spec=tool.spec,
        prompt=draft_messages("", tool.spec),
        code=_as_answered(tool.source),
        family=family_of(tool.source),
        created_at=tool.created_at,
    )


def of_forge(forge: Forge, ended_at: float) -> Trajectory:
    """The example that a finished forge makes: its last attempt's code, graded."""
    source = forge.attempts[-1].source
    return Trajectory(
        source_name=f"forges/{forge.id}",
        origin=Origin.FORGED,
        passed=forge.state is State.SUCCEEDED,
        spec=forge.spec,
        prompt=draft_messages("", forge.spec),
        code=_as_answered(source),
        family=family_of(source),
        created_at=ended_at,
    )


def _as_answered(source: str) -> str:
    """As a model answers: without blank lines around it."""
    return source.strip("\n")
