"""Train the starter model from scratch: corpus, vocabulary, network; resumable."""

import json
import os
import signal
import time
from dataclasses import replace

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import distributed
from transformers import LlamaForCausalLM

from services.model_server.starter_model import checkpoint, prepared, vocabulary
from services.model_server.starter_model import network as net
from services.model_server.starter_model.batch import Batch
from services.model_server.starter_model.plan import Plan, parse
from shared.half_precision import bfloat16_is_fast
from shared.process import die_with_parent

CHECKPOINT = 100  # steps
RENDEZVOUS = "rendezvous"  # the file by which workers find each other
WARMUP = 0.01  # share of the run with a rising rate


def step_of(
    network: LlamaForCausalLM, batch: Batch, optimisers: list[torch.optim.Optimizer], factor: float
) -> float:
    """Take one step at a share of the full rates, with all workers; return this worker's loss."""
    device = next(network.parameters()).device
    batch = Batch(batch.ids.to(device).long(), batch.weights.to(device).float())
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
        loss = net.loss_of(network, batch)
    loss.backward()
    share(network)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["full_rate"] * factor
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return float(loss.item())


def share(network: LlamaForCausalLM) -> None:
    """Give every worker the mean of all workers' gradients, so that their networks stay one."""
    if not distributed.is_initialized():
        return
    held = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in held])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(held, flat.split([g.numel() for g in held]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def join(rank: int, plan: Plan, parent: int) -> None:
    """Begin as one of several workers, which end with the process that started them."""
    die_with_parent(parent, signal.SIGKILL)
    meet = f"file://{(plan.out / RENDEZVOUS).absolute()}"
    distributed.init_process_group("gloo", meet, rank=rank, world_size=plan.workers)
    work(rank, plan)


def work(rank: int, plan: Plan) -> None:
    """Train to the end of the corpus as one of the workers; the first keeps the checkpoints."""
    if plan.threads:
        torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    tokenizer, queue = prepared.load(plan)
    network = begun(plan, tokenizer.get_vocab_size())
    optimisers = net.optimisers(network)
    first, steps = checkpoint.resume(plan, network, optimisers), len(queue) // plan.workers
    factor = net.schedule(WARMUP, plan.decay, plan.peak)
    console = Console(quiet=rank > 0)
    tokens = sum(int((batch.weights > 0).sum()) for batch in queue)
    console.print(f"{network.num_parameters()} parameters, {tokens} tokens, {steps} steps")
    with bar(console) as progress, (plan.out / "log.jsonl").open("a") as log:
        task = progress.add_task("", total=steps, completed=first, shown="")
        for step in range(first, steps):
            began, batch = time.monotonic(), queue[step * plan.workers + rank]
            loss = step_of(network, batch, optimisers, factor((step + 1) / steps))
            speed = batch.ids.numel() / (time.monotonic() - began)
            progress.update(task, advance=1, shown=f"loss {loss:.3f}, {speed:.0f} tokens/s")
            if rank:
                continue
            print(json.dumps({"step": step, "loss": round(loss, 4)}), file=log, flush=True)
            if (step + 1) % CHECKPOINT == 0 or step + 1 == steps:
                checkpoint.keep(plan, network, optimisers, step + 1)


def begun(plan: Plan, size: int) -> LlamaForCausalLM:
    """Return the network to train, fresh or from the plan's folder, with `size` tokens."""
    shape = replace(plan.shape, vocabulary=size)
    network = net.build(shape, vocabulary.END_ID, vocabulary.PAD_ID)
    if plan.begin:
        network.load_state_dict(checkpoint.trained(plan.begin).state_dict())
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def bar(console: Console) -> Progress:
    """Return a bar with the steps, the time left, the loss and the speed."""
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[shown]}"),
        console=console,
    )


def main() -> None:
    """Run from the command line."""
    plan = parse(__doc__)
    plan.out.mkdir(parents=True, exist_ok=True)
    prepared.write(plan)
    if plan.workers == 1:
        work(0, plan)
        return
    (plan.out / RENDEZVOUS).unlink(missing_ok=True)
    torch.multiprocessing.spawn(join, (plan, os.getpid()), plan.workers)


if __name__ == "__main__":
    main()
