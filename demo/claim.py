"""What a step claims, and what it shows for it."""

from dataclasses import dataclass, field
from typing import Any


class StepFailed(Exception):
    """A step could not prove its claim; the message is the sentence that people read."""


@dataclass
class Evidence:
    """Everything that one step measured; JSON-serialisable."""

    step: str
    seconds: float = 0.0
    claims: dict[str, bool] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def claim(self, sentence: str, holds: bool) -> None:
        """Records a claim and whether it holds."""
        self.claims[sentence] = holds

    def failed(self) -> list[str]:
        """The claims that do not hold."""
        return [sentence for sentence, holds in self.claims.items() if not holds]
