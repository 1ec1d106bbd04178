"""How long a caller waits for each method, in seconds. The one table of deadlines."""

DEFAULT_SECONDS = 30.0

# Watches end when their subject does, or never; health and reflection are gRPC's own.
_ENDLESS = frozenset(
    {
        "/batos.toolforge.v1.ToolForgeService/WatchForge",
        "/batos.toolforge.v1.ToolForgeService/WatchTools",
        "/batos.trainer.v1.TrainerService/WatchTrainingRun",
        "/batos.supervisor.v1.SupervisorService/WatchEvents",
    }
)
_ENDLESS_SERVICES = ("/grpc.health.v1.", "/grpc.reflection.")

_SECONDS = {
    # A turn may wait for the whole queue before it.
    "/batos.supervisor.v1.SupervisorService/Converse": 300.0,
    # Draining waits for turns in flight; swapping loads a model.
    "/batos.supervisor.v1.SupervisorService/AcquireGpuLease": 180.0,
    "/batos.supervisor.v1.SupervisorService/ReportModelSwap": 180.0,
    # Images hold models: gigabytes, read and written.
    "/batos.supervisor.v1.SupervisorService/SaveImage": 3600.0,
    "/batos.supervisor.v1.SupervisorService/LoadImage": 3600.0,
    "/batos.supervisor.v1.SupervisorService/VerifyImage": 600.0,
    "/batos.supervisor.v1.SupervisorService/ExportSomas": 600.0,
    "/batos.image.v1.ImagePartService/Export": 3600.0,
    "/batos.image.v1.ImagePartService/Import": 3600.0,
    # Upkeep of a large table may have to end before writes can be held.
    "/batos.image.v1.ImagePartService/Freeze": 600.0,
    "/batos.memory.v1.MemoryService/CreateEpisodes": 600.0,
    # A day: a million records through a model on a GPU.
    "/batos.memory.v1.MemoryService/Reembed": 86_400.0,
    # Training a vector index over a million rows takes minutes.
    "/batos.memory.v1.MemoryService/Optimize": 3600.0,
    "/batos.toolforge.v1.ToolForgeService/ExportTrajectories": 300.0,
    "/batos.trainer.v1.TrainerService/BuildDataset": 300.0,
    # The sandbox's own wall limit is at most 60 s, and a run may queue before it.
    "/batos.sandbox.v1.SandboxService/Execute": 120.0,
    "/batos.sandbox.v1.SandboxService/ExecuteStream": 120.0,
    # The longest that a session may live, and some.
    "/batos.sandbox.v1.SandboxService/Session": 3900.0,
    "/batos.toolforge.v1.ToolForgeService/InvokeTool": 150.0,
    # Assertions take a run of the sandbox for each call that cannot be foreseen.
    "/batos.toolforge.v1.ToolForgeService/RegisterTool": 300.0,
    "/batos.toolforge.v1.ToolForgeService/ReinstateTool": 150.0,
}


def has_no_deadline(method: str) -> bool:
    """True for the few methods, as "/package.Service/Method", that run without end."""
    return method in _ENDLESS or method.startswith(_ENDLESS_SERVICES)


def seconds_for(method: str) -> float | None:
    """The deadline that a caller sets where it says nothing else; None for endless methods."""
    return None if has_no_deadline(method) else _SECONDS.get(method, DEFAULT_SECONDS)
