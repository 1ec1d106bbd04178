import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import MemoryPeer, ServiceSettings, load


class Sample(ServiceSettings, MemoryPeer):
    """A service for the test."""

    model_config = SettingsConfigDict(env_prefix="BATOS_SAMPLE_")

    limit: int = Field(3, ge=1, description="how many")


def test_values_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BATOS_SAMPLE_LIMIT", "7")
    monkeypatch.setenv("BATOS_MEMORY_ADDRESS", "127.0.0.1:9")
    settings = load(Sample, "sample", [])
    assert (settings.limit, settings.memory_address) == (7, "127.0.0.1:9")


def test_every_fault_is_reported_at_once_by_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("BATOS_SAMPLE_LIMIT", "none")
    monkeypatch.setenv("BATOS_SAMPLE_LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit) as ended:
        load(Sample, "sample", [])
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert "BATOS_SAMPLE_LIMIT" in printed
    assert "BATOS_SAMPLE_LOG_LEVEL" in printed


def test_help_lists_every_variable_with_its_default(capsys):
    with pytest.raises(SystemExit) as ended:
        load(Sample, "sample", ["--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert "BATOS_SAMPLE_LIMIT  how many [3]" in printed
    assert "BATOS_MEMORY_ADDRESS" in printed
