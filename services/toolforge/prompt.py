"""What the model is asked. The starter model was trained on these very bytes."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Offer:
    """A tool that a draft may call: its name, its signature, and what it does."""

    name: str
    signature: str
    description: str


def draft_text(spec: Spec, offers: Sequence[Offer] = ()) -> str:
    """The user's message that asks for a first draft; no newline at its end."""
    lines = [
        "Write a Python function.",
        f"Task: {' '.join(spec.description.splitlines())}",
        f"Signature: {signature_of(spec)}",
        "Examples:",
    ]
    for example in spec.examples[:SHOWN_EXAMPLES]:
        lines.append(f"{call(spec.name, example)} == {example.result!r}")
    if offers:
        lines.append("Tools that it may call:")
    for offer in offers:
        description = " ".join(offer.description.splitlines())
        lines.append(f"from tools import {offer.name}  # {offer.signature}: {description}")
    return "\n".join(lines)


def propose_text(spec: Spec, count: int) -> str:
    """The user's message that asks for tests as JSON; no newline at its end."""
    return (
        f"{draft_text(spec)}\nDo not write the function. Write {count} other tests for it, edge"
        ' cases first, as a JSON array of {"arguments": {...}, "result": ...}.'
    )


def repair_text(finding: Finding) -> str:
    """The user's message that hands a finding back; no newline at its end."""
    return f"The function failed.\n{finding}\nWrite the whole corrected function."


def draft_messages(system: str, spec: Spec, offers: Sequence[Offer] = ()) -> tuple[Message, ...]:
    """The chat that asks for a draft; without a system message where `system` is empty."""
    return _chat(system, draft_text(spec, offers))


def propose_messages(system: str, spec: Spec, count: int) -> tuple[Message, ...]:
    """The chat that asks for tests."""
    return _chat(system, propose_text(spec, count))


def _chat(system: str, text: str) -> tuple[Message, ...]:
    user = Message("user", text)
    return (Message("system", system), user) if system else (user,)


def repair_messages(
    system: str, spec: Spec, code: str, finding: Finding, offers: Sequence[Offer] = ()
) -> tuple[Message, ...]:
    """The chat that asks for a correction of failed code."""
    return (
        *draft_messages(system, spec, offers),
        Message("assistant", code),
        Message("user", repair_text(finding)),
    )
