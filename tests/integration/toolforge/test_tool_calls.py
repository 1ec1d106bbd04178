"""Tools that call tools, over real processes."""

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import FailedPrecondition
from tests.integration.toolforge.workshop import ADD, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


def caller(name: str, called: str) -> str:
    return (
        f"from tools import {called}\n\n\ndef {name}(a: int, b: int) -> int:\n"
        f'    """Add two numbers by way of another tool."""\n    return {called}(a, b)\n'
    )


async def test_a_tool_calls_the_current_version_of_another(shop: Workshop) -> None:
    inner = await shop.register(spec("inner"), ADD.replace("add", "inner"))
    await shop.register(spec("outer"), caller("outer", "inner"))
    answer = await shop.invoke("outer", a=20, b=22)
    assert answer.value_json == "42"
    assert dict(answer.called_versions) == {"inner": inner.version}
    newer = await shop.register(
        spec("inner"), ADD.replace("add", "inner").replace("a + b", "sum((a, b))")
    )
    assert dict((await shop.invoke("outer", a=1, b=2)).called_versions) == {"inner": newer.version}


async def test_calls_are_bounded_in_depth_and_end_somewhere(shop: Workshop) -> None:
    await shop.register(spec("level_0"), ADD.replace("add", "level_0"))
    for level in range(1, 5):
        name = f"level_{level}"
        await shop.register(spec(name), caller(name, f"level_{level - 1}"))
    assert (await shop.invoke("level_4", a=1, b=1)).value_json == "2"
    error = await failure(shop.register(spec("level_5"), caller("level_5", "level_4")))
    assert "over 4 levels, and no more" in error.message
    error = await failure(shop.register(spec("level_0"), caller("level_0", "level_2")))
    assert "level_0 -> level_2 -> level_1 -> level_0" in error.message
    error = await failure(shop.register(spec("lonely"), caller("lonely", "nobody_at_all")))
    assert (type(error), error.reason) == (FailedPrecondition, "TOOL_REJECTED")
    assert "there is no tool 'nobody_at_all' to call" in error.message
    whole = caller("lonely", "inner").replace("from tools import inner", "import tools")
    error = await failure(shop.register(spec("lonely"), whole))
    assert "import of 'tools as a whole' is not allowed" in error.message


async def test_a_caller_is_out_of_use_with_what_it_calls(shop: Workshop) -> None:
    await shop.register(spec("base"), ADD.replace("add", "base"))
    await shop.register(spec("built_on"), caller("built_on", "base"))
    await shop.stub.RetireTool(pb.RetireToolRequest(request_id=fresh_id(), name="tools/base"))
    error = await failure(shop.invoke("built_on", a=1, b=2))
    assert (type(error), error.reason) == (FailedPrecondition, "TOOL_RETIRED")
    assert "'base'" in error.message


async def test_a_failure_in_a_called_tool_is_told_where_it_was_called(shop: Workshop) -> None:
    divide = 'def ratio(a: int, b: int) -> int:\n    """Divide."""\n    return a // b\n'
    await shop.register(spec("ratio", ({"a": 4, "b": 2}, 2)), divide)
    await shop.register(spec("shares", ({"a": 4, "b": 2}, 2)), caller("shares", "ratio"))
    answer = await shop.invoke("shares", a=1, b=0)
    assert answer.outcome == pb.INVOCATION_OUTCOME_FAILED
    assert answer.error.startswith("ZeroDivisionError")
    assert "return ratio(a, b)" in answer.error


async def test_a_model_is_shown_tools_that_it_may_call(shop: Workshop) -> None:
    vowels = (
        'def vowels_in(text: str) -> int:\n    """Count vowels."""\n'
        "    return sum(letter in 'aeiou' for letter in text)\n"
    )
    counted = spec("vowels_in", ({"text": "banana"}, 3), description="Count the vowels in a text.")
    await shop.register(counted, vowels)
    shop.model.script(
        "from tools import vowels_in\n\n\ndef most_vowels(texts: list[str]) -> str:\n"
        '    """The text with most vowels."""\n    return max(texts, key=vowels_in)\n'
    )
    wanted = spec(
        "most_vowels",
        ({"texts": ["dry", "sea", "hut"]}, "sea"),
        ({"texts": ["a", "ae"]}, "ae"),
        description="Find the text with the most vowels, by counting the vowels in each text.",
    )
    request = pb.StartForgeRequest(request_id=fresh_id(), spec=wanted, offered_tool_limit=3)
    forge = (await shop.stub.StartForge(request)).forge
    await shop.events(forge.name)
    assert (await shop.get(forge.name)).state == pb.FORGE_STATE_SUCCEEDED
    (chat,) = shop.model.chats
    asked = chat["messages"][-1]["content"]
    line = "from tools import vowels_in  # def vowels_in(text: str) -> int: Count the vowels in"
    assert "\nTools that it may call:\n" in asked
    assert line in asked
    assert (await shop.invoke("most_vowels", texts=["x", "ou"])).value_json == '"ou"'
