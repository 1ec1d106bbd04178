"""The Trainer among real neighbours, with a tiny model of random weights as the base."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import ollama
import pytest
import pytest_asyncio
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from deploy.local import LocalStack
from shared.channel import open_channel
from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama

CORRECTION = "Bats fly at night."
PERSONA = "ROBIN"
SOMAS = 12  # a quarter of them is held out


def request_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See make_tiny_base."""
    return make_tiny_base(tmp_path_factory.mktemp("tiny-base"))


def make_tiny_base(root: Path) -> Path:
    """A directory with base/ (Hugging Face's layout), weights/starter.gguf and bases.toml."""
    root.mkdir(exist_ok=True)
    make_tiny_llama(root / "base", initializer_range=0.05, hidden_size=64)
    (root / "weights").mkdir()
    export_gguf(root / "base", root / "weights" / "starter.gguf")
    (root / "bases.toml").write_text(
        '[bases.starter]\ndirectory = "base"\ntag = "starter"\n[bases.starter.hyperparameters]\n'
        "max_steps = 60\nlearning_rate = 0.02\nlora_rank = 8\nlora_alpha = 16\nbatch_size = 8\n"
        "max_length = 400\nwarmup_steps = 2\ncheckpoint_steps = 5\n"
    )
    return root


class Neighbourhood:
    """Running services and stubs to speak with them."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self._channels = {
            name: open_channel(stack.addresses[name]) for name in ("trainer", "supervisor")
        }
        self.trainer = trainer_pb2_grpc.TrainerServiceStub(self._channels["trainer"])
        self.supervisor = supervisor_pb2_grpc.SupervisorServiceStub(self._channels["supervisor"])

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def correct_somas(self, count: int) -> None:
        """Conversations whose answers a person corrected, all to the same words."""
        for number in range(count):
            async for said in self.supervisor.Converse(
                supervisor_pb2.ConverseRequest(
                    request_id=request_id(), persona=PERSONA, text=f"What do bats do? {number}"
                )
            ):
                last = said
            await self.supervisor.CorrectSoma(
                supervisor_pb2.CorrectSomaRequest(
                    request_id=request_id(),
                    soma=last.finished.soma,
                    turn_number=1,
                    text=CORRECTION,
                )
            )

    async def start(self, **fields: object) -> trainer_pb2.TrainingRun:
        request = trainer_pb2.StartTrainingRunRequest(
            **{"request_id": request_id(), "persona": PERSONA, **fields}
        )
        return (await self.trainer.StartTrainingRun(request)).training_run

    async def events(self, name: str) -> AsyncIterator[trainer_pb2.TrainingEvent]:
        """Every event from the first on, over restarts of the Trainer."""
        request = trainer_pb2.WatchTrainingRunRequest(name=name)
        # A channel whose peer was killed may wait out its backoff although the peer is back.
        async for response in self.trainer.WatchTrainingRun(request, wait_for_ready=True):
            yield response.event

    async def until(self, name: str, state: str, message: str = "", step: int = 0) -> None:
        """Returns once the run had an event of this state, with these words and at this step."""
        wanted = trainer_pb2.TrainingState.Value(f"TRAINING_STATE_{state}")
        seen = []
        async for event in self.events(name):
            seen.append(event)
            there = event.state == wanted and event.progress.step >= step
            if there and message in event.message:
                return
        raise AssertionError(f"{state} never came: {seen[-3:]}")

    async def end(self, name: str) -> trainer_pb2.TrainingRun:
        """The run once it has ended."""
        async for _ in self.events(name):
            pass
        request = trainer_pb2.GetTrainingRunRequest(name=name)
        return (await self.trainer.GetTrainingRun(request)).training_run

    async def model_tags(self) -> list[str | None]:
        """What the model backend lists."""
        client = ollama.AsyncClient(f"http://{self.stack.addresses['model-server']}")
        return [model.model for model in (await client.list()).models]

    async def wait_until_gone(self, tag: str) -> None:
        """A run's model is cleared up just after the run's end is announced."""
        for _ in range(100):
            if tag not in await self.model_tags():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{tag} is still there")

    async def persona(self) -> supervisor_pb2.GetPersonaResponse:
        return await self.supervisor.GetPersona(supervisor_pb2.GetPersonaRequest(name=PERSONA))


def settings_for(base: Path) -> dict[str, str]:
    return {
        "BATOS_MODEL_SERVER_PRELOAD_DIR": str(base / "weights"),
        "BATOS_TRAINER_BASES": str(base / "bases.toml"),
        "BATOS_TRAINER_LEASE_TTL_SECONDS": "6",
        "BATOS_TRAINER_PEER_WAIT_SECONDS": "3",
        "BATOS_TRAINER_ANSWER_TOKENS": "24",
        "BATOS_SUPERVISOR_ANSWER_TOKENS": "8",
        "OMP_NUM_THREADS": "1",  # so small a model only loses by sharing its work
        "BATOS_TRAINER_MINIMUM_HELDOUT": "3",
        "BATOS_SUPERVISOR_MINIMUM_HELDOUT": "3",
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbourhood(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Neighbourhood]:
    """One set of services for a whole module, in which ROBIN has corrected Somas."""
    stack = LocalStack(
        tmp_path_factory.mktemp("trainer"),
        services=("model-server", "supervisor", "trainer"),
        settings=settings_for(tiny_base),
    )
    async with stack:
        running = Neighbourhood(stack)
        await running.correct_somas(SOMAS)
        yield running
        await running.close()


def figures_of(run: trainer_pb2.TrainingRun) -> str:
    return json.dumps({"failure": run.failure, "figures": str(run.figures)})
