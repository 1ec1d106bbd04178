"""The pipelines of Go templates, read from the tokens of an action."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain

from services.model_server.go_expressions import (
    FUNCTIONS,
    Call,
    Dot,
    Expression,
    Fields,
    Literal,
    Variable,
)
from services.model_server.go_lexer import TemplateError, Token

_WORDS = {"true": True, "false": False, "nil": None}
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Pipeline:
    """An expression, with the variables that it sets."""

    expression: Expression
    variables: tuple[str, ...] = ()
    declares: bool = False


def read_pipeline(tokens: tuple[Token, ...]) -> Pipeline:
    """The pipeline that all tokens make together; TemplateError where they make none."""
    return _Reader(tokens).pipeline()


def expression_fields(expression: Expression) -> set[str]:
    """The names of all fields that an expression looks at."""
    if isinstance(expression, Fields):
        return set(expression.names) | expression_fields(expression.of)
    if isinstance(expression, Call):
        return set(chain.from_iterable(map(expression_fields, expression.arguments)))
    return set()


class _Reader:
    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = list(tokens)
        self._depth = 0

    def pipeline(self) -> Pipeline:
        variables, declares = self._declaration()
        pipeline = Pipeline(self._piped(), variables, declares)
        if self._tokens:
            raise TemplateError(f"unexpected {self._tokens[0].value!r}")
        return pipeline

    def _declaration(self) -> tuple[tuple[str, ...], bool]:
        marks = [n for n, token in enumerate(self._tokens) if token.value in (":=", "=")]
        if not marks or self._tokens[0].kind != "variable":
            return (), False
        names = tuple(t.value for t in self._tokens[: marks[0]] if t.kind == "variable")
        declares = self._tokens[marks[0]].value == ":="
        del self._tokens[: marks[0] + 1]
        return names, declares

    def _piped(self) -> Expression:
        found = self._command()
        while self._take("|"):
            found = self._command(last=(found,))
        return found

    def _command(self, last: tuple[Expression, ...] = ()) -> Expression:
        if self._tokens and self._tokens[0].kind == "word" and self._tokens[0].value in FUNCTIONS:
            name = self._tokens.pop(0).value
            arguments = []
            while self._tokens and self._tokens[0].value not in ("|", ")"):
                arguments.append(self._operand())
            return Call(name, (*arguments, *last))
        if last:
            raise TemplateError("only a function can follow a |")
        return self._operand()

    def _operand(self) -> Expression:
        if not self._tokens:
            raise TemplateError("missing value")
        token = self._tokens.pop(0)
        found = Fields(Dot(), _names(token)) if token.kind == "chain" else self._simple(token)
        if self._tokens and self._tokens[0].kind == "chain" and not self._tokens[0].after_space:
            return Fields(found, _names(self._tokens.pop(0)))
        return found

    def _simple(self, token: Token) -> Expression:
        if token.kind in ("text", "number") or (token.kind == "word" and token.value in _WORDS):
            return _literal(token)
        if token.kind == "variable":
            return Variable(token.value)
        if token.kind == "dot":
            return Dot()
        if token.value == "(":
            return self._bracketed()
        if token.value in FUNCTIONS:
            return Call(token.value, ())
        raise TemplateError(f"{token.value!r} is not supported")

    def _bracketed(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TemplateError("brackets are nested too deep")
        found = self._piped()
        if not self._take(")"):
            raise TemplateError("unclosed (")
        return found

    def _take(self, mark: str) -> bool:
        if self._tokens and self._tokens[0].kind == "mark" and self._tokens[0].value == mark:
            self._tokens.pop(0)
            return True
        return False


def _names(token: Token) -> tuple[str, ...]:
    return tuple(token.value[1:].split("."))


def _literal(token: Token) -> Literal:
    if token.kind == "number":
        return Literal(float(token.value) if "." in token.value else int(token.value))
    if token.kind == "word":
        return Literal(_WORDS[token.value])
    if token.value.startswith("`"):
        return Literal(token.value[1:-1])
    try:
        return Literal(json.loads(token.value))
    except ValueError as error:
        raise TemplateError(f"bad text {token.value[:40]}") from error
