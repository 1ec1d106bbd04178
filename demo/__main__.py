"""`python -m demo`: the whole loop on real input, told with its evidence."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from demo.claim import StepFailed
from demo.journey import Journey, begin
from demo.play import play
from demo.steps import STEPS
from demo.story import Story
from deploy.local import ServiceDied
from shared.errors import BatosError

ROOT = Path(__file__).resolve().parents[1]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws facts, specs and arguments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the evidence here")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=ROOT / ".data" / "demo",
        help="where the demo's services keep their state; an unfinished demo goes on from it",
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="use services that run already, at BATOS_*_ADDRESS and with the identity in "
        "BATOS_TLS_DIR, instead of starting them",
    )
    parser.add_argument(
        "--until", choices=list(STEPS), default=list(STEPS)[-1], help="the last step to play"
    )
    return parser.parse_args()


def main() -> int:
    """Runs the demo; 0 only where every step proved its claims."""
    options = arguments()
    story = Story()
    start = time.monotonic()
    try:
        journey = begin(options.data_dir, options.seed)
    except FileExistsError as error:
        story.trouble(str(error))
        return 2
    trouble = ""
    try:
        steps = list(STEPS)[: list(STEPS).index(options.until) + 1]
        asyncio.run(play(journey, story, connect=options.connect, steps=steps))
    except (StepFailed, ServiceDied, BatosError, EOFError) as error:
        trouble = str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        trouble = "interrupted; run it again to go on"
    logs = "" if options.connect else f"\n\nlogs: {journey.directory / 'state' / 'logs'}"
    _close(journey, story, time.monotonic() - start, trouble and trouble + logs)
    if options.json:
        _write_json(options.json, journey, time.monotonic() - start, trouble)
    return 1 if trouble else 0


def _close(journey: Journey, story: Story, seconds: float, trouble: str) -> None:
    if trouble:
        story.trouble(trouble)
        return
    claims = sum(len(each.claims) for each in journey.evidence)
    lines = [f"{each.step:<9} {each.seconds:6.1f} s" for each in journey.evidence]
    story.opening(f"{claims} claims, all proven, in {seconds:.0f} s", lines)


def _write_json(path: Path, journey: Journey, seconds: float, trouble: str) -> None:
    content = {
        "seed": journey.seed,
        "passed": not trouble,
        "trouble": trouble,
        "seconds": round(seconds, 1),
        "steps": [asdict(each) for each in journey.evidence],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
