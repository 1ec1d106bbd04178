"""The network and its optimisers: a small llama, Muon for most matrices, AdamW for the rest."""

import math
from collections.abc import Callable

import torch
from torch.nn import Parameter, functional
from transformers import LlamaConfig, LlamaForCausalLM

from services.model_server.starter_model import copying
from services.model_server.starter_model.batch import Batch
from services.model_server.starter_model.muon import Muon
from services.model_server.starter_model.plan import Shape
from services.model_server.starter_model.vocabulary import CONTEXT

MUON_RATE = 0.008
ADAM_RATE = 0.002
COPYING_RATE = 0.001  # of the layers that can copy from the first step on
EMBEDDING_RATE = 0.006  # of numbers of about 1, where the other weights are of about 0.05


def build(shape: Shape, end: int, pad: int) -> LlamaForCausalLM:
    """Return an untrained network that can copy; `end` and `pad` are token ids.

    Input and output embeddings are not tied: while the output learns how common each token is,
    the input goes on telling tokens apart, which copying lives on.
    """
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": copying.THETA},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        # On a CPU and short rows a third faster than the fused one, which a GPU is better with.
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
    )
    network = LlamaForCausalLM(config)
    copying.prepare(network)
    return network


def optimisers(network: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Return Muon over most matrices and AdamW over all else, each group with its full rate.

    The two attention layers that copy are left to a slow AdamW.
    """
    groups: dict[str, list[Parameter]] = {"muon": [], "adam": [], "copying": [], "embedding": []}
    for name, parameter in network.named_parameters():
        groups[_group(name)].append(parameter)
    muon = Muon(groups["muon"], lr=MUON_RATE, weight_decay=0.1)
    rates = {"adam": ADAM_RATE, "copying": COPYING_RATE, "embedding": EMBEDDING_RATE}
    parts = [{"params": groups[name], "lr": rate} for name, rate in rates.items()]
    adam = torch.optim.AdamW(parts, betas=(0.9, 0.98), weight_decay=0.0)
    for group in [*muon.param_groups, *adam.param_groups]:
        group["full_rate"] = group["lr"]
    return [muon, adam]


def _group(name: str) -> str:
    if "embed_tokens" in name:
        return "embedding"
    if any(f"layers.{layer}.self_attn" in name for layer in copying.LAYERS):
        return "copying"
    return "adam" if "norm" in name or "lm_head" in name else "muon"


def schedule(warmup: float, decay: float, peak: float = 1.0) -> Callable[[float], float]:
    """Return the factor on the rates by progress (0 to 1): up, level, then down to nothing.

    The way down is 1 - sqrt, after Hägele et al. 2024 (arXiv 2405.18392).
    """

    def factor(progress: float) -> float:
        cooled = max(0.0, (progress - (1.0 - decay)) / decay)
        return peak * max(0.0, min(progress / warmup, 1.0 - math.sqrt(min(1.0, cooled))))

    return factor


def loss_of(network: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the weighted mean cross entropy of the next token."""
    hidden = network.model(input_ids=batch.ids[:, :-1], use_cache=False).last_hidden_state
    targets, weights = batch.ids[:, 1:], batch.weights[:, 1:]
    wanted = weights > 0
    logits = network.lm_head(hidden[wanted]).float()
    losses = functional.cross_entropy(logits, targets[wanted], reduction="none")
    weighed: torch.Tensor = (losses * weights[wanted]).sum() / weights.sum()
    return weighed
