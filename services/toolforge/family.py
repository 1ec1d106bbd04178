"""The family of a piece of code: what it is once its names are forgotten.

Code that differs only in the names of functions, parameters and local variables, in docstrings,
comments and layout is one family, so that a split of training data keeps it on one side.
"""

import ast
import hashlib
from collections.abc import Iterator


def family_of(source: str) -> str:
    """SHA-256 (hex) over the tree with its own names renumbered; constants count.

    Code that does not parse is a family by its text.
    """
    try:
        tree = ast.parse(source)
        names = {name: f"n{number}" for number, name in enumerate(dict.fromkeys(_bound(tree)))}
        text = ast.dump(_Renaming(names).visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        text = source
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that the code itself defines, in the order in which the tree shows them."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield _alias_name(node)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _alias_name(node: ast.alias) -> str:
    return node.asname or node.name.split(".")[0]


class _Renaming(ast.NodeTransformer):
    """Gives every bound name its number, and drops docstrings."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Renames the fields that hold names, then goes on into the children."""
        for field in ("name", "id", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str) and not isinstance(node, ast.alias):
                setattr(node, field, self._names.get(value, value))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            _drop_docstring(node)
        return super().generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        """Keeps what is imported and numbers what it is called here."""
        node.asname = self._names[_alias_name(node)]
        return node


def _drop_docstring(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
