"""The kinds of guests: which packages they have, what they import ahead, their limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.sandbox_executor.job import Limits
from services.sandbox_executor.oci_bundle import GuestBounds
from services.sandbox_executor.pool import PoolBounds
from services.sandbox_executor.protobuf_limits import Bounds
from services.sandbox_executor.servicer import DEFAULT_PROFILE
from services.sandbox_executor.settings import SandboxSettings

DATA = "data"


@dataclass(frozen=True)
class Profile:
    """One kind of guest. `packages` is a folder of installed packages, None for none."""

    packages: Path | None
    modules: tuple[str, ...]
    pool: PoolBounds
    runs: Bounds


def profiles(settings: SandboxSettings) -> Mapping[str, Profile]:
    """All profiles by name, the default first; `data` only where its packages are installed."""
    found = {
        DEFAULT_PROFILE: Profile(
            packages=None,
            modules=tuple(settings.preload),
            pool=PoolBounds(settings.pool_size, settings.max_booting),
            runs=_bounds(settings, settings.memory_bytes),
        )
    }
    packages = settings.cache_dir.resolve() / "sandbox-packages" / DATA
    if packages.is_dir():
        found[DATA] = Profile(
            packages=packages,
            modules=(*settings.preload, *settings.data_preload),
            pool=PoolBounds(settings.data_pool_size, settings.max_booting),
            runs=_bounds(settings, settings.data_memory_bytes),
        )
    return found


def guest_bounds(settings: SandboxSettings) -> GuestBounds:
    """What holds in every guest from its boot on."""
    return GuestBounds(
        processes=settings.max_processes,
        open_files=settings.max_open_files,
        scratch_bytes=settings.scratch_bytes,
        file_bytes=settings.file_bytes,
        cpu_seconds=int(max(settings.max_wall_seconds, settings.session_seconds)) + 10,
        memory_bytes=settings.max_memory_bytes,
    )


def _bounds(settings: SandboxSettings, memory_bytes: int) -> Bounds:
    most = Limits(
        wall_seconds=settings.max_wall_seconds,
        cpu_seconds=settings.max_wall_seconds,
        memory_bytes=settings.max_memory_bytes,
        processes=settings.max_processes,
        output_bytes=settings.max_output_bytes,
        open_files=settings.max_open_files,
        file_bytes=settings.file_bytes,
    )
    default = replace(
        most,
        wall_seconds=settings.wall_seconds,
        cpu_seconds=settings.cpu_seconds,
        memory_bytes=memory_bytes,
        processes=settings.processes,
        output_bytes=settings.output_bytes,
        open_files=settings.open_files,
    )
    return Bounds(default, most)
