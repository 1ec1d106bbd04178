"""Where the services are and how to speak to them, by arguments or by variables."""

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from batos.client.errors import FailedPrecondition


class Service(Enum):
    """The services that an owner speaks to; the value is the variable with the address."""

    SUPERVISOR = "BATOS_SUPERVISOR_ADDRESS"
    MEMORY = "BATOS_MEMORY_ADDRESS"
    TOOLFORGE = "BATOS_TOOLFORGE_ADDRESS"
    TRAINER = "BATOS_TRAINER_ADDRESS"

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return self.name.capitalize() if self is not Service.TOOLFORGE else "ToolForge"


def _of_variable(service: Service, otherwise: str) -> Callable[[], str]:
    return lambda: os.environ.get(service.value) or otherwise


def _tls_dir() -> Path | None:
    value = os.environ.get("BATOS_TLS_DIR")
    return Path(value) if value else None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Addresses are `host:port`; what is not given comes from the variable, else the default.

    `tls_dir` (BATOS_TLS_DIR) holds an operator's identity.pem and authority.pem; without it calls
    are plaintext, to loopback only unless `plaintext_beyond_loopback`. `deadline` is the seconds
    that each call may take, in the place of each method's own. `patience` is about how many
    seconds a service that does not answer is tried again, 0 for once only.
    """

    supervisor: str = field(default_factory=_of_variable(Service.SUPERVISOR, "127.0.0.1:50055"))
    memory: str = field(default_factory=_of_variable(Service.MEMORY, "127.0.0.1:50051"))
    toolforge: str = field(default_factory=_of_variable(Service.TOOLFORGE, "127.0.0.1:50053"))
    trainer: str = field(default_factory=_of_variable(Service.TRAINER, "127.0.0.1:50054"))
    tls_dir: Path | None = field(default_factory=_tls_dir)
    deadline: float | None = None
    patience: float = 5.0
    plaintext_beyond_loopback: bool = False

    def address_of(self, service: Service) -> str:
        """Where a service is; FailedPrecondition (TLS_NEEDED) where plaintext may not go there."""
        address: str = getattr(self, service.name.lower())
        if not (self.tls_dir or self.plaintext_beyond_loopback or _is_local(address)):
            raise FailedPrecondition(
                f"{address} is beyond this machine and there is no TLS: set BATOS_TLS_DIR to a "
                "folder that `python -m deploy.identity issue` has made for an operator",
                reason="TLS_NEEDED",
            )
        return address


def _is_local(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
