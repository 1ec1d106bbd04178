"""Runs a tool: its arguments are validated here, the tool itself runs in the sandbox alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from services.toolforge import metrics
from services.toolforge.finding import Raised
from services.toolforge.json_value import NotJsonError, parse
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Call, Limits, Outcome, Returned, Run, Sandbox
from services.toolforge.tool import Tool
from services.toolforge.toolbox import Toolbox
from shared.errors import InvalidArgument, Violation

FIELD = "arguments_json"
MAX_ARGUMENT_BYTES = 1024 * 1024
_MAX_VIOLATIONS = 16

# JSON Schema takes 1.0 for an integer; Python code annotated `int` would get a float.
_STRICT: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    ),
)


class End(StrEnum):
    """How an invocation ended."""

    OK = "ok"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Invocation:
    """What a tool gave: `value_json` for OK, else `error` in words.

    `called_versions` are those of the tools that it could call, by name.
    """

    end: End
    value_json: str
    error: str
    wall_seconds: float
    called_versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def failure(self) -> str:
        """How it failed; "" where it returned."""
        return "" if self.end is End.OK else self.error or self.end


@dataclass(frozen=True)
class Invoker:
    """Runs tools; `limits` are the most that a call may ask for."""

    registry: Registry
    sandbox: Sandbox
    toolbox: Toolbox
    limits: Limits

    async def invoke(
        self, name: str, arguments_json: str, wanted: Limits
    ) -> tuple[Tool, Invocation]:
        """Validates the arguments and runs an active tool in a fresh sandbox.

        Zeros in `wanted` stand for the service's own limits. Raises InvalidArgument that names
        every faulty argument, NotFound, FailedPrecondition where the tool or one that it calls is
        out of use, and whatever the sandbox raises where it could not run anything.
        """
        limits = self._limits(wanted)
        tool = await self.registry.active(name)
        validate(tool, arguments_json)
        assembly = await self.toolbox.assemble(tool.name, tool.source)
        call = Call(tool.entry_point, arguments_json)
        run = await self.sandbox.run(assembly.program, [call], limits)
        invocation = replace(_invocation(run), called_versions=assembly.versions)
        metrics.invocations.labels(invocation.end.value).inc()
        return tool, invocation

    def _limits(self, wanted: Limits) -> Limits:
        most = self.limits.wall_seconds
        if not 0 <= wanted.wall_seconds <= most:
            raise InvalidArgument.of_field("wall_limit", f"must be at most {most:g} s")
        if wanted.memory_bytes < 0:
            raise InvalidArgument.of_field("memory_limit_bytes", "must not be negative")
        return Limits(wanted.wall_seconds or most, wanted.memory_bytes or self.limits.memory_bytes)


def validate(tool: Tool, arguments_json: str) -> None:
    """Raises InvalidArgument unless the text is an object that the tool's schema allows."""
    if len(arguments_json.encode()) > MAX_ARGUMENT_BYTES:
        raise InvalidArgument.of_field(FIELD, f"is longer than {MAX_ARGUMENT_BYTES} bytes")
    try:
        arguments = parse(arguments_json)
    except NotJsonError as error:
        raise InvalidArgument.of_field(FIELD, f"not JSON: {error}") from None
    faults = _STRICT(json.loads(tool.schema_json)).iter_errors(arguments)
    violations = [_violation(fault) for fault in islice(faults, _MAX_VIOLATIONS)]
    if violations:
        text = "; ".join(f"{v.field}: {v.description}" for v in violations)
        raise InvalidArgument(text, violations)


def _violation(fault: ValidationError) -> Violation:
    return Violation(FIELD + fault.json_path.removeprefix("$"), fault.message[:300])


def _invocation(run: Run) -> Invocation:
    result = run.results[0] if run.results else None
    if run.outcome not in {Outcome.OK, Outcome.FAILED}:
        return _ended(run, End.STOPPED, f"{run.outcome.value}: {run.detail}")
    if isinstance(result, Returned) and run.outcome is Outcome.OK:
        return _returned(run, result)
    raised = result if isinstance(result, Raised) else run.error
    if raised is None:
        return _ended(run, End.FAILED, run.detail or "gave no result")
    place = f" at line {raised.line}: {raised.source_line}" if raised.line else ""
    return _ended(run, End.FAILED, f"{raised.type}: {raised.message}{place}")


def _returned(run: Run, result: Returned) -> Invocation:
    try:
        parse(result.value_json)
    except NotJsonError as error:
        return _ended(run, End.FAILED, f"returned no JSON value: {error}")
    return Invocation(End.OK, result.value_json, "", run.wall_seconds)


def _ended(run: Run, end: End, error: str) -> Invocation:
    return Invocation(end, "", error, run.wall_seconds)
