"""Which processes there are, and how each learns where the others are: data, no behaviour."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ServiceKind:
    """One service: its module, the prefix of its settings and the variable naming its address.

    `health_path` is what one that speaks HTTP answers with 200 while it serves; `identified` says
    whether it has a certificate.
    """

    name: str
    module: str
    prefix: str
    address_variable: str
    http: bool = False
    health_path: str = "/api/version"
    identified: bool = True


ALL_SERVICES: Mapping[str, ServiceKind] = {
    kind.name: kind
    for kind in (
        ServiceKind(
            "model-server",
            "services.model_server",
            "BATOS_MODEL_SERVER_",
            "OLLAMA_HOST",
            http=True,
            identified=False,
        ),
        ServiceKind("memory", "services.memory", "BATOS_MEMORY_", "BATOS_MEMORY_ADDRESS"),
        ServiceKind(
            "sandbox-executor",
            "services.sandbox_executor",
            "BATOS_SANDBOX_",
            "BATOS_SANDBOX_ADDRESS",
        ),
        ServiceKind(
            "supervisor", "services.supervisor", "BATOS_SUPERVISOR_", "BATOS_SUPERVISOR_ADDRESS"
        ),
        ServiceKind(
            "toolforge", "services.toolforge", "BATOS_TOOLFORGE_", "BATOS_TOOLFORGE_ADDRESS"
        ),
        ServiceKind("trainer", "services.trainer", "BATOS_TRAINER_", "BATOS_TRAINER_ADDRESS"),
    )
}

# What people's own programs speak to: started where it is asked for by name.
EDGE_SERVICES: Mapping[str, ServiceKind] = {
    "gateway": ServiceKind(
        "gateway",
        "services.gateway",
        "BATOS_GATEWAY_",
        "BATOS_GATEWAY_URL",
        http=True,
        health_path="/healthz",
    ),
}


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def environments(
    kinds: Sequence[ServiceKind],
    addresses: Mapping[str, str],
    data_dir: Path,
    identities: Path | None = None,
) -> dict[str, dict[str, str]]:
    """The variables of each service, by name; all of them know all addresses.

    With a root of `deploy.identity` each service that has an identity gets its own in it.
    """
    known = {
        kind.address_variable: f"http://{addresses[name]}" if kind.http else addresses[name]
        for name, kind in ALL_SERVICES.items()
        if name in addresses
    }
    return {
        kind.name: known
        | {
            f"{kind.prefix}LISTEN": addresses[kind.name],
            f"{kind.prefix}DATA_DIR": str(data_dir / kind.name),
            f"{kind.prefix}LOG_FORMAT": "json",
        }
        | (_identity(identities, kind) if identities and kind.identified else {})
        for kind in kinds
    }


def _identity(identities: Path, kind: ServiceKind) -> dict[str, str]:
    return {"BATOS_TLS_DIR": str(identities / kind.name)}
