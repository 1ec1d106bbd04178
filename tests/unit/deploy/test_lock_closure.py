"""What ends up in a lock, on which machines, and in which words."""

from packaging.requirements import Requirement
from packaging.version import Version

from deploy.lock.closure import closure, torch_cuda, without_torch
from deploy.lock.environment import ENVIRONMENTS
from deploy.lock.index import File
from deploy.lock.lockfile import Pin, versions, write_all
from deploy.lock.resolution import Package

ARM = [e for e in ENVIRONMENTS if e.machine == "aarch64"]


def packages(**requires: list[str]) -> dict[str, Package]:
    return {
        name.replace("_", "-"): Package(
            name.replace("_", "-"), "1.0", tuple(Requirement(line) for line in lines)
        )
        for name, lines in requires.items()
    }


def test_extras_are_followed_and_only_those_that_are_asked_for():
    known = packages(a=["b[fast]", 'x; extra == "other"'], b=['c; extra == "fast"'], c=[], x=[])
    assert set(closure([Requirement("a")], known, cuda=True).needed) == {"a", "b", "c"}


def test_a_ring_ends():
    known = packages(a=["b"], b=["a"])
    assert set(closure([Requirement("a")], known, cuda=True).needed) == {"a", "b"}


def test_what_one_machine_alone_needs_is_marked_for_it(tmp_path):
    known = packages(
        a=['b; platform_machine == "aarch64"', 'c; python_version < "3.13"'], b=[], c=[]
    )
    needed = closure([Requirement("a")], known, cuda=True).needed
    assert needed["b"] == set(ARM)
    wheel = (File("x-1.0-py3-none-any.whl", "0" * 64),)
    write_all({"it": [Pin(n, "1.0", wheel, e) for n, e in needed.items()]}, {}, tmp_path)
    text = (tmp_path / "it.txt").read_text()
    assert 'b==1.0 ; platform_machine == "aarch64" \\\n' in text
    assert 'c==1.0 ; (python_version == "3.11" or python_version == "3.12") \\\n' in text
    assert versions("it", tmp_path) == {"a": "1.0", "b": "1.0", "c": "1.0"}


def test_a_marker_holds_on_the_machines_that_it_was_made_for_and_no_other():
    few = frozenset(ENVIRONMENTS[:3])
    line = Pin("b", "1.0", (), few).text().splitlines()[1].removesuffix(" \\")
    marker = Requirement(line).marker
    assert marker is not None
    assert {e for e in ENVIRONMENTS if marker.evaluate(e.markers())} == few


def test_what_is_missing_is_told():
    known = packages(a=["b", 'c; python_version == "3.13"'], b=[])
    missing = closure([Requirement("a")], known, cuda=True).missing
    assert [line.name for line in missing] == ["c"]


def test_nvidia_s_libraries_are_torch_s_alone():
    known = packages(
        a=["torch"], torch=["sympy", "nvidia-x"], sympy=[], nvidia_x=["nvidia-y"], nvidia_y=[]
    )
    part = without_torch(closure([Requirement("a")], known, cuda=False))
    assert set(part.needed) == {"a", "sympy"}
    assert set(torch_cuda(known).needed) == {"torch", "nvidia-x", "nvidia-y"}


def test_a_source_is_named_where_no_wheel_runs():
    wheel = File("x-1.0-cp39-abi3-manylinux_2_28_x86_64.whl", "0" * 64)
    source = File("x-1.0.tar.gz", "1" * 64)
    pin = Pin("x", str(Version("1.0")), (wheel, source))
    assert pin.unserved() == sorted(ARM)
    assert pin.text().startswith("# Built from source on Python 3.11 aarch64, 3.12 aarch64")
