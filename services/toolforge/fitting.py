"""Gives a draft's function the names that its spec asks for.

What a tool and its arguments are called is the owner's to say. A draft that is right but for its
names would cost an attempt, so they are put right here, before it is judged.
"""

import ast
from collections.abc import Mapping

from services.toolforge.spec import Spec


def fit(source: str, spec: Spec) -> str:
    """The source with its one public function, and that one's parameters, named as in the spec.

    Unchanged where the names are right, where it is unclear which is which, or where a wanted name
    already means something else. A changed source is laid out anew, and its comments are gone.
    """
    try:
        tree = ast.parse(source)
        function = _only_function(tree)
        if function is None:
            return source
        fitted = _Renaming(_function_name(tree, function, spec)).visit(tree)
        function = _Renaming(_parameter_names(function, spec)).visit(function)
        changed = ast.unparse(fitted)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    return source if changed == ast.unparse(ast.parse(source)) else f"{changed}\n"


def _only_function(tree: ast.Module) -> ast.FunctionDef | None:
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    return public[0] if len(public) == 1 else None


def _function_name(tree: ast.Module, function: ast.FunctionDef, spec: Spec) -> Mapping[str, str]:
    if spec.name in _names(tree) or function.name in _assigned(tree):
        return {}
    return {function.name: spec.name}


def _parameter_names(function: ast.FunctionDef, spec: Spec) -> Mapping[str, str]:
    arguments = function.args
    if arguments.vararg or arguments.kwarg:
        return {}
    own = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    strange = [name for name in own if name not in spec.parameters]
    wanted = [name for name in spec.parameters if name not in own]
    if len(strange) != len(wanted) or set(wanted) & _names(function):
        return {}
    return dict(zip(strange, wanted, strict=True))


def _names(tree: ast.AST) -> set[str]:
    """Every name that is read, bound or defined anywhere in the tree."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def _assigned(tree: ast.AST) -> set[str]:
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return bound | {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


class _Renaming(ast.NodeTransformer):
    """Replaces names, wherever they stand for a function or a parameter."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._names.get(node.name, node.name)
        return self.generic_visit(node)
