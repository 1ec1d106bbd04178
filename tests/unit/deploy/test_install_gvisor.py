"""The installer against a real HTTP server with packages made here."""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy import install_gvisor
from deploy.install_gvisor import InstallError, Package

SCRIPT = b"#!/bin/sh\necho runsc version 0.0~20990101.0\n"


def deb(binary: bytes) -> bytes:
    """A .deb as dpkg-deb makes it, reduced to what is read."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo("./usr/bin/runsc")
        member.size = len(binary)
        archive.addfile(member, io.BytesIO(binary))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        "data.tar.xz": lzma.compress(tar.getvalue()),
    }
    data = b"!<arch>\n"
    for name, content in members.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        data += content + b"\n" * (len(content) % 2)
    return data


@dataclass
class Mirror:
    """An HTTP server; `faults` are answered first, one per request."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            content = state.files.get(self.path)
            status = state.faults.pop(0) if state.faults else (200 if content else 404)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if content and status == 200:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The test's output is not its log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    state.address = f"http://127.0.0.1:{server.server_port}/debian"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def package(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package on the mirror, and a machine that has no gVisor yet."""
    data = deb(SCRIPT)
    mirror.files["/debian/pool/runsc.deb"] = data
    made = Package("pool/runsc.deb", len(data), hashlib.sha256(data).hexdigest())
    monkeypatch.setenv("BATOS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(install_gvisor, "_packages", lambda: (made,))
    monkeypatch.setattr(install_gvisor, "mirrors", lambda: iter([mirror.address]))
    monkeypatch.setattr(install_gvisor, "find_on_path", lambda: None)
    monkeypatch.setattr(install_gvisor.time, "sleep", lambda _: None)
    return made


def test_it_installs_once(package: Package, mirror: Mirror, tmp_path: Path) -> None:
    path = install_gvisor.install()
    assert path == tmp_path / "cache/gvisor/runsc"
    assert path.read_bytes() == SCRIPT
    assert install_gvisor.version_of(path) == 20990101
    assert install_gvisor.install() == path
    assert len(mirror.asked) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["runsc"]


def test_a_broken_cache_is_replaced(package: Package, tmp_path: Path) -> None:
    broken = tmp_path / "cache/gvisor/runsc"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half a file")
    broken.chmod(0o755)
    assert install_gvisor.install().read_bytes() == SCRIPT


def test_a_recent_one_on_the_path_is_kept(
    package: Package, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "runsc"
    own.write_bytes(SCRIPT)
    own.chmod(0o755)
    monkeypatch.setattr(install_gvisor, "find_on_path", lambda: own)
    assert install_gvisor.install() == own
    own.write_text("#!/bin/sh\necho runsc version release-20220905.0\n")
    assert install_gvisor.install() != own
    assert len(mirror.asked) == 1


def test_another_content_is_never_installed(
    package: Package, mirror: Mirror, tmp_path: Path
) -> None:
    data = bytearray(mirror.files["/debian/pool/runsc.deb"])
    data[-1] ^= 1
    mirror.files["/debian/pool/runsc.deb"] = bytes(data)
    with pytest.raises(InstallError, match="SHA-256"):
        install_gvisor.install()
    assert not (tmp_path / "cache").exists()


def test_more_bytes_than_recorded_are_not_read(package: Package, mirror: Mirror) -> None:
    mirror.files["/debian/pool/runsc.deb"] += b"x" * 100
    with pytest.raises(InstallError, match="SHA-256"):
        install_gvisor.install()


def test_passing_faults_are_survived(package: Package, mirror: Mirror) -> None:
    mirror.faults = [503, 500]
    assert install_gvisor.install().read_bytes() == SCRIPT
    assert len(mirror.asked) == 3


def test_failure_says_what_to_do(package: Package, mirror: Mirror) -> None:
    del mirror.files["/debian/pool/runsc.deb"]
    with pytest.raises(InstallError) as raised:
        install_gvisor.install()
    assert mirror.address in str(raised.value)
    assert "404" in str(raised.value)
    assert "put it on PATH" in " ".join(str(raised.value).split())
    assert len(mirror.asked) == 1


def test_the_cache_must_be_writable(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BATOS_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(InstallError, match="BATOS_CACHE_DIR"):
        install_gvisor.install()


def test_the_machines_own_mirrors_come_first(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "# a comment\ndeb http://mirror.example/debian bookworm main\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(
        "Types: deb\nURIs: https://second.example/debian/\nSuites: bookworm\n"
    )
    (tmp_path / "sources.list.d/off.sources.disabled").write_text("URIs: http://off.example/debian")
    assert list(install_gvisor.mirrors(tmp_path)) == [
        "http://mirror.example/debian",
        "https://second.example/debian",
        "http://deb.debian.org/debian",
    ]


def test_every_recorded_package_has_a_whole_hash() -> None:
    recorded = [package for packages in install_gvisor.PACKAGES.values() for package in packages]
    assert recorded
    for each in recorded:
        assert len(bytes.fromhex(each.sha256)) == 32
        assert each.path.endswith(".deb")
        assert each.size > 1 << 20
