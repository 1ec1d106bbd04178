"""Tool calls in plain text, for models whose chat template knows none.

The protocol is strict, so that ordinary prose can never be taken for a call: an answer is a call
only where the whole of it is one JSON object of exactly two keys, "tool" and "arguments", bare or
in one Markdown fence. All other answers are answers.
"""

import json
import re
from collections.abc import Sequence

from services.supervisor.tools import Offer, Wish
from shared.spoken_calls import HEADING

_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
LONGEST_CALL = 16_384  # characters that are held back while an answer may be a call


def instructions(offers: Sequence[Offer]) -> str:
    """What the system message says about tools; each one is one line."""
    return "\n".join([HEADING, *(_line(offer) for offer in offers)])


def may_become_call(text: str) -> bool:
    """Whether an answer that begins so may still turn out to be a call."""
    begun = text.lstrip()[:3]
    return len(text) <= LONGEST_CALL and (begun[:1] == "{" or "```".startswith(begun))


def read_call(answer: str) -> Wish | None:
    """The call that an answer is; None where it is an answer."""
    text = answer.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        body = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.keys() != {"tool", "arguments"}:
        return None
    name, arguments = body["tool"], body["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return Wish(name, arguments)


def length(offer: Offer) -> int:
    """About how many characters a tool takes in a chat."""
    return len(_line(offer))


def _line(offer: Offer) -> str:
    about = " ".join(offer.description.split())
    shown = {key: offer.schema[key] for key in ("properties", "required") if key in offer.schema}
    return f"- {offer.name}: {about} Arguments: {json.dumps(shown, ensure_ascii=False)}"
