"""Who may call what: the one table. A method that is not in it may be called by nobody.

The names are those in the callers' certificates. `operator` is the owner of the machine with his
own programs: the command line, the demo, whatever he writes.
"""

from collections.abc import Mapping

_OPERATOR = frozenset({"operator"})
_TRAINER = frozenset({"trainer"})
_GATEWAY = frozenset({"gateway"})

_SUPERVISOR = frozenset({"supervisor"})

_METHODS: Mapping[str, frozenset[str]] = {
    # A Living Image is made of all parts or of none, so nobody else touches one of them.
    "/batos.image.v1.ImagePartService/Freeze": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Thaw": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Export": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Import": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Switch": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/GetPart": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Discard": _SUPERVISOR,
    "/batos.image.v1.ImagePartService/Retain": _SUPERVISOR,
    "/batos.memory.v1.MemoryService/CreateSummary": _OPERATOR,
    "/batos.memory.v1.MemoryService/CreateEpisodes": _OPERATOR | {"supervisor", "toolforge"},
    "/batos.memory.v1.MemoryService/Search": _OPERATOR | {"supervisor", "toolforge"},
    "/batos.memory.v1.MemoryService/Forget": _OPERATOR | {"toolforge"},
    "/batos.memory.v1.MemoryService/Get": _OPERATOR,
    "/batos.memory.v1.MemoryService/List": _OPERATOR,
    "/batos.memory.v1.MemoryService/Update": _OPERATOR,
    "/batos.memory.v1.MemoryService/Consolidate": _OPERATOR | {"supervisor"},
    "/batos.memory.v1.MemoryService/Optimize": _OPERATOR,
    "/batos.memory.v1.MemoryService/Reembed": _OPERATOR,
    "/batos.memory.v1.MemoryService/GetStats": _OPERATOR,
    "/batos.sandbox.v1.SandboxService/Execute": _OPERATOR | {"toolforge", "trainer"},
    "/batos.sandbox.v1.SandboxService/ExecuteStream": _OPERATOR,
    "/batos.sandbox.v1.SandboxService/Session": _OPERATOR,
    "/batos.sandbox.v1.SandboxService/GetCapacity": _OPERATOR | {"toolforge"},
    "/batos.toolforge.v1.ToolForgeService/StartForge": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/GetForge": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/ListForges": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/WatchForge": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/CancelForge": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/RegisterTool": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/GetTool": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/ListTools": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/ListToolVersions": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/SearchTools": _OPERATOR | {"supervisor"},
    "/batos.toolforge.v1.ToolForgeService/InvokeTool": _OPERATOR | {"supervisor"},
    "/batos.toolforge.v1.ToolForgeService/RollBackTool": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/RetireTool": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/ReinstateTool": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/WatchTools": _OPERATOR,
    "/batos.toolforge.v1.ToolForgeService/ExportTrajectories": _OPERATOR | _TRAINER,
    "/batos.trainer.v1.TrainerService/BuildDataset": _OPERATOR,
    "/batos.trainer.v1.TrainerService/ImportExamples": _OPERATOR,
    "/batos.trainer.v1.TrainerService/StartTrainingRun": _OPERATOR | _SUPERVISOR,
    "/batos.trainer.v1.TrainerService/GetTrainingRun": _OPERATOR,
    "/batos.trainer.v1.TrainerService/ListTrainingRuns": _OPERATOR,
    "/batos.trainer.v1.TrainerService/WatchTrainingRun": _OPERATOR,
    "/batos.trainer.v1.TrainerService/CancelTrainingRun": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/Converse": _OPERATOR | _GATEWAY,
    "/batos.supervisor.v1.SupervisorService/RateSoma": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/CorrectSoma": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/CloseSoma": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/GetSoma": _OPERATOR | _TRAINER,
    "/batos.supervisor.v1.SupervisorService/ListSomas": _OPERATOR | _TRAINER,
    "/batos.supervisor.v1.SupervisorService/SearchSomas": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/ExportSomas": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/ImportSoma": _OPERATOR | _GATEWAY,
    "/batos.supervisor.v1.SupervisorService/ListPersonas": _OPERATOR | _GATEWAY,
    "/batos.supervisor.v1.SupervisorService/GetPersona": _OPERATOR
    | _TRAINER
    | {"toolforge", "gateway"},
    # The lease and the swap are the Trainer's alone: a pointer moves by figures, not by hand.
    "/batos.supervisor.v1.SupervisorService/AcquireGpuLease": _TRAINER,
    "/batos.supervisor.v1.SupervisorService/RenewGpuLease": _TRAINER,
    "/batos.supervisor.v1.SupervisorService/ReleaseGpuLease": _TRAINER,
    "/batos.supervisor.v1.SupervisorService/ReportModelSwap": _TRAINER,
    "/batos.supervisor.v1.SupervisorService/RollBackPersona": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/WatchEvents": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/SaveImage": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/LoadImage": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/ListImages": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/VerifyImage": _OPERATOR,
    "/batos.supervisor.v1.SupervisorService/DeleteImage": _OPERATOR,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _OPERATOR,
}

# Balancers and probes ask; whoever has a certificate of ours may know whether a service serves.
_FOR_ALL = "/grpc.health.v1.Health/"


def is_allowed(caller: str, method: str) -> bool:
    """True where `caller` may call `method`, as "/package.Service/Method"."""
    return caller in _METHODS.get(method, ()) or (bool(caller) and method.startswith(_FOR_ALL))


def callers_of(method: str) -> frozenset[str]:
    """Everyone who may call a method of the table; empty where it is not in it."""
    return _METHODS.get(method, frozenset())
