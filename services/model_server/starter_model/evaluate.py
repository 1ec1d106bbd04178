"""Evaluate a model folder: greedy answers, judged by running the code or looking for the value."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from transformers import (
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from services.model_server.starter_model import checkpoint
from services.model_server.starter_model.evaluation import (
    SPLITS,
    Question,
    evaluation_set,
    free_form,
)
from services.model_server.starter_model.execution import passing

BATCH = 50
NEW_TOKENS = 110


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a model folder: safetensors, or the committed GGUF."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    return checkpoint.trained(folder).eval(), tokenizer


def answers(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question]
) -> list[str]:
    """Return the greedy answer to each question."""
    found: dict[int, str] = {}
    prompts = [
        tokenizer.apply_chat_template(list(q.messages), tokenize=False, add_generation_prompt=True)
        for q in questions
    ]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        inputs = tokenizer(
            [prompts[p] for p in places],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        )
        ids = network.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        said = tokenizer.batch_decode(
            ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        found |= dict(zip(places, said, strict=True))
    return [found[place] for place in range(len(prompts))]


def judge(questions: Sequence[Question], said: Sequence[str]) -> list[bool]:
    """Tell for each answer whether it is right."""
    coded = [(text, q.name, q.examples) for q, text in zip(questions, said, strict=True) if q.name]
    verdicts = iter(passing(coded)) if coded else iter(())
    return [
        next(verdicts) if q.name else q.value in text
        for q, text in zip(questions, said, strict=True)
    ]


def main() -> None:
    """Run from the command line; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100, help="questions per split")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--splits", nargs="*", default=[*SPLITS, "free_form"])
    parser.add_argument("--show", type=int, default=0, help="wrong answers to print per split")
    options = parser.parse_args()
    network, tokenizer = load(options.folder)
    console, table, shares = Console(), Table("split", "right", "of"), {}
    for split in options.splits:
        questions = (
            free_form()
            if split == "free_form"
            else evaluation_set(split, options.count, options.seed)
        )
        said = answers(network, tokenizer, questions)
        verdicts = judge(questions, said)
        shares[split] = round(sum(verdicts) / len(verdicts), 3)
        table.add_row(split, f"{shares[split]:.1%}", str(len(verdicts)))
        wrong = [
            (q, text) for q, text, good in zip(questions, said, verdicts, strict=True) if not good
        ]
        for question, text in wrong[: options.show]:
            console.print(
                question.messages[-1]["content"], text, question.value, sep="\n--\n", markup=False
            )
    console.print(table)
    console.print(json.dumps(shares), soft_wrap=True)


if __name__ == "__main__":
    main()
