"""Takes an owner's own code through the same checks and trial as a forge's."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.toolforge import foreign
from services.toolforge.candidate import Candidate
from services.toolforge.evidence import Evidence, EvidenceKind
from services.toolforge.examination import Examination, evidence_of
from services.toolforge.foreign import Recording, run_assertions
from services.toolforge.lifecycle import Lifecycle, Witness
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Limits
from services.toolforge.spec import Spec, Tolerance, read_spec, require_head
from services.toolforge.tool import Tool, make_tool
from shared.errors import FailedPrecondition, InvalidArgument

_RECORDED_EXAMPLES = 16


@dataclass(frozen=True)
class Wanted:
    """A request to register: the texts of a spec, code, and assertions about it, if any."""

    name: str
    description: str
    examples: Sequence[tuple[str, str]]
    tolerance: Tolerance
    source: str
    assertions: str

    def spec(self, recorded: Sequence[tuple[str, str]] = ()) -> Spec:
        """The spec; raises InvalidArgument that names every faulty field."""
        return read_spec(self.name, self.description, self.examples or recorded, self.tolerance)


@dataclass(frozen=True)
class Registration:
    """Registers what passes; of what does not, nothing is kept."""

    registry: Registry
    lifecycle: Lifecycle
    examination: Examination
    assertion_seconds: float

    async def register(self, wanted: Wanted, also: Witness) -> Tool:
        """The registered tool; `also` is run with it in the same transaction.

        Raises InvalidArgument, FailedPrecondition (TOOL_REJECTED) with the finding, and whatever
        the sandbox raises where it could not run anything.
        """
        recording = await self._record(wanted) if wanted.assertions else None
        spec = wanted.spec(recording.alike(_RECORDED_EXAMPLES) if recording else ())
        examined = await self.examination.examine(spec, wanted.source)
        if not examined.passed or examined.trial is None:
            raise _rejected(examined.finding)
        evidence = [evidence_of(examined.trial, spec)]
        if recording:
            evidence.append(_evidence(recording))
        tool = make_tool(
            spec, wanted.source, examined.trial.sandbox_id, assertions=wanted.assertions
        )
        await self.registry.register(tool, evidence, lambda connection: also(connection, tool))
        return tool

    async def reinstate(self, name: str, also: Witness) -> Tool:
        """Puts the current version to its trial again, and makes it active where it passes.

        Raises as `register` does, and what `Lifecycle.reinstate` raises.
        """
        tool = await self.registry.get(name)
        examined = await self.examination.examine(tool.spec, tool.source)
        if not examined.passed or examined.trial is None:
            raise _rejected(examined.finding)
        evidence = evidence_of(examined.trial, tool.spec, EvidenceKind.RETRIAL)
        return await self.lifecycle.reinstate(tool, evidence, also)

    async def _record(self, wanted: Wanted) -> Recording:
        if len(wanted.assertions.encode(errors="replace")) > foreign.MAX_BYTES:
            raise InvalidArgument.of_field(
                "assertions", f"are longer than {foreign.MAX_BYTES} bytes"
            )
        require_head(wanted.name, wanted.description)
        if wanted.examples:
            wanted.spec()
        sandbox, limits = self.examination.sandbox, Limits(self.assertion_seconds)
        assembly = await self.examination.toolbox.assemble(wanted.name, wanted.source)
        candidate = Candidate(sandbox, wanted.name, assembly.program, limits)
        recording = await run_assertions(sandbox, candidate, wanted.assertions, limits)
        if recording.finding:
            raise _rejected(recording.finding)
        if not wanted.examples and not recording.examples:
            raise _rejected("no call of the assertions returned a value")
        return recording


def _evidence(recording: Recording) -> Evidence:
    count = recording.call_count
    return Evidence(EvidenceKind.ASSERTIONS, recording.sandbox_id, time.time(), count, count)


def _rejected(finding: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the code was rejected: {finding}", reason="TOOL_REJECTED", metadata={"finding": finding}
    )
