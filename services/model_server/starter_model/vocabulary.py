"""The tokenizer: byte-level BPE in Qwen2's manner (single digits), with ChatML's markers.

Any server whose pre-tokenizer is `qwen2` cuts text exactly as this one does.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SIZE = 3072
END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
PAD_ID, END_ID = 0, 2  # the special tokens come first
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Tools are one line each behind the system text; calls are written as Hermes and Qwen write them.
_TOOLS = (
    "{{ '\n\nTools:' }}{% for tool in tools %}{{ '\n- ' + tool.function.name + '(' }}"
    "{% for name, kind in tool.function.parameters.properties.items() %}"
    "{{ name + ': ' + kind.type }}{% if not loop.last %}{{ ', ' }}{% endif %}{% endfor %}"
    "{{ '): ' + tool.function.description }}{% endfor %}"
)
_CALLS = (
    "{% for call in message.tool_calls %}"
    '{{ \'<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \' }}'
    "{% if call.function.arguments is string %}{{ call.function.arguments }}"
    "{% else %}{{ call.function.arguments | tojson }}{% endif %}{{ '}\n</tool_call>' }}"
    "{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}"
)
TEMPLATE = (
    "{% if tools and messages[0]['role'] != 'system' %}"
    f"{{{{ '<|im_start|>system' }}}}{_TOOLS}{{{{ '<|im_end|>\n' }}}}"
    "{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] %}{{ message['content'] }}{% endif %}"
    f"{{% if message['tool_calls'] %}}{_CALLS}{{% endif %}}"
    f"{{% if loop.first and tools and message['role'] == 'system' %}}{_TOOLS}{{% endif %}}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
CONTEXT = 1024
PROMPT_WEIGHT = 0.1  # of a prompt's token in the loss; an answer's token weighs 1

Message = dict[str, str]
Tokens = npt.NDArray[np.int16]
Weights = npt.NDArray[np.float16]


def train(texts: Iterable[str], size: int = SIZE) -> Tokenizer:
    """Learn a vocabulary of `size` tokens from texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer's files as transformers reads them."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END_OF_TEXT,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)


def encode(tokenizer: Tokenizer, messages: Sequence[Message]) -> tuple[Tokens, Weights]:
    """Return the ids of a rendered chat and the loss weight of each (shape: tokens).

    Only the last answer is learnt in full; earlier answers, which may be wrong code, not at all.
    """
    ids: list[int] = []
    weights: list[float] = []
    for place, message in enumerate(messages):
        answer = message["role"] == "assistant"
        last = place == len(messages) - 1
        head = tokenizer.encode(f"{START}{message['role']}\n").ids
        body = tokenizer.encode(f"{message['content']}{END}").ids
        tail = tokenizer.encode("\n").ids if not last else []
        ids += head + body + tail
        weight = (1.0 if last else 0.0) if answer else PROMPT_WEIGHT
        weights += (
            [PROMPT_WEIGHT / 2] * len(head) + [weight] * len(body) + [PROMPT_WEIGHT / 2] * len(tail)
        )
    return np.array(ids, np.int16), np.array(weights, np.float16)
