"""Tool calls in the corpus: what is asked is what is called, in the words of the chat template."""

import json
from random import Random

import pytest
from transformers import AutoTokenizer

from services.model_server.settings import ModelServerSettings
from services.model_server.starter_model import vocabulary
from services.model_server.starter_model.corpus import tool_use
from services.model_server.starter_model.corpus.holdout import TRAIN, UNSEEN
from services.model_server.starter_model.corpus.spec import UnusableDrawError
from services.model_server.starter_model.corpus.wording import table

WEIGHTS = ModelServerSettings.model_fields["preload_dir"].default


def drawn(count, holdout=TRAIN):
    found = []
    for number in range(count):
        try:
            found.append(tool_use.draw(Random(number), holdout))
        except UnusableDrawError:
            continue
    assert len(found) > count // 2
    return found


@pytest.mark.parametrize("holdout", [TRAIN, UNSEEN], ids=["train", "unseen"])
def test_a_call_names_an_offered_tool_and_fills_its_parameters(holdout):
    for chat in drawn(150, holdout):
        text = chat.messages[-1]["content"]
        call = json.loads(text.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>"))
        tool = next(each for each in chat.tools if each.name == call["name"])
        assert list(call["arguments"]) == list(tool.parameters)
        for value, kind in zip(call["arguments"].values(), tool.parameters.values(), strict=True):
            assert kind == tool_use.TYPES.get(type(value), "object")
        assert len({each.name for each in chat.tools}) == len(chat.tools) <= 4


def test_what_is_asked_holds_every_argument():
    for chat in drawn(150):
        for value in chat.use.arguments.values():
            if isinstance(value, int | str) and not isinstance(value, bool):
                said = json.dumps(value, ensure_ascii=False)[1:-1] if value == "" else str(value)
                assert said in chat.use.request.replace('\\"', '"') or said in chat.use.request


def test_held_out_phrases_are_never_asked():
    held = {row["say"][-1] for row in table("tools").values()}
    assert not held & {say for row in table("tools").values() for say in row["say"][:-1]}


def test_the_template_writes_the_bytes_that_training_saw():
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    tokenizer.chat_template = vocabulary.TEMPLATE
    for chat in drawn(60):
        schemas = [tool.schema() for tool in chat.tools]
        head, asked, called = chat.messages
        plain = {**head, "content": head["content"].removesuffix(tool_use.listing(chat.tools))}
        function = {"name": chat.use.tool.name, "arguments": chat.use.arguments}
        said = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
        rendered = tokenizer.apply_chat_template([plain, asked, said], schemas, tokenize=False)
        assert rendered == tokenizer.apply_chat_template([head, asked, called], tokenize=False)


def test_without_a_system_text_the_tools_stand_alone():
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    tokenizer.chat_template = vocabulary.TEMPLATE
    tool = tool_use.Tool("ring", "Ring a bell.", {"times": "integer"})
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Ring!"}], [tool.schema()], tokenize=False
    )
    lines = ["<|im_start|>system", "", "Tools:", "- ring(times: integer): Ring a bell.<|im_end|>"]
    assert rendered.startswith("\n".join(lines))
