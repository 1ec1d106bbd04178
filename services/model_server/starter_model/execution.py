"""Running a model's code for evaluation: one limited, isolated child for each batch."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence

from services.model_server.starter_model.corpus.signature import Example

SECONDS = 60
MEMORY = 1 << 30
BATCH = 200  # jobs of one child, so that endless loops do not use up its time
CHILD = """
import json, signal, sys, traceback
def late(number, frame): raise TimeoutError('too slow')
signal.signal(signal.SIGALRM, late)
def found(source, name, examples):
    try: code = compile(source, '<draft>', 'exec')
    except (SyntaxError, ValueError) as error:
        return f"line {getattr(error, 'lineno', 1)}: {getattr(error, 'msg', error)}"
    scope = {}
    try: exec(code, scope)
    except BaseException as error: return f'{type(error).__name__}: {error}'
    if not callable(scope.get(name)): return f'line 1: function must be named {name!r}'
    for arguments, wanted in examples:
        call = f"{name}({', '.join(map(repr, arguments))})"
        try: got = scope[name](*json.loads(json.dumps(arguments)))
        except BaseException as error:
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__)
                     if f.filename == '<draft>'] or [1]
            line = source.split('\\n')[lines[-1] - 1].strip()
            return f'{call} raised {type(error).__name__}: {error} at line {lines[-1]}: {line}'
        if repr(got) != repr(wanted): return f'{call} returned {got!r} but must return {wanted!r}'
for line in sys.stdin:
    signal.setitimer(signal.ITIMER_REAL, 1)
    try: said = found(*json.loads(line))
    except BaseException as error: said = f'{type(error).__name__}: {error}'
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(said), file=sys.__stdout__, flush=True)
"""
Job = tuple[str, str, Sequence[Example]]
"""Source, the function's name, and what it must return."""


def job_line(source: str, name: str, examples: Sequence[Example]) -> str:
    """Return a job as CHILD reads it, one a line."""
    return json.dumps([source, name, list(examples)])


def read_finding(line: str) -> str | None:
    """Return what CHILD wrote of a job; a line that is none of its own is a finding itself."""
    try:
        said = json.loads(line)
    except ValueError:
        return "the run printed something"
    return None if said is None else str(said)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def findings(jobs: Sequence[Job]) -> list[str | None]:
    """Say for each job what is wrong, in the forge's words, or None where every example passes.

    For the model's own evaluation only; the sandbox service is the place for everything else.
    """
    said: list[str | None] = []
    for start in range(0, len(jobs), BATCH):
        said += _batch(jobs[start : start + BATCH])
    return said


def _batch(jobs: Sequence[Job]) -> list[str | None]:
    lines = "\n".join(job_line(*job) for job in jobs)
    done = subprocess.run(
        [sys.executable, "-I", "-c", CHILD],
        input=lines,
        capture_output=True,
        text=True,
        timeout=SECONDS * 2,
        preexec_fn=_limit,
        env={},
        check=False,
    )
    said = [read_finding(line) for line in done.stdout.splitlines()]
    return (said + ["the run ended early"] * len(jobs))[: len(jobs)]
