"""The files of a release and their hashes, as the package index that pip uses tells them."""

import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from dataclasses import dataclass
from functools import cache
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from deploy.lock.environment import Environment

_JSON = "application/vnd.pypi.simple.v1+json"
_SECONDS = 60


@dataclass(frozen=True, order=True)
class File:
    """One file of a release."""

    file: str
    sha256: str

    def runs_on(self, environment: Environment) -> bool:
        """Whether it is a wheel for that machine."""
        if self.is_source:
            return False
        return not environment.tags().isdisjoint(parse_wheel_filename(self.file)[3])

    @property
    def is_source(self) -> bool:
        """Whether it has to be built."""
        return not self.file.endswith(".whl")


@cache
def index_url() -> str:
    """The one that pip is configured with, else pip's own."""
    if named := os.environ.get("PIP_INDEX_URL"):
        return named.rstrip("/")
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if configured:
        return configured.rstrip("/")
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url).rstrip("/")


def files(name: str, version: str) -> list[File]:
    """All wheels and sources of a release, by name. Raises OSError where the index is silent."""
    page = _page(f"{index_url()}/{canonicalize_name(name)}/")
    found = (File(file["filename"], file["hashes"].get("sha256", "")) for file in page["files"])
    return sorted(file for file in found if file.sha256 and _is(file, Version(version)))


def _is(file: File, version: Version) -> bool:
    try:
        parsed = parse_sdist_filename if file.is_source else parse_wheel_filename
        return parsed(file.file)[1] == version
    except (InvalidWheelFilename, InvalidSdistFilename):
        return False


def _page(address: str) -> dict[str, Any]:
    """An index's page of a project (PEP 691)."""
    parts = urllib.parse.urlsplit(address)
    headers = {"Accept": _JSON}
    if parts.username is not None:
        secret = (
            f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        )
        headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(bare, headers=headers)
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as response:
        page: dict[str, Any] = json.load(response)
    return page
