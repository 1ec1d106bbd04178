"""Go templates as trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from services.model_server.go_lexer import Action, TemplateError, Token, pieces
from services.model_server.go_pipeline import Pipeline, expression_fields, read_pipeline

_MAX_DEPTH = 64


@dataclass(frozen=True)
class Block:
    """`if`, `with` or `range`, with what it does and what it does otherwise."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True)
class Jump:
    """`break` or `continue`."""

    kind: str


Node = str | Pipeline | Block | Jump


def parse(template: str) -> tuple[Node, ...]:
    """The tree; TemplateError where the template is not valid."""
    parser = _Blocks(pieces(template))
    nodes = tuple(parser.nodes(0))
    if parser.ended_by:
        raise TemplateError(f"unexpected {{{{{parser.ended_by[0].value}}}}}")
    return nodes


class _Blocks:
    """Reads nodes until an action that ends or divides the block, kept in `ended_by`."""

    def __init__(self, source: Iterator[str | Action]) -> None:
        self._source = source
        self.ended_by: tuple[Token, ...] = ()

    def nodes(self, depth: int) -> Iterator[Node]:
        if depth > _MAX_DEPTH:
            raise TemplateError("blocks are nested too deep")
        self.ended_by = ()
        for piece in self._source:
            if isinstance(piece, str):
                yield piece
                continue
            word = _first_word(piece.tokens)
            if word in ("end", "else"):
                self.ended_by = piece.tokens
                return
            if word in ("if", "with", "range"):
                yield self._block(word, piece.tokens[1:], depth)
            elif word in ("break", "continue"):
                yield Jump(word)
            else:
                yield read_pipeline(piece.tokens)

    def _block(self, kind: str, tokens: tuple[Token, ...], depth: int) -> Block:
        pipeline = read_pipeline(tokens)
        body = tuple(self.nodes(depth + 1))
        ended_by = self.ended_by
        otherwise: tuple[Node, ...] = ()
        if _first_word(ended_by) == "else":
            rest = ended_by[1:]
            if rest:  # `else if`: a block of its own, which takes this one's end
                return Block(kind, pipeline, body, (self._block(rest[0].value, rest[1:], depth),))
            otherwise = tuple(self.nodes(depth + 1))
        if _first_word(self.ended_by) != "end":
            raise TemplateError(f"{{{{{kind}}}}} has no {{{{end}}}}")
        self.ended_by = ()
        return Block(kind, pipeline, body, otherwise)


def _first_word(tokens: tuple[Token, ...]) -> str:
    return tokens[0].value if tokens and tokens[0].kind == "word" else ""


def fields_of(nodes: tuple[Node, ...]) -> set[str]:
    """The names of all fields that a tree looks at."""
    return set(chain.from_iterable(map(_fields_of_node, nodes)))


def _fields_of_node(node: Node) -> set[str]:
    if isinstance(node, Pipeline):
        return expression_fields(node.expression)
    if isinstance(node, Block):
        inside = fields_of(node.body) | fields_of(node.otherwise)
        return inside | expression_fields(node.pipeline.expression)
    return set()
