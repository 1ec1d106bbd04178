"""What lies in the layers of images, also what a later layer hides, and what must not."""

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from typing import IO

_SMALL = 1 << 20

# Each begins with what is rare in itself, which makes a search a hundred times faster.
CONTENTS = tuple(
    (reason, re.compile(pattern))
    for reason, pattern in (
        ("private key", rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
        ("GitHub token", rb"ghp_[A-Za-z0-9]{36}\b"),
        ("GitHub token", rb"github_pat_[A-Za-z0-9_]{60,}\b"),
        ("GitLab token", rb"glpat-[A-Za-z0-9_-]{20}\b"),
        ("PyPI token", rb"pypi-AgE[A-Za-z0-9_-]{60,}"),
        ("AWS key", rb"AKIA[A-Z0-9]{16}\b"),
        ("Slack token", rb"xox[abp]-[0-9]{10,}-[A-Za-z0-9-]{20,}"),
        ("Hugging Face token", rb"hf_[A-Za-z0-9]{34}\b"),
    )
)
NAMES = (
    ("environment file", r"(^|/)\.env(\.[^/]+)?$"),
    ("git repository", r"(^|/)\.git(/|$)"),
    ("identity", r"(^|/)(identity|authority)\.pem$"),
    ("SSH key", r"(^|/)id_(rsa|dsa|ecdsa|ed25519)$"),
    ("credentials", r"(^|/)(\.netrc|\.pypirc|\.npmrc|\.docker/config\.json|\.aws/credentials)$"),
    ("pip's cache", r"(^|/)\.cache/pip/"),
)
_CREDENTIALS = re.compile(rb"://[^/\s:@\"']+:[^/\s@\"']+@")
_CONFIGURATION = re.compile(
    r"(^|/)(pip\.conf|pip\.ini|uv\.toml|[^/]+\.(list|sources)|installed\.json)$"
)


def findings(*images: str) -> tuple[list[str], int]:
    """What must not be there, as "reason: path", and how many files were read."""
    process = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
    found, files = [], 0
    assert process.stdout is not None
    with process.stdout as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for path, content in _files(archive):
            files += 1
            found += [f"{reason}: {path}" for reason in _reasons(path, content)]
    assert process.wait(60) == 0
    return found, files


def _files(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Of all layers, and the images' configurations, which have variables and the history."""
    for member in archive:
        file = archive.extractfile(member) if member.isfile() else None
        if file is None:
            continue
        if member.size > _SMALL:
            yield from _layer(file)
            continue
        content = file.read()
        if _is_json(content):
            yield f"{member.name} (configuration)", content
        elif not member.name.endswith(("VERSION", "repositories")):
            yield from _layer(io.BytesIO(content))


def _layer(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Compressed or not; folders have a name and no content."""
    with tarfile.open(fileobj=file, mode="r|*") as layer:
        for member in layer:
            content = layer.extractfile(member) if member.isfile() else None
            yield member.name, content.read() if content else b""


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _reasons(path: str, content: bytes) -> Iterator[str]:
    for reason, pattern in NAMES:
        if re.search(pattern, path):
            yield reason
    for reason, found in CONTENTS:
        if found.search(content):
            yield reason
    configuration = path.endswith(" (configuration)") or _CONFIGURATION.search(path)
    if configuration and _CREDENTIALS.search(content):
        yield "address with a password"
