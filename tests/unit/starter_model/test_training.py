"""Training's parts: what is weighed, what is repeated, which optimiser has what."""

import re
from random import Random

import numpy as np
import torch

from services.model_server.starter_model import network, primer, vocabulary
from services.model_server.starter_model.batch import batches
from services.model_server.starter_model.corpus import drill
from services.model_server.starter_model.corpus.row import rows

SMALL = network.Shape(layers=1, width=32, inner=64, heads=2, vocabulary=600)


def tokenizer():
    said = [m["content"] for row in rows(1, 200) for m in row.messages]
    return vocabulary.train(said, SMALL.vocabulary)


def test_only_the_last_answer_weighs_in_full():
    learnt = tokenizer()
    repair = next(row for row in rows(1, 400) if row.kind == "repair")
    ids, weights = vocabulary.encode(learnt, repair.messages)
    answer = learnt.encode(repair.messages[-1]["content"] + vocabulary.END).ids
    failed = learnt.encode(repair.messages[2]["content"] + vocabulary.END).ids
    assert ids.tolist()[-len(answer) :] == answer
    assert (weights == 1.0).sum() == len(answer)
    assert (weights == 0.0).sum() == len(failed)


def test_batches_hold_every_row_once_within_their_size():
    learnt = tokenizer()
    encoded = [vocabulary.encode(learnt, row.messages) for row in rows(1, 100)]
    made = list(batches(encoded, 2048, Random(1)))
    assert sum(len(batch.ids) for batch in made) == len(encoded)
    assert all(batch.ids.numel() <= 2048 or len(batch.ids) == 1 for batch in made)


def test_the_primer_learns_the_second_saying_only():
    made = primer.batch(np.random.default_rng(1), 600)
    for ids, weights in zip(made.ids.tolist(), made.weights.tolist(), strict=True):
        learnt = int(sum(weights))
        assert ids[-learnt:] == ids[1 : learnt + 1]
        assert not any(weights[: -learnt or None])


def test_the_primer_takes_turns_with_the_corpus():
    encoded = [vocabulary.encode(tokenizer(), row.messages) for row in rows(1, 60)]
    queue = list(batches(encoded, 1024, Random(1)))
    mixed = primer.interleave(queue, 2, 600, 1)
    assert len(mixed) == len(queue) + 2
    assert mixed[1] is queue[0]
    assert mixed[3] is queue[1]
    assert mixed[4:] == queue[2:]


def test_attention_is_left_to_adamw():
    built = network.build(SMALL, vocabulary.END_ID, vocabulary.PAD_ID)
    muon, adam = network.optimisers(built)
    held = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {name for name, p in built.named_parameters() if id(p) in held}
    assert names
    assert all(".mlp." in name for name in names)
    count = sum(len(group["params"]) for o in (muon, adam) for group in o.param_groups)
    assert count == len(list(built.parameters()))


def test_the_rate_rises_stays_and_falls_to_nothing():
    factor = network.schedule(0.1, 0.5, 0.8)
    assert factor(0.05) < factor(0.1) == factor(0.4) == 0.8
    assert 0.8 > factor(0.6) > factor(0.9) > factor(1.0) == 0.0


def test_a_step_lowers_the_loss():
    torch.manual_seed(1)
    built = network.build(SMALL, vocabulary.END_ID, vocabulary.PAD_ID)
    optimisers = network.optimisers(built)
    made = primer.batch(np.random.default_rng(1), SMALL.vocabulary)
    losses = []
    for _ in range(8):
        loss = network.loss_of(built, made)
        loss.backward()
        losses.append(loss.item())
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    assert losses[-1] < losses[0] - 0.2


def test_drills_are_answered_with_the_words_that_were_given():
    for number in range(60):
        _, asked, answer = drill.draw(Random(number))
        words = set(re.findall(r"\w+", answer["content"])) - {"def", "return"}
        assert words
        assert words <= set(re.findall(r"\w+", asked["content"]))
