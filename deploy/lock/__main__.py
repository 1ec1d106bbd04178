"""Writes constraints.txt and deploy/locks anew: `python -m deploy.lock`, which is `make lock`."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock import constraints, lockfile
from deploy.lock.builds import builds
from deploy.lock.closure import TORCH, Closure, closure, torch_cuda, without_torch
from deploy.lock.environment import ENVIRONMENTS, Environment
from deploy.lock.index import files
from deploy.lock.lockfile import Pin
from deploy.lock.resolution import LockError, Package, resolve
from deploy.lock.wanted import Wanted, wanted

# What other Pythons and processors need turns up round by round; two were enough so far.
_ROUNDS = 5
_CONNECTIONS = 8

# It needs the index's torch, and names it itself.
_GPU = "gpu"
_TORCH_CUDA = "torch-cuda"


def main() -> None:
    """Writes all of them, and says what has to be built from source."""
    begun = time.monotonic()
    try:
        pins = _write()
    except (LockError, OSError) as error:
        raise SystemExit(f"lock: {error}") from None
    for pin in pins:
        if missing := ", ".join(map(str, pin.unserved())):
            print(f"lock: {pin.name} {pin.version} is built from source on Python {missing}")
    print(f"lock: {len(pins)} packages in {time.monotonic() - begun:.0f} s")


def _write() -> list[Pin]:
    """Every package once, as the index has it."""
    every = wanted()
    packages = _resolved([line for each in every.values() for line in each.requirements])
    whole = {name: _part(each, packages, name == _GPU) for name, each in every.items()}
    followed = {name for name, part in whole.items() if TORCH in part.needed} - {_GPU}
    parts = {
        _TORCH_CUDA: torch_cuda(packages),
        **{name: without_torch(part) if name in followed else part for name, part in whole.items()},
    }
    served = _served_all(packages, parts.values())
    locks = {name: _pins(part, served) for name, part in parts.items()} | builds(packages)
    beside = ",".join((*(name for name in locks if name not in parts), _TORCH_CUDA))
    lockfile.write_all(locks, dict.fromkeys(followed, beside))
    constraints.write({name: pin.version for name, pin in served.items()})
    return list(served.values())


def _resolved(asked: list[Requirement]) -> dict[str, Package]:
    """Until nothing is missing on any machine that a lock is good for."""
    for _ in range(_ROUNDS):
        packages = resolve(asked, constraints.CONSTRAINTS)
        missing = closure(asked, packages, cuda=True).missing
        if not missing:
            return packages
        asked = [*asked, *missing]
    raise LockError(f"no end of what is missing: {', '.join(map(str, missing))}")


def _part(each: Wanted, packages: Mapping[str, Package], cuda: bool) -> Closure:
    if not each.alone:
        return closure(each.requirements, packages, cuda=cuda)
    names = (canonicalize_name(line.name) for line in each.requirements)
    return Closure({name: frozenset(ENVIRONMENTS) for name in names}, ())


def _served_all(packages: Mapping[str, Package], parts: Iterable[Closure]) -> dict[str, Pin]:
    """Every package once, with the machines of all parts."""
    needed: dict[str, frozenset[Environment]] = {}
    for part in parts:
        for name, environments in part.needed.items():
            needed[name] = needed.get(name, frozenset()) | environments
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        pins = list(pool.map(lambda name: _served(packages[name], needed[name]), sorted(needed)))
    return {pin.name: pin for pin in pins}


def _served(package: Package, needed: frozenset[Environment]) -> Pin:
    """With the wheels that some machine takes, and the source where one has none."""
    every = files(package.name, package.version)
    wheels = [file for file in every if any(map(file.runs_on, ENVIRONMENTS))]
    pin = Pin(package.name, package.version, tuple(wheels), needed)
    if pin.unserved():
        sources = (file for file in every if file.is_source)
        pin = replace(pin, files=(*wheels, *sources))
    if not pin.files:
        raise LockError(f"the index has nothing for Linux of {package.name} {package.version}")
    return pin


def _pins(part: Closure, served: Mapping[str, Pin]) -> list[Pin]:
    return [
        replace(served[name], environments=environments)
        for name, environments in part.needed.items()
    ]


if __name__ == "__main__":
    main()
