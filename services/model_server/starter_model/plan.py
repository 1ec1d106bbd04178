"""What a training run of the starter model is told: how much, how fast, and where it is kept."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

HEAD = 64  # width of an attention head


@dataclass(frozen=True)
class Shape:
    """The size of a network: layers, width, inner width, heads, vocabulary."""

    layers: int = 5
    width: int = 256
    inner: int = 768
    heads: int = 4
    vocabulary: int = 3072


@dataclass(frozen=True)
class Plan:
    """The command line of a run."""

    out: Path
    rows: int
    batch_tokens: int
    seed: int
    workers: int
    threads: int
    decay: float
    peak: float
    begin: Path | None
    layers: int
    width: int
    inner: int
    processes: int

    @property
    def shape(self) -> Shape:
        """The size of the network; its vocabulary is known once it is learnt."""
        return Shape(self.layers, self.width, self.inner, self.width // HEAD)


def parse(description: str | None) -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for checkpoints and the model"
    )
    parser.add_argument(
        "--rows", type=int, default=60_000, help="rows of the corpus, each seen once"
    )
    parser.add_argument(
        "--batch-tokens", type=int, default=2048, help="tokens in one step of one worker"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that share each step; two of one thread are faster than one of two",
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads of a worker; 0 leaves it to torch"
    )
    parser.add_argument(
        "--decay", type=float, default=0.65, help="share of the run with a falling rate"
    )
    parser.add_argument("--peak", type=float, default=1.0, help="share of the full rates")
    parser.add_argument(
        "--begin", type=Path, help="folder of a trained model to go on from, with its vocabulary"
    )
    shape = Shape()
    parser.add_argument("--layers", type=int, default=shape.layers)
    parser.add_argument("--width", type=int, default=shape.width, help=f"a multiple of {HEAD}")
    parser.add_argument("--inner", type=int, default=shape.inner, help="width between two matrices")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that write the corpus"
    )
    return Plan(**vars(parser.parse_args()))
