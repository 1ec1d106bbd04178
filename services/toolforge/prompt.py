"""What the model is asked. The starter model was trained on these very bytes."""

from dataclasses import dataclass
from typing import Literal

from services.toolforge.finding import Finding, call
from services.toolforge.signature import signature_of
from services.toolforge.spec import Spec

SHOWN_EXAMPLES = 2


@dataclass(frozen=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


def draft_text(spec: Spec) -> str:
    """The user's message that asks for a first draft; no newline at its end."""
    lines = [
        "Write a Python function.",
        f"Task: {' '.join(spec.description.splitlines())}",
        f"Signature: {signature_of(spec)}",
        "Examples:",
    ]
    for example in spec.examples[:SHOWN_EXAMPLES]:
        lines.append(f"{call(spec.name, example)} == {example.result!r}")
    return "\n".join(lines)


def repair_text(finding: Finding) -> str:
    """The user's message that hands a finding back; no newline at its end."""
    return f"The function failed.\n{finding}\nWrite the whole corrected function."


def draft_messages(system: str, spec: Spec) -> tuple[Message, ...]:
    """The chat that asks for a draft; without a system message where `system` is empty."""
    user = Message("user", draft_text(spec))
    return (Message("system", system), user) if system else (user,)


def repair_messages(system: str, spec: Spec, code: str, finding: Finding) -> tuple[Message, ...]:
    """The chat that asks for a correction of failed code."""
    return (
        *draft_messages(system, spec),
        Message("assistant", code),
        Message("user", repair_text(finding)),
    )
