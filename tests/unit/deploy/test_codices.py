"""The Codices that come with the project name bases that its catalogue has."""

from pathlib import Path

import pytest

from services.supervisor import codex
from services.trainer.bases import Catalogue

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


@pytest.mark.parametrize("name", ["codex.toml", "codex.ollama.toml"])
def test_every_persona_has_a_base(name):
    personas = codex.read(DEPLOY / name).personas
    catalogue = Catalogue.read(DEPLOY / "bases.toml")
    assert set(personas) == {"ALFRED", "BABS", "BRICK", "ROBIN"}
    assert all(catalogue.base(persona.base_model) for persona in personas.values())
