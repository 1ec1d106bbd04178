"""Model names: `[host/][namespace/]model[:tag]`, with Ollama's defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.model_server.errors import BadRequestError

_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_HOST_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


@dataclass(frozen=True)
class ModelName:
    """A valid name; `str()` leaves out the defaults, but always shows the tag."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """BadRequestError where a part is empty, too long or has other characters."""
        path, _, model = text.rpartition("/")
        model, colon, tag = model.partition(":")
        host, _, namespace = path.rpartition("/")
        name = cls(host or _HOST, namespace or _NAMESPACE, model, tag if colon else _TAG)
        name._check(text)
        return name

    def _check(self, text: str) -> None:
        parts = (self.namespace, self.model, self.tag)
        if not _HOST_PART.fullmatch(self.host) or not all(map(_PART.fullmatch, parts)):
            raise BadRequestError(f'invalid model name: "{text[:200]}"')

    def __str__(self) -> str:
        short = f"{self.model}:{self.tag}"
        if self.host != _HOST:
            return f"{self.host}/{self.namespace}/{short}"
        return short if self.namespace == _NAMESPACE else f"{self.namespace}/{short}"

    def path(self) -> PurePosixPath:
        """Where the name's manifest lies, relative to the directory of manifests."""
        return PurePosixPath(self.host, self.namespace, self.model, f"{self.tag}.json")

    @classmethod
    def of_path(cls, path: PurePosixPath) -> ModelName:
        """The name whose manifest lies at a path that `path()` gave."""
        host, namespace, model, file = path.parts
        return cls(host, namespace, model, file.removesuffix(".json"))
