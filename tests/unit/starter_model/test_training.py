"""Training's parts: what is weighed, what is repeated, which optimiser has what."""

import re
from random import Random

import torch
from transformers import LlamaForCausalLM

from services.model_server.starter_model import network, train, vocabulary
from services.model_server.starter_model.batch import batches
from services.model_server.starter_model.corpus import drill
from services.model_server.starter_model.corpus.row import rows
from services.model_server.starter_model.muon import Muon

SMALL = network.Shape(layers=2, width=32, inner=64, heads=2, vocabulary=600)


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


def test_an_untrained_network_says_again_what_it_read():
    torch.manual_seed(1)
    prepared = network.build(network.Shape(), vocabulary.END_ID, vocabulary.PAD_ID)
    assert copied(prepared) > 0.4
    assert copied(LlamaForCausalLM(prepared.config)) < 0.05


def copied(model):
    """Share of random tokens, said a second time after a gap, that the model foretells."""
    said = torch.randint(100, 3072, (8, 40))
    ids = torch.cat([said, torch.randint(100, 3072, (8, 7)), said], dim=1)
    with torch.no_grad():
        foretold = model(ids).logits[:, 47:-1].argmax(-1)
    return (foretold == said[:, 1:]).float().mean().item()


def test_the_layers_that_copy_are_left_to_a_slow_adamw():
    built = network.build(SMALL, vocabulary.END_ID, vocabulary.PAD_ID)
    muon, adam = network.optimisers(built)
    held = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {name for name, p in built.named_parameters() if id(p) in held}
    assert names == {n for n, _ in built.named_parameters() if ".mlp." in n}
    slow = [group for group in adam.param_groups if group["lr"] == network.COPYING_RATE]
    assert [len(group["params"]) for group in slow] == [8]
    count = sum(len(group["params"]) for o in (muon, adam) for group in o.param_groups)
    assert count == len(list(built.parameters()))


def test_the_rate_rises_stays_and_falls_to_nothing():
    factor = network.schedule(0.1, 0.5, 0.8)
    assert factor(0.05) < factor(0.1) == factor(0.4) == 0.8
    assert 0.8 > factor(0.6) > factor(0.9) > factor(1.0) == 0.0


def test_steps_lower_the_loss():
    torch.manual_seed(1)
    learnt = tokenizer()
    built = network.build(SMALL, vocabulary.END_ID, vocabulary.PAD_ID)
    encoded = [vocabulary.encode(learnt, row.messages) for row in rows(1, 8)]
    made = next(iter(batches(encoded, 4096, Random(1))))
    optimisers = network.optimisers(built)
    losses = [train.step_of(built, made, optimisers, 1.0) for _ in range(12)]
    assert losses[-1] < losses[0] - 0.2


def test_drills_are_answered_with_the_words_that_were_given():
    for number in range(60):
        _, asked, answer = drill.draw(Random(number))
        words = set(re.findall(r"\w+", answer["content"])) - {"def", "return"}
        assert words
        assert words <= set(re.findall(r"\w+", asked["content"]))


def test_muon_moves_as_torch_s_own_does():
    torch.manual_seed(1)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in ((8, 16), (8, 16), (16, 8))]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    own = Muon(ours, lr=0.01, weight_decay=0.1)
    reference = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        own.step()
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=2e-3, rtol=0)  # theirs sums in bfloat16
