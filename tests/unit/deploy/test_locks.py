"""The locks cover what pyproject.toml asks for, and agree with it and with what is installed."""

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock.constraints import CONSTRAINTS
from deploy.lock.lockfile import LOCKS, versions
from deploy.lock.wanted import PYPROJECT, wanted

TORCH = ("torch-cpu", "torch-cuda")
NAMES = sorted(wanted())
HINT = "run: make lock"


def pins(lock: str) -> dict[str, str]:
    """With the index's torch, where the lock leaves the choice."""
    chosen = versions("torch-cuda") if follows(lock) else {}
    return chosen | versions(lock)


def follows(lock: str) -> bool:
    return f"# Followed by one of: {','.join(TORCH)}\n" in (LOCKS / f"{lock}.txt").read_text()


def disagreements(requirements, locked: dict[str, str]) -> list[str]:
    """Requirements that a lock does not meet."""
    return [
        str(line)
        for line in requirements
        if not line.specifier.contains(locked.get(canonicalize_name(line.name), "0.dev0"))
        and (line.marker is None or line.marker.evaluate())
    ]


def needed(requirements) -> set[str]:
    """What they need in the end on this machine, as the installed packages say."""
    found, queue = set(), list(requirements)
    while queue:
        line = queue.pop()
        for extra in ("", *line.extras):
            if (line.name, extra) not in found:
                found.add((line.name, extra))
                queue += [need for need in needs_of(line.name) if applies(need, extra)]
    return {canonicalize_name(name) for name, _ in found}


def needs_of(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return []


def applies(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return extra == ""
    return requirement.marker.evaluate({"extra": extra})


def test_there_is_one_for_every_extra_and_group_and_no_other():
    assert {path.stem for path in LOCKS.glob("*.txt")} == {*NAMES, *TORCH}, HINT


@pytest.mark.parametrize("lock", NAMES)
def test_a_lock_meets_what_pyproject_asks_for(lock):
    assert disagreements(wanted()[lock].requirements, pins(lock)) == [], HINT


@pytest.mark.parametrize("lock", sorted({*NAMES} - {"gpu", "signatures"}))
def test_a_lock_names_all_that_its_packages_need_in_turn(lock):
    assert needed(wanted()[lock].requirements) - set(pins(lock)) == set(), HINT


@pytest.mark.parametrize("lock", sorted({*NAMES} - {"gpu", "signatures"}))
def test_a_lock_names_nothing_that_nobody_needs(lock):
    unmarked = set(re.findall(r"^([a-z0-9-]+)==\S+ \\$", (LOCKS / f"{lock}.txt").read_text(), re.M))
    assert unmarked - needed(wanted()[lock].requirements) == set(), HINT


@pytest.mark.parametrize("lock", [*NAMES, *TORCH])
def test_every_pin_has_hashes_and_the_version_in_constraints(lock):
    chosen = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", CONSTRAINTS.read_text(), re.M))
    text = (LOCKS / f"{lock}.txt").read_text()
    for block in re.split(r"\n(?=[a-z])", text)[1:]:
        pin, *hashes = [line for line in block.rstrip().splitlines() if not line.startswith("#")]
        name, version = re.match(r"([a-z0-9-]+)==([^\s;]+)", pin).groups()
        assert version.removesuffix("+cpu") == chosen[name], HINT
        assert hashes
        for line in hashes:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)


def test_what_is_installed_here_is_what_the_lock_says():
    lines = re.findall(r"^([a-z0-9-]+==.+) \\$", (LOCKS / "dev.txt").read_text(), re.M)
    locked = [line for line in map(Requirement, lines) if applies(line, "")]
    there = {canonicalize_name(each.name): each.version for each in metadata.distributions()}
    wrong = [str(line) for line in locked if str(line.specifier) != f"=={there.get(line.name)}"]
    assert wrong == [], "run: make setup"


def test_one_package_is_built_from_source_and_only_on_arm():
    built = {
        match
        for path in LOCKS.glob("*.txt")
        for match in re.findall(
            r"# Built from source on (.+): .+\n([a-z0-9-]+)==", path.read_text()
        )
    }
    assert {name for _, name in built} == {"wordllama"}
    assert "x86_64" not in "".join(machines for machines, _ in built)


def test_a_requirement_that_was_added_since_is_noticed(tmp_path):
    changed = tmp_path / "pyproject.toml"
    text = PYPROJECT.read_text().replace("memory = [\n", 'memory = [\n  "colorama>=0.4",\n')
    changed.write_text(text.replace('"PyStemmer==3.1.0"', '"PyStemmer==3.2.0"'))
    asked = wanted(changed)["memory"].requirements
    assert disagreements(asked, pins("memory")) == ["colorama>=0.4", "PyStemmer==3.2.0"]
