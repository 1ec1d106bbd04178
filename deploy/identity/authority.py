"""A certificate authority of one machine's own: makes its root once, and identities under it.

Names and lifetimes after SPIFFE X.509-SVID (one URI name per certificate) and RFC 5280.
"""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.identity import AUTHORITY_FILE, IDENTITY_FILE, URI_PREFIX

ROOT_LIFETIME = timedelta(days=3650)
# Clocks of two containers are never quite the same.
_CLOCK_SLACK = timedelta(minutes=5)
_KEY_FILE = "authority-key.pem"


@dataclass(frozen=True)
class Authority:
    """The root's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def opened(cls, directory: Path) -> "Authority":
        """The authority in a directory; made where there is none."""
        certificate, key = directory / AUTHORITY_FILE, directory / _KEY_FILE
        if not (certificate.exists() and key.exists()):
            made = cls._made()
            write(key, pem_of_key(made.key))
            write(certificate, pem_of(made.certificate))
            return made
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key} holds no elliptic-curve key")
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)

    @classmethod
    def _made(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("BAT OS authority")
        certificate = (
            _builder(name, name, key.public_key(), ROOT_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def issue(self, name: str, lifetime: timedelta) -> bytes:
        """The PEM of a fresh key and its certificate, for server and client alike."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _builder(_name(name), self.certificate.subject, key.public_key(), lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_alternative_names(name), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem_of_key(key) + pem_of(certificate)


def place(authority: Authority, directory: Path, name: str, lifetime: timedelta) -> None:
    """Writes the identity of `name` and the authority that it trusts into a directory."""
    # The authority first: whoever sees the new identity must already find what vouches for it.
    write(directory / AUTHORITY_FILE, pem_of(authority.certificate))
    write(directory / IDENTITY_FILE, authority.issue(name, lifetime))


def renewal_of(directory: Path, authority: Authority) -> datetime:
    """When the identity in a directory is to be renewed: after two thirds of its life.

    Long ago where there is none, or where another authority issued it.
    """
    long_ago = datetime.fromtimestamp(0, UTC)
    try:
        pem = (directory / IDENTITY_FILE).read_bytes()
        certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # whatever is wrong with it, a new one is the answer
        return long_ago
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * 2 / 3


def write(path: Path, content: bytes) -> None:
    """Replaces a file in one step; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def pem_of(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as unencrypted PKCS 8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - min(_CLOCK_SLACK, lifetime))
        .not_valid_after(now + lifetime)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(name: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(f"{URI_PREFIX}{name}"),
            # All replicas of a service answer to its one name; published ports to the loopback's.
            x509.DNSName(name),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
