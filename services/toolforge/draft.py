"""Takes the code out of a model's answer: out of prose, fences, and reasoning tags."""

import ast
import re
from collections.abc import Iterable, Iterator

MAX_ANSWER_CHARACTERS = 65536
_LOOP_CHARACTERS = 600  # so much of one short piece over and over is no code any more
_LOOP_PERIOD = 60
_MAX_PARSES = 64  # a hostile answer must not buy endless parsing

_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_ORPHAN_END = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(
    r"^[ \t]*+(?P<fence>```++|~~~++)[^\n]*+\n(?P<code>.*?)(?:^[ \t]*+(?P=fence)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_USAGE = (ast.Expr, ast.Assert, ast.If, ast.For)
_BEGINNING = re.compile(r"(?:from \S+ import |import \S|def \w|async def \w|@\w|class \w)")


def take_code(answer: str, name: str) -> str:
    """The source in an answer that should define the function `name`; "" where there is none.

    The last candidate that parses and defines `name` wins, else the last one with any function.
    Usage shown after the function is left out. The source ends with one newline and is UTF-8.
    """
    text = _clean(answer)
    best, best_rank = "", 0
    for code in _candidates(text):
        rank = _rank(code, name)
        if rank and rank >= best_rank:
            best, best_rank = code, rank
    return f"{_without_usage(best).strip()}\n" if best else ""


def is_enough(answer: str) -> bool:
    """Whether an answer that goes on need not be heard further: too long, or caught in a loop."""
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return True
    tail = answer[-_LOOP_CHARACTERS:]
    if len(tail) < _LOOP_CHARACTERS:
        return False
    return any(tail[period:] == tail[:-period] for period in range(1, _LOOP_PERIOD + 1))


def _clean(answer: str) -> str:
    text = answer[:MAX_ANSWER_CHARACTERS].encode("utf-8", "replace").decode()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ORPHAN_END.sub("", _REASONING.sub("", text))


def _candidates(text: str) -> Iterator[str]:
    blocks = [_dedent(match["code"]) for match in _FENCE.finditer(text)]
    if blocks:
        yield from blocks
        return
    yield _bare(text)


def _dedent(code: str) -> str:
    lines = code.split("\n")
    margin = re.match(r"[ \t]*", next((line for line in lines if line.strip()), ""))
    indent = margin[0] if margin else ""
    return "\n".join(line.removeprefix(indent) for line in lines)


def _bare(text: str) -> str:
    """Unfenced code: from the first line that begins some, as far as it parses."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if _BEGINNING.match(line)), None)
    if start is None:
        return ""
    lines = lines[start:]
    for end in _ends(lines):
        code = "\n".join(lines[:end])
        if _tree(code) is not None:
            return code
    return "\n".join(lines)


def _ends(lines: list[str]) -> Iterable[int]:
    """Where the code may end, longest first: the whole, or before a line at the margin."""
    margins = [i for i, line in enumerate(lines) if i and line[:1].strip()]
    return [len(lines), *reversed(margins[: _MAX_PARSES - 1])]


def _rank(code: str, name: str) -> int:
    tree = _tree(code)
    if tree is None:
        return 1 if re.search(r"^\s*def ", code, re.MULTILINE) else 0
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name in names:
        return 3
    return 2 if names else 0


def _without_usage(code: str) -> str:
    """Cuts prints, asserts and the like that stand after the last definition."""
    tree = _tree(code)
    if tree is None:
        return code
    defined = [i for i, node in enumerate(tree.body) if not isinstance(node, _USAGE)]
    rest = tree.body[defined[-1] + 1 :] if defined else []
    return "\n".join(code.split("\n")[: rest[0].lineno - 1]) if rest else code


def _tree(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
