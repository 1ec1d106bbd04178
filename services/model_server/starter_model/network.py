"""The network and its optimisers: a small llama, Muon for inner layers, AdamW for the rest."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from services.model_server.starter_model.batch import Batch
from services.model_server.starter_model.vocabulary import CONTEXT

MUON_RATE = 0.003
ADAM_RATE = 0.002


@dataclass(frozen=True)
class Shape:
    """The size of the network: layers, width, inner width, heads, vocabulary."""

    layers: int = 5
    width: int = 256
    inner: int = 768
    heads: int = 4
    vocabulary: int = 3072


def build(shape: Shape, end: int, pad: int) -> LlamaForCausalLM:
    """Return an untrained network; `end` and `pad` are token ids."""
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attn_implementation="eager",  # on short rows a third faster on a CPU than flash
    )
    return LlamaForCausalLM(config)


def optimisers(network: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Return Muon over the matrices of the inner layers and AdamW over all else.

    Muon: Jordan et al. 2024; its rate is matched to AdamW's as in Moonlight (2025). Attention is
    left to AdamW: with Muon, copying from the context came five times later or not at all.
    """
    inner = [p for name, p in network.named_parameters() if ".mlp." in name]
    known = {id(p) for p in inner}
    rest = [p for p in network.parameters() if id(p) not in known]
    muon = torch.optim.Muon(inner, lr=MUON_RATE, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    return [muon, adam]


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
