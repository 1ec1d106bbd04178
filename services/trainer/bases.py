"""The catalogue of bases: which model a fine-tune starts from, and what came with it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.golden_example import Expectation, GoldenExample, ToolSpec
from services.trainer.hyperparameters import Hyperparameters
from shared.errors import BatosError, DataLoss, FailedPrecondition

_KEYS = {"directory", "hub_id", "gguf_file", "rehearsal", "regression", "template", "tag"}


@dataclass(frozen=True)
class Base:
    """One base.

    `model` is a directory or a hub id, `gguf_file` a file name in it where the weights are GGUF
    (tokenizer.json must lie beside it),
    `rehearsal` and `regression` are files that came with it, `template` is what the model backend
    renders chats with where it does not take the tokenizer's, `hyperparameters` what suits it;
    `tag` is what the model backend calls these very weights, which adapters are put onto.
    """

    name: str
    model: str
    gguf_file: str | None
    rehearsal: Path | None
    regression: Path | None
    template: str | None
    hyperparameters: Hyperparameters
    tag: str | None = None

    @property
    def on_hub(self) -> bool:
        """True where the base is a hub id and no directory."""
        return not Path(self.model).is_absolute()

    def check(self) -> None:
        """FailedPrecondition (BASE_MISSING) where one of its files is not there."""
        needed = [path for path in (self.rehearsal, self.regression) if path]
        if not self.on_hub:
            names = (self.gguf_file or "config.json", "tokenizer.json")
            needed += [Path(self.model) / name for name in names]
        missing = [str(path) for path in needed if not path.is_file()]
        if missing:
            raise FailedPrecondition(
                f"base {self.name} lacks {', '.join(missing)}", reason="BASE_MISSING"
            )

    def regression_examples(self, system_prompt: str) -> list[GoldenExample]:
        """The specs that a fine-tune must not forget, asked by a persona; [] without a file.

        Each line is {"name": function, "prompt": the request, "examples": [{"arguments": {...},
        "result": value}...]}. DataLoss names the first line that is none.
        """
        if self.regression is None:
            return []
        lines = self.regression.read_text(encoding="utf-8").split("\n")
        return [
            self._regression_example(number, line, system_prompt)
            for number, line in enumerate(lines, start=1)
            if line
        ]

    def _regression_example(self, number: int, line: str, system_prompt: str) -> GoldenExample:
        try:
            row = json.loads(line)
            expectations = tuple(
                Expectation(json.dumps(case["arguments"]), json.dumps(case["result"]))
                for case in row["examples"]
            )
            spec, prompt = ToolSpec(row["name"], expectations), str(row["prompt"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataLoss(f"{self.regression}, line {number}, is no spec: {error}") from error
        return GoldenExample(
            source="regression",
            family=f"regression {number}",
            prompt=(
                {"role": "system", "content": system_prompt},
                {"role": "user", "content": prompt},
            ),
            answer="",
            spec=spec,
        )


class Catalogue:
    """All bases of a TOML file, by name."""

    def __init__(self, bases: dict[str, Base]) -> None:
        self._bases = bases

    @classmethod
    def read(cls, path: Path) -> Catalogue:
        """Reads `[bases.<name>]` tables; paths are relative to the file.

        FailedPrecondition (BAD_CATALOGUE) where the file or a table is not as described.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))["bases"]
            return cls({name: _base(name, table, path.parent) for name, table in tables.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FailedPrecondition(
                f"the catalogue of bases {path} cannot be used: {error}", reason="BAD_CATALOGUE"
            ) from error
        except BatosError as error:
            raise FailedPrecondition(f"{path}: {error.message}", reason="BAD_CATALOGUE") from error

    def base(self, name: str) -> Base:
        """The base of this name; FailedPrecondition (BASE_UNKNOWN) where there is none."""
        if name not in self._bases:
            known = ", ".join(sorted(self._bases)) or "none"
            raise FailedPrecondition(
                f"base {name!r} is not in the catalogue, which has {known}", reason="BASE_UNKNOWN"
            )
        return self._bases[name]


def _base(name: str, table: dict[str, Any], root: Path) -> Base:
    unknown = set(table) - _KEYS - {"hyperparameters"}
    if unknown or ("directory" in table) == ("hub_id" in table):
        raise ValueError(
            f"[bases.{name}] needs either directory or hub_id and knows {sorted(_KEYS)}"
        )

    def path(key: str) -> Path | None:
        return (root / table[key]).resolve() if table.get(key) else None

    return Base(
        name=name,
        model=str(path("directory") or table["hub_id"]),
        gguf_file=table.get("gguf_file"),
        rehearsal=path("rehearsal"),
        regression=path("regression"),
        template=table.get("template"),
        tag=table.get("tag"),
        hyperparameters=Hyperparameters().replaced_by(table.get("hyperparameters", {})),
    )
