"""How training goes, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.trainer.training_run import TrainingRun, TrainingState

_ended = Counter("batos_trainer_runs", "Runs by how they ended.", ("state",))
_state = Gauge("batos_trainer_run_state", "1 for the state of the run under way.", ("state",))
_step = Gauge("batos_trainer_step", "Steps that the run under way has made.")
_max_steps = Gauge("batos_trainer_max_steps", "Steps that it is to make.")
_loss = Gauge("batos_trainer_loss", "Its training loss.")
_speed = Gauge("batos_trainer_tokens_per_second", "Its speed.")
_memory = Gauge("batos_trainer_device_memory_bytes", "The most of the GPU that it held; 0 on a CPU")

for _each in TrainingState:
    if _each.ended:
        _ended.labels(_each.name.lower())
    else:
        _state.labels(_each.name.lower())


def saved(run: TrainingRun) -> None:
    """Takes note of a run as it now stands."""
    for each in TrainingState:
        if not each.ended:
            _state.labels(each.name.lower()).set(each is run.state)
    if run.state.ended:
        _ended.labels(run.state.name.lower()).inc()
    if run.progress:
        _step.set(run.progress.step)
        _max_steps.set(run.progress.max_steps)
        _loss.set(run.progress.loss)
        _speed.set(run.progress.tokens_per_second)
        _memory.set(run.progress.device_memory_bytes)
