"""An operator's identity: `identity.pem` (key and certificate together) and `authority.pem`."""

import re
from pathlib import Path

import grpc
from batos.client.errors import FailedPrecondition

_NAMES = ("identity.pem", "authority.pem")
_KEY = re.compile(
    rb"-----BEGIN (?:\w+ )?PRIVATE KEY-----.+?-----END (?:\w+ )?PRIVATE KEY-----\n?", re.S
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.S)

Stamp = tuple[int, ...]


def stamp_of(directory: Path) -> Stamp:
    """Differs once the files were renewed; FailedPrecondition where they are not there."""
    try:
        stats = [(directory / name).stat() for name in _NAMES]
    except OSError as error:
        raise _fault(directory, str(error)) from error
    return tuple(number for stat in stats for number in (stat.st_mtime_ns, stat.st_ino))


def credentials_of(directory: Path) -> grpc.ChannelCredentials:
    """What is shown to services and asked of them; FailedPrecondition where it cannot be read."""
    try:
        own, authority = ((directory / name).read_bytes() for name in _NAMES)
    except OSError as error:
        raise _fault(directory, str(error)) from error
    key, chain = _KEY.search(own), _CERTIFICATE.findall(own)
    if not key or not chain or not _CERTIFICATE.search(authority):
        raise _fault(directory, "the files hold no key or certificate")
    return grpc.ssl_channel_credentials(authority, key[0], b"".join(chain))


def _fault(directory: Path, what: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"no identity in {directory}: {what}; make one with: python -m deploy.identity issue",
        reason="IDENTITY_UNREADABLE",
    )
