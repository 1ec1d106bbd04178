"""The regression set: what the starter model could do, so that a fine-tune that forgets is seen."""

import json
from collections.abc import Iterator
from pathlib import Path

from services.model_server.starter_model.corpus.spec import Spec
from services.model_server.starter_model.evaluation import evaluation_set

COUNTS = {"seen": 12, "carrier": 14, "phrase": 10, "composition": 12}
SEED = 90210  # no other set is drawn with it


def write(path: Path) -> None:
    """Write JSON lines of {"name", "prompt", "examples": [{"arguments", "result"}]}."""
    lines = [json.dumps(_row(spec)) for spec in _specs()]
    path.write_text("\n".join(lines) + "\n")


def _specs() -> Iterator[Spec]:
    """Specs with different requests, as many of each split as COUNTS says."""
    for split, count in COUNTS.items():
        drawn = evaluation_set(split, 3 * count, SEED)
        specs = {q.spec.request: q.spec for q in drawn if q.spec is not None}
        yield from list(specs.values())[:count]


def _row(spec: Spec) -> dict[str, object]:
    examples = [
        {"arguments": dict(zip(spec.parameters, e.arguments, strict=True)), "result": e.result}
        for e in spec.examples
    ]
    return {"name": spec.name, "prompt": spec.request, "examples": examples}


if __name__ == "__main__":
    write(Path(__file__).parent / "weights" / "regression.jsonl")
