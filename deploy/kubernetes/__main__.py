"""Prints what the manifests refer to and cannot hold, for `kubectl apply`: identities and Codex.

    python -m deploy.kubernetes --identities DIR [--codex FILE] | kubectl apply --server-side -f -

DIR is a root of `python -m deploy.identity`. Of each service its own identity becomes a Secret; the
authority's key and the owner's identity stay where they are.
"""

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

from deploy.local.topology import ALL_SERVICES, ROOT
from services.supervisor import codex
from shared.errors import BatosError
from shared.identity import AUTHORITY_FILE, IDENTITY_FILE, IdentityDirectory

NAMESPACE = "batos"
SERVICES = tuple(kind.name for kind in ALL_SERVICES.values() if not kind.http)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.kubernetes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--identities", type=Path, required=True, help="directory of all of them")
    parser.add_argument(
        "--codex",
        type=Path,
        default=ROOT / "deploy" / "codex.ollama.toml",
        help="the personas [deploy/codex.ollama.toml]",
    )
    return parser.parse_args()


def secret(name: str, directory: Path) -> dict[str, Any]:
    """The Secret of one service; FailedPrecondition where the directory holds no identity."""
    IdentityDirectory(directory)
    files = {file: (directory / file).read_bytes() for file in (IDENTITY_FILE, AUTHORITY_FILE)}
    return {
        **_head("Secret", f"{name}-identity"),
        "type": "Opaque",
        "data": {file: base64.b64encode(content).decode() for file, content in files.items()},
    }


def codex_map(file: Path) -> dict[str, Any]:
    """The Codex as a ConfigMap; a BatosError where the Supervisor would refuse it."""
    codex.read(file)
    return {**_head("ConfigMap", "codex"), "data": {"codex.toml": file.read_text("utf-8")}}


def _head(kind: str, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "batos"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def main() -> int:
    """Prints a List."""
    options = arguments()
    try:
        items = [secret(name, options.identities / name) for name in SERVICES]
        items.append(codex_map(options.codex))
    except (OSError, BatosError) as error:
        sys.stderr.write(f"kubernetes: {error}\n")
        return 1
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
