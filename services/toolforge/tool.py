"""A tool: a validated Python function, kept as text, never imported into this process."""

import hashlib
import json
import time
from dataclasses import dataclass
from enum import StrEnum

from services.toolforge.schema import schema_of
from services.toolforge.spec import Spec


class Origin(StrEnum):
    """How a tool came to be."""

    FORGED = "forged"
    REGISTERED = "registered"


class ToolState(StrEnum):
    """Whether a tool can be had."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


@dataclass(frozen=True)
class Lineage:
    """Where a forged version comes from: its forge, the model, and the attempt that passed."""

    forge: str = ""
    model: str = ""
    model_generation: int = 0
    attempt: int = 0


OWN_CODE = Lineage()


@dataclass(frozen=True)
class Tool:
    """One version of a tool. `created_at` is Unix seconds; `sandbox_id` is where it passed.

    `state` and `state_reason` are of the moment when it was read.
    """

    version: str
    spec: Spec
    source: str
    entry_point: str
    schema_json: str
    origin: Origin
    created_at: float
    sandbox_id: str
    lineage: Lineage = OWN_CODE
    assertions: str = ""
    state: ToolState = ToolState.ACTIVE
    state_reason: str = ""

    @property
    def name(self) -> str:
        """The tool's name, which is its spec's."""
        return self.spec.name


def make_tool(
    spec: Spec,
    source: str,
    sandbox_id: str,
    lineage: Lineage = OWN_CODE,
    assertions: str = "",
) -> Tool:
    """A tool out of source that has passed its checks and its trial."""
    return Tool(
        version=hashlib.sha256(source.encode()).hexdigest(),
        spec=spec,
        source=source,
        entry_point=spec.name,
        schema_json=json.dumps(schema_of(source, spec.name)),
        origin=Origin.FORGED if lineage.forge else Origin.REGISTERED,
        created_at=time.time(),
        sandbox_id=sandbox_id,
        lineage=lineage,
        assertions=assertions,
    )
