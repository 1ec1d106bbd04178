from pathlib import Path

import pytest

from services.supervisor import codex
from shared.errors import FailedPrecondition

ROOT = Path(__file__).parents[3]

GOOD = """\
[personas.BRICK]
system_prompt = "You are BRICK."
model = "starter"
base_model = "starter"
toolsmith = true
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "codex.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(directory: Path, text: str) -> str:
    with pytest.raises(FailedPrecondition) as caught:
        codex.read(written(directory, text))
    assert caught.value.reason == "CODEX_INVALID"
    return caught.value.message


def test_the_codex_that_is_shipped_has_the_four_personas():
    read = codex.read(ROOT / "deploy/codex.toml")
    assert list(read.personas) == ["ALFRED", "BABS", "BRICK", "ROBIN"]
    assert read.toolsmith == "BRICK"
    assert {p.model.tag for p in read.personas.values()} == {"starter"}
    robin = read.personas["ROBIN"]
    assert robin.system_prompt == "You are ROBIN, the companion. You are warm and brief."


def test_every_fault_is_named_with_its_line_and_field(tmp_path):
    told = faults(
        tmp_path,
        GOOD
        + """
[personas.ROBIN]
model = 3
base_model = "starter"
colour = "red"

[personas.babs]
system_prompt = "  "
model = "has spaces"
base_model = "starter"
""",
    )
    assert "line 7, personas.ROBIN.system_prompt: Field required" in told
    assert "line 8, personas.ROBIN.model" in told
    assert "line 10, personas.ROBIN.colour" in told
    assert "line 12, personas.babs" in told
    assert "line 13, personas.babs.system_prompt" in told
    assert "line 14, personas.babs.model" in told


def test_a_syntax_error_names_its_line(tmp_path):
    assert "line 2" in faults(tmp_path, "[personas.BRICK]\nmodel = \n")


@pytest.mark.parametrize(
    ("toolsmith", "named"), [("toolsmith = false", "none"), ("toolsmith = true", "BRICK, ROBIN")]
)
def test_exactly_one_persona_is_the_toolsmith(tmp_path, toolsmith, named):
    second = GOOD.replace("BRICK", "ROBIN")
    text = GOOD.replace("toolsmith = true", toolsmith) + second.replace(
        "toolsmith = true", toolsmith
    )
    assert f"found {named}" in faults(tmp_path, text)


def test_a_file_without_personas_or_no_file_is_refused(tmp_path):
    assert "personas" in faults(tmp_path, "")
    with pytest.raises(FailedPrecondition, match="cannot be read"):
        codex.read(tmp_path / "absent.toml")
