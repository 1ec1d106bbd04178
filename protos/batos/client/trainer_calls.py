"""What is asked of the Trainer."""

from batos.client import methods
from batos.client.calls import Call, Pages, Watch, request_id
from batos.trainer.v1 import trainer_pb2 as pb


def train(
    persona: str, engine: str, hyperparameters: pb.Hyperparameters | None
) -> Call[pb.TrainingRun]:
    """A new run on all that the persona has to learn from."""
    request = pb.StartTrainingRunRequest(
        request_id=request_id(), persona=persona, engine=engine, hyperparameters=hyperparameters
    )
    return Call(methods.START_TRAINING_RUN, request, lambda response: response.training_run)


def runs() -> Pages[pb.TrainingRun]:
    """Newest first."""
    return Pages(
        methods.LIST_TRAINING_RUNS,
        pb.ListTrainingRunsRequest(),
        lambda response: response.training_runs,
    )


def watch(run: str) -> Watch[pb.TrainingEvent, pb.TrainingRun]:
    """All events of a run until it has ended."""
    end = Call(
        methods.GET_TRAINING_RUN,
        pb.GetTrainingRunRequest(name=run),
        lambda response: response.training_run,
    )
    request = pb.WatchTrainingRunRequest(name=run)
    return Watch(methods.WATCH_TRAINING_RUN, request, lambda response: response.event, end)
