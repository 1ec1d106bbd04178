"""One good request of each method, whose fields the tests then spoil one after another.

Where a good one would begin costly work, it is good in all but one thing that is looked at last.
"""

import uuid
from collections.abc import Callable, Mapping

from batos.memory.v1 import memory_pb2 as memory
from batos.sandbox.v1 import sandbox_pb2 as sandbox
from batos.supervisor.v1 import supervisor_pb2 as supervisor
from batos.toolforge.v1 import toolforge_pb2 as toolforge
from batos.trainer.v1 import trainer_pb2 as trainer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

TOOL = "double"
NOWHERE = "00000000000000000000000000000000"
NOW = Timestamp(seconds=1_790_000_000)
SOURCE = f'def {TOOL}(n: int) -> int:\n    """Return twice n."""\n    return 2 * n\n'


def fresh() -> str:
    return str(uuid.uuid4())


def spec(name: str = TOOL) -> toolforge.Spec:
    example = toolforge.Example(arguments_json='{"n": 2}', result_json="4")
    return toolforge.Spec(name=name, description="Return twice n.", examples=[example])


def episode() -> memory.NewEpisode:
    return memory.NewEpisode(
        soma="somas/a",
        speaker="user",
        text="A bat flies at night.",
        created_at=NOW,
        importance=0.5,
        metadata={"kind": "fact"},
    )


def execution() -> sandbox.ExecuteRequest:
    return sandbox.ExecuteRequest(
        source=SOURCE,
        calls=[sandbox.FunctionCall(function=TOOL, arguments_json='{"n": 2}')],
        stdin=b"x",
        arguments=["a"],
        limits=sandbox.Limits(
            wall=Duration(seconds=2),
            cpu=Duration(seconds=2),
            memory_limit_bytes=128 << 20,
            process_limit=8,
            output_limit_bytes=1000,
            open_file_limit=16,
            file_size_limit_bytes=4096,
        ),
        files=[sandbox.File(path="folder/file", content=b"x")],
        environment={"MODE": "test"},
        collect=["folder/*"],
        profile="python",
    )


def figures() -> supervisor.EvaluationFigures:
    return supervisor.EvaluationFigures(
        heldout_incumbent=[0.0] * 10,
        heldout_candidate=[1.0] * 10,
        regression_incumbent=[1.0],
        regression_candidate=[1.0],
        template_parity=True,
    )


def training() -> trainer.StartTrainingRunRequest:
    return trainer.StartTrainingRunRequest(
        request_id=fresh(),
        persona="ROBIN",
        dataset="datasets/0123456789abcdef",  # there is none: nothing is trained
        engine="trl",
        hyperparameters=trainer.Hyperparameters(
            max_steps=1,
            learning_rate=1e-3,
            lora_rank=1,
            lora_alpha=1,
            batch_size=1,
            rehearsal_share=0.1,
            seed=1,
        ),
    )


def soma(persona: str = "ROBIN") -> supervisor.Soma:
    turn = supervisor.Turn(
        number=1,
        user_text="Hello.",
        assistant_text="Good day.",
        system_text="You are ROBIN.",
        model=supervisor.ModelPointer(tag="starter", digest="d", generation=1),
        rating=supervisor.RATING_GOOD,
        created_at=NOW,
        first_token=Duration(seconds=1),
        wall=Duration(seconds=2),
    )
    name = f"somas/{fresh().replace('-', '')}"
    return supervisor.Soma(name=name, persona=persona, created_at=NOW, turns=[turn])


def _named(collection: str) -> str:
    return f"{collection}/{NOWHERE}"


MEMORY: Mapping[str, Callable[[], Message]] = {
    "CreateSummary": lambda: memory.CreateSummaryRequest(
        request_id=fresh(), namespace="tests", soma="somas/a", text="Bats.", created_at=NOW
    ),
    "CreateEpisodes": lambda: memory.CreateEpisodesRequest(
        request_id=fresh(), namespace="tests", episodes=[episode()]
    ),
    "Search": lambda: memory.SearchRequest(
        namespace="tests", query="bats", limit=5, somas=["somas/a"], excluded_somas=["somas/b"]
    ),
    "Forget": lambda: memory.ForgetRequest(
        request_id=fresh(), namespace="tests", soma="somas/nobody"
    ),
    "Get": lambda: memory.GetRequest(namespace="tests", id=NOWHERE),
    "List": lambda: memory.ListRequest(
        namespace="tests",
        filter=memory.RecordFilter(
            level=memory.LEVEL_EPISODE,
            somas=["somas/a"],
            created_from=Timestamp(seconds=1),
            created_before=NOW,
            speakers=["user"],
            metadata={"kind": "fact"},
        ),
        page_size=5,
        page_token=f"7.{NOWHERE}",
    ),
    "Update": lambda: memory.UpdateRequest(
        request_id=fresh(),
        namespace="tests",
        id=NOWHERE,
        text="Bats sleep by day.",
        importance=0.7,
        metadata={"kind": "fact"},
        update_mask=FieldMask(paths=["text", "importance", "metadata"]),
    ),
    "Consolidate": lambda: memory.ConsolidateRequest(
        request_id=fresh(), namespace="tests", soma="somas/a", text="Of bats."
    ),
    "Optimize": memory.OptimizeRequest,
    "Reembed": lambda: memory.ReembedRequest(embedder="wordllama-256"),  # which it has
    "GetStats": lambda: memory.GetStatsRequest(namespace="tests", page_size=5, page_token="a"),
}

SANDBOX: Mapping[str, Callable[[], Message]] = {
    "Execute": execution,
    "ExecuteStream": lambda: sandbox.ExecuteStreamRequest(run=execution()),
    "Session": lambda: sandbox.SessionRequest(
        open=sandbox.SessionOpen(
            profile="python",
            limits=execution().limits,
            environment={"MODE": "test"},
            files=execution().files,
            idle_ttl=Duration(seconds=5),
        )
    ),
    "GetCapacity": sandbox.GetCapacityRequest,
}

TOOLFORGE: Mapping[str, Callable[[], Message]] = {
    "StartForge": lambda: toolforge.StartForgeRequest(
        request_id=fresh(), spec=spec("forged"), persona="BRICK", attempt_limit=1
    ),
    "GetForge": lambda: toolforge.GetForgeRequest(name=_named("forges")),
    "ListForges": lambda: toolforge.ListForgesRequest(page_size=5, page_token=NOWHERE),
    "WatchForge": lambda: toolforge.WatchForgeRequest(name=_named("forges"), after_sequence=1),
    "CancelForge": lambda: toolforge.CancelForgeRequest(request_id=fresh(), name=_named("forges")),
    "RegisterTool": lambda: toolforge.RegisterToolRequest(
        request_id=fresh(), spec=spec(), source=SOURCE
    ),
    "GetTool": lambda: toolforge.GetToolRequest(name=f"tools/{TOOL}"),
    "ListTools": lambda: toolforge.ListToolsRequest(page_size=5, page_token="a"),
    "SearchTools": lambda: toolforge.SearchToolsRequest(query="twice", limit=3),
    "InvokeTool": lambda: toolforge.InvokeToolRequest(
        request_id=fresh(), name=f"tools/{TOOL}", arguments_json='{"n": 3}'
    ),
    "ListToolVersions": lambda: toolforge.ListToolVersionsRequest(
        name=f"tools/{TOOL}", page_size=5, page_token="1"
    ),
    "RollBackTool": lambda: toolforge.RollBackToolRequest(
        request_id=fresh(), name=_named("tools"), version="0" * 64
    ),
    "RetireTool": lambda: toolforge.RetireToolRequest(
        request_id=fresh(), name=_named("tools"), reason="A better one is there."
    ),
    "ReinstateTool": lambda: toolforge.ReinstateToolRequest(
        request_id=fresh(), name=_named("tools")
    ),
    "WatchTools": lambda: toolforge.WatchToolsRequest(after_sequence=1),
    "ExportTrajectories": lambda: toolforge.ExportTrajectoriesRequest(include_failed=True),
}

TRAINER: Mapping[str, Callable[[], Message]] = {
    "ImportExamples": lambda: trainer.ImportExamplesRequest(
        request_id=fresh(),
        persona="BABS",
        shape=trainer.EXAMPLE_SHAPE_ALPACA,
        rows=['{"instruction": "Greet.", "input": "", "output": "Good day."}'],
    ),
    "BuildDataset": lambda: trainer.BuildDatasetRequest(request_id=fresh(), persona="ROBIN"),
    "StartTrainingRun": training,
    "GetTrainingRun": lambda: trainer.GetTrainingRunRequest(name=_named("trainingRuns")),
    "ListTrainingRuns": lambda: trainer.ListTrainingRunsRequest(page_size=5, page_token=NOWHERE),
    "WatchTrainingRun": lambda: trainer.WatchTrainingRunRequest(
        name=_named("trainingRuns"), after_sequence=1
    ),
    "CancelTrainingRun": lambda: trainer.CancelTrainingRunRequest(
        request_id=fresh(), name=_named("trainingRuns")
    ),
}

SUPERVISOR: Mapping[str, Callable[[], Message]] = {
    "Converse": lambda: supervisor.ConverseRequest(
        request_id=fresh(), persona="ROBIN", text="Hello."
    ),
    "RateSoma": lambda: supervisor.RateSomaRequest(
        request_id=fresh(), soma=_named("somas"), turn_number=1, rating=supervisor.RATING_GOOD
    ),
    "CorrectSoma": lambda: supervisor.CorrectSomaRequest(
        request_id=fresh(), soma=_named("somas"), turn_number=1, text="Better."
    ),
    "CloseSoma": lambda: supervisor.CloseSomaRequest(request_id=fresh(), soma=_named("somas")),
    "GetSoma": lambda: supervisor.GetSomaRequest(name=_named("somas"), page_size=5, page_token="1"),
    "ListSomas": lambda: supervisor.ListSomasRequest(persona="ROBIN", page_size=5),
    "ListPersonas": lambda: supervisor.ListPersonasRequest(page_size=5, page_token="A"),
    "GetPersona": lambda: supervisor.GetPersonaRequest(name="ROBIN"),
    "AcquireGpuLease": lambda: supervisor.AcquireGpuLeaseRequest(
        request_id=fresh(),
        holder="tests/1",
        ttl=Duration(seconds=5),
        expected_duration=Duration(seconds=5),
    ),
    "RenewGpuLease": lambda: supervisor.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=1),
    "ReleaseGpuLease": lambda: supervisor.ReleaseGpuLeaseRequest(
        request_id=fresh(), fencing_token=1
    ),
    "ReportModelSwap": lambda: supervisor.ReportModelSwapRequest(
        request_id=fresh(),
        fencing_token=1,
        persona="ROBIN",
        model_tag="robin:run-1",
        model_digest="sha256:" + "0" * 64,
        training_run=_named("trainingRuns"),
        figures=figures(),
    ),
    "RollBackPersona": lambda: supervisor.RollBackPersonaRequest(
        request_id=fresh(), persona="ROBIN"
    ),
    "WatchEvents": lambda: supervisor.WatchEventsRequest(after_sequence=1),
    "SearchSomas": lambda: supervisor.SearchSomasRequest(query="hello", persona="ROBIN", limit=3),
    "ExportSomas": lambda: supervisor.ExportSomasRequest(persona="ROBIN"),
    # Of nobody in the Codex: what is taken would be learnt from, and reach Memory some time later.
    "ImportSoma": lambda: supervisor.ImportSomaRequest(request_id=fresh(), soma=soma("JOKER")),
    "SaveImage": lambda: supervisor.SaveImageRequest(request_id=fresh(), note="of a test"),
    "LoadImage": lambda: supervisor.LoadImageRequest(
        request_id=fresh(), name=_named("images"), discard_current=True
    ),
    "ListImages": lambda: supervisor.ListImagesRequest(page_size=5, page_token=NOWHERE),
    "VerifyImage": lambda: supervisor.VerifyImageRequest(name=_named("images")),
    "DeleteImage": lambda: supervisor.DeleteImageRequest(request_id=fresh(), name=_named("images")),
}

VALID: Mapping[str, Mapping[str, Callable[[], Message]]] = {
    "memory": MEMORY,
    "sandbox-executor": SANDBOX,
    "toolforge": TOOLFORGE,
    "trainer": TRAINER,
    "supervisor": SUPERVISOR,
}
