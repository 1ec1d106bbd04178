"""`python -m demo`: the whole loop on real input, told with its evidence."""

import argparse
import asyncio
import json
import platform
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import grpc

from demo.claim import Evidence, StepFailed
from demo.journey import Journey, begin
from demo.stage import Stage, open_stage
from demo.steps import STEPS
from demo.story import Story
from deploy.local import LocalStack, ServiceDied
from shared.rpc_status import from_rpc_error

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
        asyncio.run(_play(journey, story))
    except (StepFailed, ServiceDied, EOFError) as error:
        trouble = str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        trouble = "interrupted; run it again to go on"
    _close(journey, story, time.monotonic() - start, trouble)
    if options.json:
        _write_json(options.json, journey, time.monotonic() - start, trouble)
    return 1 if trouble else 0


async def _play(journey: Journey, story: Story) -> None:
    this = asyncio.current_task()
    if this is not None:  # SIGTERM ends the demo as Ctrl-C does: the services are stopped first
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    story.opening(
        "BAT OS",
        (
            "A local model that remembers, acts and learns.",
            f"seed {journey.seed}, {platform.machine()}, Python {platform.python_version()}, "
            f"state in {journey.directory}",
            *([f"going on after {', '.join(journey.completed)}"] if journey.completed else []),
        ),
    )
    start = time.monotonic()
    stack = LocalStack(journey.directory / "state", may_be_down=["sandbox-executor"])
    with story.console.status("starting the services"):
        await stack.__aenter__()
    try:
        _tell_processes(story, stack, time.monotonic() - start)
        async with open_stage(stack, journey, story) as stage:
            for name in STEPS:
                if name not in journey.completed:
                    await _run_step(stage, name)
        journey.finished = True
        journey.save()
    finally:
        with story.console.status("stopping the services"):
            await stack.stop()


def _tell_processes(story: Story, stack: LocalStack, seconds: float) -> None:
    rows = [
        (name, process.pid, process.address, "down" if name in stack.not_serving else "serving")
        for name, process in stack.processes.items()
    ]
    story.table(f"{len(rows)} processes in {seconds:.1f} s", ("", "pid", "address", ""), rows)


async def _run_step(stage: Stage, name: str) -> None:
    evidence = Evidence(name)
    start = time.monotonic()
    try:
        await STEPS[name](stage, evidence)
    except grpc.aio.AioRpcError as error:
        raise StepFailed(_refusal(stage, name, error)) from error
    evidence.seconds = round(time.monotonic() - start, 2)
    for sentence, holds in evidence.claims.items():
        stage.story.verdict(sentence, holds)
    stage.story.note(f"{evidence.seconds:.1f} s")
    if failed := evidence.failed():
        raise StepFailed(f"step {name} could not prove: {'; '.join(failed)}")
    stage.journey.complete(evidence)


def _refusal(stage: Stage, name: str, error: grpc.aio.AioRpcError) -> str:
    typed = from_rpc_error(error)
    died = "; ".join(stage.stack.died())
    kind = type(typed).__name__
    return f"step {name}: {kind} ({typed.reason}): {typed.message}" + (f". {died}" if died else "")


def _close(journey: Journey, story: Story, seconds: float, trouble: str) -> None:
    if trouble:
        story.trouble(f"{trouble}\n\nlogs: {journey.directory / 'state' / 'logs'}")
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
