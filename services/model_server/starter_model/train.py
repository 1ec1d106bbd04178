"""Train the starter model from scratch: corpus, vocabulary, network; resumable."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from services.model_server.starter_model import network as net
from services.model_server.starter_model import primer, vocabulary
from services.model_server.starter_model.batch import Batch, batches
from services.model_server.starter_model.corpus.row import rows

VOCABULARY_ROWS = 12000
CHECKPOINT = 100  # steps


@dataclass(frozen=True)
class Plan:
    """What is trained, on how much, and where it is kept."""

    out: Path
    rows: int
    batch_tokens: int
    seed: int
    threads: int
    decay: float
    peak: float
    primer: int


def parse() -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for checkpoints and the model"
    )
    parser.add_argument(
        "--rows", type=int, default=100_000, help="rows of the corpus, each seen once"
    )
    parser.add_argument("--batch-tokens", type=int, default=8192, help="tokens in one step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    parser.add_argument(
        "--decay", type=float, default=0.5, help="share of the run with a falling rate"
    )
    parser.add_argument("--peak", type=float, default=1.0, help="share of the full rates")
    parser.add_argument("--primer", type=int, default=250, help="batches of the primer")
    return Plan(**vars(parser.parse_args()))


def texts(seed: int, count: int) -> list[str]:
    """Return the text of the corpus from which the vocabulary is learnt."""
    return [message["content"] for row in rows(seed, count) for message in row.messages]


def prepare(plan: Plan) -> tuple[Tokenizer, list[Batch]]:
    """Learn or load the vocabulary, then write the corpus as batches in their order."""
    if not (plan.out / "tokenizer.json").exists():
        learnt = vocabulary.train(texts(plan.seed + 1, min(VOCABULARY_ROWS, plan.rows)))
        vocabulary.save(learnt, plan.out)
    tokenizer = Tokenizer.from_file(str(plan.out / "tokenizer.json"))
    encoded = [vocabulary.encode(tokenizer, row.messages) for row in rows(plan.seed, plan.rows)]
    queue = list(batches(encoded, plan.batch_tokens, Random(plan.seed)))
    return tokenizer, primer.interleave(queue, plan.primer, tokenizer.get_vocab_size(), plan.seed)


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


def step_of(
    network: LlamaForCausalLM, batch: Batch, optimisers: list[torch.optim.Optimizer], factor: float
) -> float:
    """Take one step at a share of the full rates; return the loss."""
    device = next(network.parameters()).device
    batch = Batch(batch.ids.to(device), batch.weights.to(device))
    with torch.autocast(device.type, dtype=torch.bfloat16):
        loss = net.loss_of(network, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    for optimiser, rate in zip(optimisers, (net.MUON_RATE, net.ADAM_RATE), strict=True):
        optimiser.param_groups[0]["lr"] = rate * factor
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return float(loss.item())


def run(plan: Plan, console: Console) -> None:
    """Train to the end of the corpus, keeping checkpoints."""
    torch.manual_seed(plan.seed)
    tokenizer, queue = prepare(plan)
    shape = net.Shape(vocabulary=tokenizer.get_vocab_size())
    network = net.build(shape, vocabulary.END_ID, vocabulary.PAD_ID).to(
        "cuda" if torch.cuda.is_available() else "cpu"
    )
    optimisers = net.optimisers(network)
    first = resume(plan, network, optimisers)
    factor = net.schedule(0.02, plan.decay, plan.peak)
    total = sum(int((batch.weights > 0).sum()) for batch in queue)
    console.print(
        f"{network.num_parameters()} parameters, {total} tokens, {len(queue)} steps, from {first}"
    )
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[shown]}"),
    )
    with Progress(*columns, console=console) as progress, (plan.out / "log.jsonl").open("a") as log:
        task = progress.add_task("", total=len(queue), completed=first, shown="")
        for step in range(first, len(queue)):
            began = time.monotonic()
            loss = step_of(network, queue[step], optimisers, factor((step + 1) / len(queue)))
            speed = queue[step].ids.numel() / (time.monotonic() - began)
            progress.update(task, advance=1, shown=f"loss {loss:.3f}, {speed:.0f} tokens/s")
            log.write(
                json.dumps({"step": step, "loss": round(loss, 4), "speed": round(speed)}) + "\n"
            )
            log.flush()
            if (step + 1) % CHECKPOINT == 0 or step + 1 == len(queue):
                keep(plan, network, optimisers, step + 1)


def main() -> None:
    """Run from the command line."""
    plan = parse()
    plan.out.mkdir(parents=True, exist_ok=True)
    if plan.threads:
        torch.set_num_threads(plan.threads)
    run(plan, Console())


if __name__ == "__main__":
    main()
