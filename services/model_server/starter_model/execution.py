"""Running a model's code for evaluation: one limited, isolated child for each batch."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence

from services.model_server.starter_model.corpus.signature import Example

SECONDS = 60
MEMORY = 1 << 30
CHILD = """
import json, signal, sys
def late(number, frame): raise TimeoutError
signal.signal(signal.SIGALRM, late)
def passes(source, name, examples):
    scope = {}
    exec(source, scope)
    return all(repr(scope[name](*a)) == repr(r) for a, r in examples)
for line in sys.stdin:
    signal.setitimer(signal.ITIMER_REAL, 1)
    try: good = passes(*json.loads(line))
    except BaseException: good = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(int(good), file=sys.__stdout__, flush=True)
"""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def passing(jobs: Sequence[tuple[str, str, Sequence[Example]]]) -> list[bool]:
    """Tell for each (source, name, examples) whether the code passes all its examples.

    For the model's own evaluation only; the sandbox service is the place for everything else.
    """
    lines = "\n".join(json.dumps([source, name, list(examples)]) for source, name, examples in jobs)
    done = subprocess.run(
        [sys.executable, "-I", "-c", CHILD],
        input=lines,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=_limit,
        env={},
        check=False,
    )
    verdicts = [line == "1" for line in done.stdout.splitlines() if line in ("0", "1")]
    return (verdicts + [False] * len(jobs))[: len(jobs)]
