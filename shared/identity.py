"""Who a process is to others: its certificate, its key, and the authority that it trusts.

A directory holds them as two PEM files, `identity.pem` (private key and certificate together, so
that a renewal replaces both in one rename) and `authority.pem`. Identities are URI names after
SPIFFE (spiffe.io/docs/latest/spiffe-specs): spiffe://batos/<name>.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import grpc

from shared.errors import FailedPrecondition

IDENTITY_FILE = "identity.pem"
AUTHORITY_FILE = "authority.pem"
URI_PREFIX = "spiffe://batos/"

_KEY = re.compile(
    rb"-----BEGIN (?:\w+ )?PRIVATE KEY-----.+?-----END (?:\w+ )?PRIVATE KEY-----\n?", re.S
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.S)


@dataclass(frozen=True)
class Identity:
    """PEM bytes: the private key, the certificate chain, the authorities."""

    key: bytes
    certificate: bytes
    authority: bytes

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """What a client shows, and what it asks of the server."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        """What a server shows, and what it asks of its callers."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], root_certificates=self.authority
        )


class IdentityDirectory:
    """The files, read anew when they have changed.

    FailedPrecondition (IDENTITY_UNREADABLE) where they are not there or hold no identity at the
    first reading; later a fault leaves the identity that was read before.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stamp = self._stamped()
        self.identity = self._read()
        self._shown = self.identity

    def refresh(self) -> bool:
        """Looks whether the files have changed; true where there is a new identity."""
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return False
            self.identity, self._stamp = self._read(), stamp
        except FailedPrecondition:
            return False
        return True

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials that follow the files, and take no caller without a certificate."""
        return grpc.dynamic_ssl_server_credentials(
            self.identity.server_configuration(),
            self._newer,  # type: ignore[arg-type]  # None is documented, and not in the stubs
            require_client_authentication=True,
        )

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC at each handshake, in a thread of its own; None for "as before"."""
        self.refresh()
        if self.identity is self._shown:
            return None
        self._shown = self.identity
        return self._shown.server_configuration()

    def _stamped(self) -> tuple[int, ...]:
        try:
            stats = [(self._directory / name).stat() for name in (IDENTITY_FILE, AUTHORITY_FILE)]
        except OSError as error:
            raise self._fault(str(error)) from error
        return tuple(number for stat in stats for number in (stat.st_mtime_ns, stat.st_ino))

    def _read(self) -> Identity:
        try:
            own = (self._directory / IDENTITY_FILE).read_bytes()
            authority = (self._directory / AUTHORITY_FILE).read_bytes()
        except OSError as error:
            raise self._fault(str(error)) from error
        key, chain = _KEY.search(own), _CERTIFICATE.findall(own)
        if not key or not chain or not _CERTIFICATE.search(authority):
            raise self._fault(f"{IDENTITY_FILE} or {AUTHORITY_FILE} holds no key or certificate")
        return Identity(key[0], b"".join(chain), authority)

    def _fault(self, what: str) -> FailedPrecondition:
        return FailedPrecondition(
            f"no identity in {self._directory}: {what}; make one with: "
            "python -m deploy.identity issue",
            reason="IDENTITY_UNREADABLE",
        )
