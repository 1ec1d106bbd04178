"""What the checks look at, and what they give."""

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """A parsed source and its one public function."""

    tree: ast.Module
    function: ast.FunctionDef


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong: its line (1-based) and a few words."""

    line: int
    text: str
