"""What a worker is asked to do, as one JSON line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.hyperparameters import Hyperparameters

# {"role": "system" | "user" | "assistant" | "tool", "content": text}; an assistant's may have
# "tool_calls" ([{"type": "function", "function": {"name": ..., "arguments": {...}}}]), a tool's has
# its "name": as chat templates of Hugging Face take them.
Message = dict[str, Any]


@dataclass(frozen=True)
class TrainingJob:
    """One fine-tune of `base` (a directory or hub id; `gguf_file` where the weights are GGUF).

    `train_file` is JSONL of {"prompt": [message...], "completion": [message]}, perhaps with
    "tools", what the persona could call; `rehearsal_file`, which may be gzipped, holds such rows
    or {"messages": [message...]}. Everything is written below `directory`. `probe` is the chat
    that template parity is measured with; `export` is "merged" for a whole model, "adapter" or
    "gguf".
    """

    base: str
    gguf_file: str | None
    train_file: str
    rehearsal_file: str | None
    directory: str
    hyperparameters: Hyperparameters
    probe: tuple[Message, ...]
    export: str = "merged"

    @property
    def checkpoints(self) -> Path:
        """Where the engine keeps what it resumes from."""
        return Path(self.directory) / "checkpoints"

    @property
    def merged(self) -> Path:
        """The exported model, adapter or GGUF file; there only once it is whole."""
        return Path(self.directory) / "merged"

    @property
    def parity(self) -> Path:
        """{"messages": [...], "token_count": n}: how training renders the probe."""
        return Path(self.directory) / "parity.json"

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, line: str) -> TrainingJob:
        """The job in a line that to_json made."""
        fields: dict[str, Any] = json.loads(line)
        fields["hyperparameters"] = Hyperparameters(**fields["hyperparameters"])
        fields["probe"] = tuple(fields["probe"])
        return cls(**fields)
