"""Make the committed weights of a trained folder: GGUF, tokenizer, configuration, rehearsal."""

import argparse
import shutil
from pathlib import Path

from services.model_server.starter_model import rehearsal
from services.model_server.starter_model.vocabulary import FILES
from shared.llama_gguf.export import export_gguf

KEPT = ("config.json", "generation_config.json", *FILES)


def export(trained: Path, weights: Path) -> Path:
    """Write starter.gguf (q8_0) and the files beside it; return the GGUF's path."""
    weights.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(trained / name, weights / name)
    out = weights / "starter.gguf"
    export_gguf(trained, out, "q8_0")
    rehearsal.write(trained, weights / "rehearsal.jsonl.gz")
    return out


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trained", type=Path)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    options = parser.parse_args()
    export(options.trained, options.weights)


if __name__ == "__main__":
    main()
