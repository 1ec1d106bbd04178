"""A tool as foreign assertions see it: calls go in as JSON, answers come out as JSON."""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.toolforge.finding import Raised
from services.toolforge.json_value import JsonValue, NotJsonError, parse
from services.toolforge.sandbox import Call, Limits, Program, Returned, Run, Sandbox


@dataclass(frozen=True)
class Candidate:
    """The function `name` of a program. A call is the JSON text of [positional, by name]."""

    sandbox: Sandbox
    name: str
    program: Program
    limits: Limits

    async def answers(self, calls: Sequence[str]) -> dict[str, str]:
        """What each call gives: JSON of {"value": ...} or {"raised": ..., "message": ...}.

        All of them run in one fresh sandbox. Raises shared.errors.BatosError where that could not
        run anything.
        """
        arguments = {call: self.arguments_of(call) for call in calls}
        asked = {call: given for call, given in arguments.items() if given is not None}
        told = {
            call: _raised("TypeError", f"{self.name}() got other arguments than it takes")
            for call in arguments.keys() - asked.keys()
        }
        if asked:
            wanted = [Call(self.name, json.dumps(given)) for given in asked.values()]
            run = await self.sandbox.run(self.program, wanted, self.limits)
            results = [*run.results, *[None] * len(asked)]
            for call, result in zip(asked, results, strict=False):
                told[call] = _answer(result, run)
        return told

    def arguments_of(self, call: str) -> dict[str, JsonValue] | None:
        """A call's arguments by name; None where they do not fit the function's parameters."""
        positional, by_name = json.loads(call)
        names = self._parameters()
        if len(positional) > len(names) or set(by_name) & set(names[: len(positional)]):
            return None
        return {**dict(zip(names, positional, strict=False)), **by_name}

    def _parameters(self) -> Sequence[str]:
        """In order; none where the source has no such function."""
        try:
            body = ast.parse(self.program.source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name == self.name:
                return [each.arg for each in (*node.args.args, *node.args.kwonlyargs)]
        return ()


def _answer(result: Returned | Raised | None, run: Run) -> str:
    if isinstance(result, Returned):
        try:
            return json.dumps({"value": parse(result.value_json)})
        except NotJsonError as error:
            return _raised("ValueError", f"the tool returned no JSON value: {error}")
    raised = result or run.error
    if raised:
        return _raised(raised.type, raised.message)
    return _raised("RuntimeError", f"the tool {run.outcome.value}")


def _raised(kind: str, message: str) -> str:
    return json.dumps({"raised": kind, "message": message})
