"""Foreign assertions: `check(candidate)` runs in one sandbox, the tool in others, JSON between.

The shape of check is that of HumanEval's tests (Chen et al., 2021, arXiv:2107.03374). What it calls
is not the tool but a stand-in that knows some answers by their arguments. A call without an answer
ends the round; its answer is got from the tool, in a sandbox of the tool's own, and check begins
anew. So neither can reach the other but by JSON, and the tool must be a function of its arguments.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from services.toolforge.candidate import Candidate
from services.toolforge.finding import MAX_CHARACTERS, Finding, Raised
from services.toolforge.json_value import JsonValue, NotJsonError, parse
from services.toolforge.sandbox import Call, Limits, Outcome, Program, Returned, Run, Sandbox
from services.toolforge.spec import MAX_EXAMPLE_BYTES

MAX_BYTES = 65536
MAX_CALLS = 256
_MAX_ROUNDS = 32  # calls that cannot be foreseen, one each

_STAND_IN = """

def _batos_check(answers):
    import builtins, json
    calls, missing = [], []

    class _Unanswered(BaseException):
        pass

    def candidate(*args, **kwargs):
        call = json.dumps([list(args), kwargs], sort_keys=True)
        calls.append(call)
        if len(calls) > 256:
            raise OverflowError("the candidate was called more than 256 times")
        if call not in answers:
            missing.append(call)
            raise _Unanswered
        answer = json.loads(answers[call])
        if "value" in answer:
            return answer["value"]
        kind = getattr(builtins, answer["raised"], None)
        fitting = isinstance(kind, type) and issubclass(kind, Exception)
        raise (kind if fitting else RuntimeError)(answer["message"])

    try:
        check(candidate)
    except _Unanswered:
        pass
    return {"calls": calls, "missing": missing[:1]}
"""


@dataclass(frozen=True)
class Recording:
    """What a check showed: its finding ("" where it passed), and the calls that it made.

    `examples` are arguments by name and result, as JSON, of the calls that returned.
    """

    sandbox_id: str
    finding: Finding = ""
    call_count: int = 0
    examples: Sequence[tuple[str, str]] = ()

    def alike(self, most: int) -> list[tuple[str, str]]:
        """The first examples that name the same arguments and are of a size for a spec."""
        fitting = [pair for pair in self.examples if max(map(len, pair)) <= MAX_EXAMPLE_BYTES]
        names = [json.loads(arguments).keys() for arguments, _ in fitting]
        return [pair for pair, its in zip(fitting, names, strict=True) if its == names[0]][:most]


async def run_assertions(
    sandbox: Sandbox, candidate: Candidate, assertions: str, limits: Limits
) -> Recording:
    """Runs check against a candidate.

    Raises shared.errors.BatosError where a sandbox could not run anything.
    """
    program = Program(assertions + _STAND_IN)
    answers = await candidate.answers(foreseen(assertions))
    for _ in range(_MAX_ROUNDS):
        call = Call("_batos_check", json.dumps({"answers": answers}))
        run = await sandbox.run(program, [call], limits)
        report = _report(run)
        if isinstance(report, str):
            return Recording(run.sandbox_id, finding=report)
        calls, missing = (_calls(report, key) for key in ("calls", "missing"))
        if not calls:
            return Recording(run.sandbox_id, "the assertions never call the candidate")
        if not missing:
            known = [each for each in dict.fromkeys(calls) if each in answers]
            return Recording(run.sandbox_id, "", len(calls), _examples(candidate, known, answers))
        answers |= await candidate.answers(missing)
    return Recording("", "the assertions make too many calls that only show while they run")


def _examples(
    candidate: Candidate, calls: Sequence[str], answers: Mapping[str, str]
) -> list[tuple[str, str]]:
    found = []
    for call in calls:
        answer, arguments = json.loads(answers[call]), candidate.arguments_of(call)
        if "value" in answer and arguments is not None:
            found.append((json.dumps(arguments), json.dumps(answer["value"])))
    return found


def _report(run: Run) -> dict[str, JsonValue] | Finding:
    """What the check's run gave, or why it gave nothing; hostile, as all that a sandbox gives."""
    result = run.results[0] if run.results else None
    raised = result if isinstance(result, Raised) else run.error
    if raised:
        place = f" at line {raised.line}: {raised.source_line}" if raised.line else ""
        text = f"the assertions raised {raised.type}: {raised.message}{place}"
        return " ".join(text.splitlines())[:MAX_CHARACTERS]
    if not isinstance(result, Returned) or run.outcome is not Outcome.OK:
        return f"the assertions {run.outcome.value}"
    try:
        report = parse(result.value_json)
    except NotJsonError as error:
        return f"the assertions gave no report: {error}"
    return report if isinstance(report, dict) else "the assertions gave no report"


def _calls(report: Mapping[str, JsonValue], key: str) -> list[str]:
    found = report.get(key)
    return [text for text in found if _is_call(text)] if isinstance(found, list) else []


def _is_call(text: JsonValue) -> TypeGuard[str]:
    try:
        call = parse(text) if isinstance(text, str) else None
    except NotJsonError:
        return False
    return (
        isinstance(call, list)
        and len(call) == 2
        and isinstance(call[0], list)
        and isinstance(call[1], dict)
    )


def foreseen(assertions: str) -> list[str]:
    """Calls of the candidate whose arguments stand in the text as literals, as JSON."""
    try:
        nodes = list(ast.walk(ast.parse(assertions)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = []
    for node in nodes:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "candidate":
            calls += _literal(node)
    return list(dict.fromkeys(calls))[:MAX_CALLS]


def _literal(node: ast.Call) -> list[str]:
    try:
        positional = [ast.literal_eval(argument) for argument in node.args]
        by_name = {
            str(each.arg): ast.literal_eval(each.value) for each in node.keywords if each.arg
        }
        text = json.dumps([positional, by_name], sort_keys=True, allow_nan=False)
        parse(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return []
    return [text]
