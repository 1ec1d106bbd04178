"""Checkpoints of a training run: network, optimisers and step, renamed into place."""

from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from services.model_server.starter_model.plan import Plan


def resume(plan: Plan, network: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer]) -> int:
    """Load the last checkpoint, if there is one; return the step to go on with."""
    path = plan.out / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    return int(state["step"])


def trained(folder: Path) -> LlamaForCausalLM:
    """Load a trained folder in float32: its safetensors, else the committed GGUF."""
    gguf = {} if (folder / "model.safetensors").exists() else {"gguf_file": "starter.gguf"}
    network: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float32, **gguf
    )
    return network


def keep(
    plan: Plan, network: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer], step: int
) -> None:
    """Write a checkpoint under a temporary name, then rename it; write the model beside it."""
    state = {
        "network": network.state_dict(),
        "optimisers": [o.state_dict() for o in optimisers],
        "step": step,
    }
    torch.save(state, plan.out / "checkpoint.tmp")
    (plan.out / "checkpoint.tmp").rename(plan.out / "checkpoint.pt")
    network.save_pretrained(plan.out)
