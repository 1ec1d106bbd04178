"""Secrets and e-mail addresses, kept out of what models learn.

A model repeats what it was trained on, so whatever looks like a credential is blotted out.
"""

from __future__ import annotations

import re
from typing import Any

from services.trainer.training_job import Message

_SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{30,}",
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
)
_SECRET = re.compile("|".join(_SECRETS), re.DOTALL)
# A quoted value, or a bare one with a digit in it: "the token is returned" gives nothing away.
_ASSIGNED = re.compile(
    r"(?i)\b(password|passwd|passphrase|api[_ -]?key|secret|token)(\s*(?:=|:|\bis\b)\s*)"
    r"(?:(['\"])[^'\"\s]{6,}\3|(?=[^\s\d]*\d)[\w!@#$%^&*+-]{6,}(?![\w(\[.]))"
)
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})\b")
# Reserved for documentation (RFC 2606, RFC 6761): nobody's address.
_NOBODYS = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid)$", re.IGNORECASE)


def scrub(text: str) -> str:
    """The text with secrets as [secret] and e-mail addresses as [email]."""
    text = _SECRET.sub("[secret]", text)
    text = _ASSIGNED.sub(r"\1\2[secret]", text)
    return _EMAIL.sub(lambda m: m[0] if _NOBODYS.search(m[1]) else "[email]", text)


def scrub_message(message: Message) -> Message:
    """A message with its words, and all words in the arguments of its calls, scrubbed."""
    clean = message | {"content": scrub(message["content"])}
    if "tool_calls" in message:
        clean["tool_calls"] = _scrubbed(message["tool_calls"])
    return clean


def _scrubbed(value: Any) -> Any:
    match value:
        case str():
            return scrub(value)
        case list():
            return [_scrubbed(item) for item in value]
        case dict():
            return {key: _scrubbed(item) for key, item in value.items()}
    return value
