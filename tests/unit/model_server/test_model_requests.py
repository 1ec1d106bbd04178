"""Names, durations and options, as people and programs write them."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

import pytest

from services.model_server.duration import parse_keep_alive
from services.model_server.errors import BadRequestError
from services.model_server.model_details import human_number
from services.model_server.model_name import ModelName
from services.model_server.options import Options
from services.model_server.tool_calls import ToolCalls


@pytest.mark.parametrize(
    ("text", "shown", "path"),
    [
        ("brick", "brick:latest", "registry.ollama.ai/library/brick/latest.json"),
        ("Brick:v1.2", "Brick:v1.2", "registry.ollama.ai/library/Brick/v1.2.json"),
        ("team/brick", "team/brick:latest", "registry.ollama.ai/team/brick/latest.json"),
        ("h:5000/n/m:t", "h:5000/n/m:t", "h:5000/n/m/t.json"),
        ("registry.ollama.ai/library/m", "m:latest", "registry.ollama.ai/library/m/latest.json"),
    ],
)
def test_names_have_defaults(text: str, shown: str, path: str) -> None:
    name = ModelName.parse(text)
    assert (str(name), str(name.path())) == (shown, path)
    assert ModelName.of_path(PurePosixPath(path)) == name


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", ":a", "a/", "a b", "../x", "a:..", "a/b/c/d", "é", "-a", "a" * 81, "a\0"],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="invalid model name"):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (2.5, 2.5),
        ("0", 0.0),
        ("90", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        (-1, math.inf),
        ("-1m", math.inf),
    ],
)
def test_durations(value: float | str, seconds: float) -> None:
    assert parse_keep_alive(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "soon", "5 m", "5d", "m", "nan", float("nan")])
def test_other_durations_are_refused(value: float | str) -> None:
    with pytest.raises(BadRequestError, match="invalid duration"):
        parse_keep_alive(value)


def test_options_overlay_each_other() -> None:
    options = Options({"temperature": 0, "stop": ["a"]}, {"temperature": 1, "num_predict": 5})
    fields = options.sampling()
    assert (fields["temperature"], fields["max_tokens"], fields["stop"]) == (1.0, 5, ["a"])
    assert (fields["top_k"], fields["repeat_penalty"]) == (40, 1.0)
    assert options.num_ctx(4096) == 4096
    assert Options({"num_ctx": 512}).num_ctx(4096) == 512


def test_a_seed_is_kept_and_none_means_chance() -> None:
    assert Options({"seed": 42}).sampling()["seed"] == 42
    assert Options().sampling()["seed"] == 0xFFFFFFFF
    assert Options({"seed": 42}, {"seed": None}).sampling()["seed"] == 42


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": "hot"}, "float32"),
        ({"temperature": True}, "float32"),
        ({"top_k": 1.5}, "integer"),
        ({"num_ctx": [1]}, "integer"),
        ({"stop": {"a": 1}}, "array of strings"),
        ({"stop": [1]}, "array of strings"),
    ],
)
def test_options_of_another_type_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        Options(options)


def test_unknown_options_are_left_out() -> None:
    assert "wings" not in Options({"wings": 2, "numa": True}).sampling()


def test_tool_calls_are_put_together() -> None:
    calls = ToolCalls()
    calls.add([{"index": 1, "function": {"name": "b", "arguments": "not json"}}])
    calls.add([{"index": 0, "function": {"name": "fly", "arguments": '{"he'}}])
    calls.add([{"index": 0, "function": {"arguments": 'ight": 3}'}}])
    assert calls.finished() == [{"function": {"name": "fly", "arguments": {"height": 3}}}]


@pytest.mark.parametrize(
    ("count", "words"),
    [(12, "12"), (4_340_000, "4.34M"), (134_515_008, "134.52M"), (8_030_000_000, "8.0B")],
)
def test_sizes_for_people(count: int, words: str) -> None:
    assert human_number(count) == words
