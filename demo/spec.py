"""A spec as the demo draws it, with more examples than the forge is given."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batos.toolforge.v1 import toolforge_pb2 as pb

# The rest are the "real arguments" on which a finished tool is tried.
SHOWN = 4


@dataclass(frozen=True)
class DemoSpec:
    """What is wanted, with (arguments, result) pairs and the owner's own source."""

    name: str
    description: str
    examples: tuple[tuple[Mapping[str, Any], Any], ...]
    source: str

    @classmethod
    def of(cls, drawn: Mapping[str, Any]) -> "DemoSpec":
        """A spec from what the generators draw."""
        pairs = tuple((each["arguments"], each["result"]) for each in drawn["examples"])
        return cls(drawn["name"], drawn["description"], pairs, drawn.get("source", ""))

    @property
    def unseen(self) -> tuple[tuple[Mapping[str, Any], Any], ...]:
        """The examples that ToolForge never gets."""
        return self.examples[SHOWN:]

    def to_proto(self) -> pb.Spec:
        """The spec as ToolForge gets it."""
        return pb.Spec(
            name=self.name,
            description=self.description,
            examples=[
                pb.Example(arguments_json=json.dumps(arguments), result_json=json.dumps(result))
                for arguments, result in self.examples[:SHOWN]
            ],
        )
