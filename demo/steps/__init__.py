"""The steps of the demo, in order."""

from collections.abc import Awaitable, Callable, Mapping

from demo.claim import Evidence
from demo.stage import Stage
from demo.steps import compare, contain, forge, lack, learn, recall, remember, survive

Step = Callable[[Stage, Evidence], Awaitable[None]]

STEPS: Mapping[str, Step] = {
    "remember": remember.run,
    "recall": recall.run,
    "forge": forge.run,
    "contain": contain.run,
    "lack": lack.run,
    "learn": learn.run,
    "compare": compare.run,
    "survive": survive.run,
}
