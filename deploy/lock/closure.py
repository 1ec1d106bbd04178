"""What a set of requirements needs in the end, and on which machines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock.environment import ENVIRONMENTS, Environment
from deploy.lock.resolution import Package

TORCH = "torch"

# The index's torch computes on NVIDIA's GPUs and asks for their libraries, gigabytes of them; other
# builds of its version do not. So torch and they have locks of their own, one of which follows.
_CUDA = ("nvidia-", "cuda-", "triton")


@dataclass(frozen=True)
class Closure:
    """Names with the environments that need them, and requirements that no package met."""

    needed: Mapping[str, frozenset[Environment]]
    missing: tuple[Requirement, ...]


def closure(
    roots: Iterable[Requirement], packages: Mapping[str, Package], *, cuda: bool
) -> Closure:
    """Walks the metadata once per environment; without `cuda` as if torch were for the CPU."""
    needed: dict[str, set[Environment]] = {}
    missing: dict[str, Requirement] = {}
    roots = tuple(roots)
    for environment in ENVIRONMENTS:
        for name, requirement in _walk(roots, packages, environment, cuda).items():
            if name in packages:
                needed.setdefault(name, set()).add(environment)
            else:
                missing[name] = requirement
    return Closure({k: frozenset(v) for k, v in needed.items()}, tuple(missing.values()))


def without_torch(part: Closure) -> Closure:
    """The same less torch itself; what all its builds need stays."""
    return Closure({k: v for k, v in part.needed.items() if k != TORCH}, part.missing)


def torch_cuda(packages: Mapping[str, Package]) -> Closure:
    """The index's torch, and what it needs that a build for the CPU does not."""
    torch = [Requirement(TORCH)]
    whole = closure(torch, packages, cuda=True)
    rest = without_torch(closure(torch, packages, cuda=False)).needed
    return Closure({k: v for k, v in whole.needed.items() if k not in rest}, whole.missing)


def _walk(
    roots: tuple[Requirement, ...],
    packages: Mapping[str, Package],
    environment: Environment,
    cuda: bool,
) -> dict[str, Requirement]:
    found: dict[str, Requirement] = {}
    seen: set[tuple[str, str]] = set()
    queue = [root for root in roots if _applies(root, environment, "")]
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        found.setdefault(name, requirement)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen and name in packages:
                seen.add((name, extra))
                needs = (n for n in packages[name].requires if _applies(n, environment, extra))
                queue += [n for n in needs if cuda or not _for_gpu(name, n)]
    return found


def _applies(requirement: Requirement, environment: Environment, extra: str) -> bool:
    if requirement.marker is None:
        return extra == ""
    return requirement.marker.evaluate(environment.markers() | {"extra": extra})


def _for_gpu(package: str, requirement: Requirement) -> bool:
    return package == TORCH and canonicalize_name(requirement.name).startswith(_CUDA)
