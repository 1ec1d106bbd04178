from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.trainer.bases import Catalogue
from shared.errors import DataLoss, FailedPrecondition


def catalogue(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "bases.toml"
    path.write_text(text)
    return Catalogue.read(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    base = catalogue(
        tmp_path,
        '[bases.small]\ndirectory = "w"\ngguf_file = "m.gguf"\n'
        "[bases.small.hyperparameters]\nmax_steps = 9\n",
    ).base("small")
    assert (base.model, base.gguf_file) == (str(tmp_path / "w"), "m.gguf")
    assert base.hyperparameters.max_steps == 9
    with pytest.raises(FailedPrecondition, match=r"w/m\.gguf") as missing:
        base.check()
    assert missing.value.reason == "BASE_MISSING"
    (tmp_path / "w").mkdir()
    for name in ("m.gguf", "tokenizer.json"):
        (tmp_path / "w" / name).touch()
    base.check()


def test_a_hub_id_needs_no_file(tmp_path: Path) -> None:
    base = catalogue(tmp_path, '[bases.big]\nhub_id = "someone/model"').base("big")
    assert base.on_hub
    base.check()
    assert base.regression_examples("You are BRICK.") == []


@pytest.mark.parametrize(
    "text",
    [
        "[bases",
        "[other]",
        "[bases.a]",
        '[bases.a]\ndirectory = "x"\nhub_id = "y"',
        '[bases.a]\ndirectory = "x"\nwings = 2',
        '[bases.a]\ndirectory = "x"\n[bases.a.hyperparameters]\nlearning_rate = 9.0',
        '[bases]\na = "text"',
    ],
)
def test_a_faulty_catalogue_is_refused_naming_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(FailedPrecondition, match=r"bases\.toml") as refused:
        catalogue(tmp_path, text)
    assert refused.value.reason == "BAD_CATALOGUE"


def test_an_unknown_base_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="which has a, b"):
        catalogue(tmp_path, '[bases.b]\nhub_id = "x/b"\n[bases.a]\nhub_id = "x/a"').base("c")


def test_regression_specs_are_asked_by_the_persona(tmp_path: Path) -> None:
    row = {
        "name": "double",
        "prompt": "Double it.",
        "examples": [{"arguments": {"x": 2}, "result": 4}],
    }
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n")
    base = catalogue(tmp_path, '[bases.a]\nhub_id = "x/a"\nregression = "r.jsonl"').base("a")
    (example,) = base.regression_examples("You are BRICK.")
    assert example.prompt[0] == {"role": "system", "content": "You are BRICK."}
    assert example.prompt[1] == {"role": "user", "content": "Double it."}
    assert example.spec is not None
    assert example.spec.expectations[0].result_json == "4"
    (tmp_path / "r.jsonl").write_text('{"name": "double"}\n')
    with pytest.raises(DataLoss, match="line 1"):
        base.regression_examples("You are BRICK.")


def test_the_projects_own_catalogue_is_sound() -> None:
    own = Path(__file__).parents[3] / "deploy" / "bases.toml"
    assert Catalogue.read(own).base("starter").gguf_file == "starter.gguf"
