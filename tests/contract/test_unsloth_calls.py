"""Every call of Unsloth that its engine makes, against the signatures of the package itself.

Unsloth cannot be imported without an NVIDIA GPU, so both sides are read as text: `make setup` puts
the pinned package below .cache/signatures.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "services" / "trainer" / "unsloth_engine.py"
PACKAGE = ROOT / ".cache" / "signatures" / "unsloth"

# What the engine calls → where the package defines it.
DEFINED = {
    "FastLanguageModel.from_pretrained": ("models/loader.py", "FastLanguageModel.from_pretrained"),
    "FastLanguageModel.get_peft_model": ("models/llama.py", "FastLlamaModel.get_peft_model"),
    "adapted.save_pretrained_merged": ("save.py", "unsloth_save_pretrained_merged"),
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls() -> dict[str, ast.Call]:
    """The engine's calls of what Unsloth gives it, by name."""
    found = {}
    for node in ast.walk(tree(ENGINE)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            if name.startswith(("FastLanguageModel.", "adapted.")):
                found[name] = node
    return found


def functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{node.name}.")
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node


def test_every_call_of_the_engine_is_looked_at():
    assert calls().keys() == DEFINED.keys()


@pytest.mark.parametrize("name", DEFINED)
def test_the_package_takes_what_the_engine_passes(name: str):
    file, definition = DEFINED[name]
    signature = dict(functions(tree(PACKAGE / file).body))[definition].args
    call = calls()[name]
    known = {each.arg for each in (*signature.args, *signature.kwonlyargs)}
    # By name where the package names them: **kwargs would swallow what it no longer knows.
    assert {keyword.arg for keyword in call.keywords} <= known
    bound = name.startswith("adapted.")  # a function that becomes a method
    assert len(call.args) + bound <= len(signature.args)
    given = {each.arg for each in signature.args[: len(call.args) + bound]}
    needed = signature.args[: len(signature.args) - len(signature.defaults)]
    assert {each.arg for each in needed} <= given | {keyword.arg for keyword in call.keywords}


def test_the_methods_that_the_engine_calls_are_put_on_models():
    """`save_pretrained_merged` is no method of transformers: Unsloth adds it to what it loads."""
    added = {
        node.attr
        for node in ast.walk(tree(PACKAGE / "save.py"))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    assert "save_pretrained_merged" in added
    (exported,) = [
        node
        for node in tree(PACKAGE / "models" / "loader.py").body
        if isinstance(node, ast.ClassDef) and node.name == "FastLanguageModel"
    ]
    assert [ast.unparse(base) for base in exported.bases] == ["FastLlamaModel"]


def test_the_engine_imports_unsloth_before_what_it_patches():
    imported = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in tree(ENGINE).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imported[:2] == ["__future__", "unsloth"]


def test_the_way_of_merging_is_one_that_the_package_knows():
    text = (PACKAGE / "save.py").read_text(encoding="utf-8")
    (saved,) = [k.value for k in calls()["adapted.save_pretrained_merged"].keywords]
    assert isinstance(saved, ast.Constant)
    assert f'"{saved.value}"' in text
