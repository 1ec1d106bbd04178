"""Why a version is believed, and how it has done since."""

from dataclasses import dataclass
from enum import StrEnum


class EvidenceKind(StrEnum):
    """What was run to judge a version."""

    TRIAL = "trial"
    RETRIAL = "retrial"
    ASSERTIONS = "assertions"
    PROPOSED = "proposed"


@dataclass(frozen=True)
class Evidence:
    """One judging of a version. `time` is Unix seconds; `finding` is about the first miss."""

    kind: EvidenceKind
    sandbox_id: str
    time: float
    passed_count: int
    total_count: int
    finding: str = ""


@dataclass(frozen=True)
class Usage:
    """How a version has done in use. `last_time` is Unix seconds, 0 where it never ran."""

    invocation_count: int = 0
    failure_count: int = 0
    failures_in_a_row: int = 0
    last_failure: str = ""
    last_time: float = 0.0
