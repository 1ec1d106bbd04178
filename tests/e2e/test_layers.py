"""No layer of any image holds a secret, not even one that a later layer hides."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.compose import IMAGES, Compose, docker
from tests.e2e.layers import findings

PLANTED = "batos-e2e-planted"
KEY = generate_private_key(SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)

# Published by others and good for nothing: the keys with which Debian's GnuTLS tests itself, and
# the token of a test account in the tests' tools of transformers.
PUBLIC = (
    r"private key: \./usr/lib/[a-z0-9_]+-linux-gnu/libgnutls\.so\.[0-9.]+",
    r"Hugging Face token: .+/transformers/(__pycache__/)?testing_utils\.(py|cpython-\d+\.pyc)",
)


@pytest.mark.timeout(300)
def test_no_image_holds_a_secret_in_any_layer(compose: Compose, figures):
    found, files = findings(*(f"batos/{image}" for image in IMAGES))
    public = re.compile("|".join(PUBLIC))
    assert [line for line in found if not public.fullmatch(line)] == []
    assert files > 10_000
    figures.append(("files in all layers, without a secret", f"{files:,}"))


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("app/note.txt", KEY, "private key"),
        ("app/note.txt", b"key = ghp_" + b"a1B2" * 9, "GitHub token"),
        ("app/note.txt", b"hf_" + b"Ab" * 17, "Hugging Face token"),
        ("app/note.txt", b"id AKIA" + b"Q1" * 8, "AWS key"),
        ("app/.env", b"A=1", "environment file"),
        ("app/.git/config", b"[core]", "git repository"),
        ("run/identity.pem", b"", "identity"),
        ("root/.netrc", b"machine x", "credentials"),
        ("root/.cache/pip/selfcheck", b"{}", "pip's cache"),
        (
            "etc/pip.conf",
            b"index-url = https://me:word@example.invalid/",
            "address with a password",
        ),
    ],
)
def test_a_secret_that_a_later_layer_hides_is_found(tmp_path: Path, path, content, reason):
    for folder, data in (("first", content), ("second", b"")):
        (tmp_path / folder / path).parent.mkdir(parents=True)
        (tmp_path / folder / path).write_bytes(data)
    found = built(tmp_path, 'FROM scratch\nCOPY first /\nCOPY second /\nCMD ["none"]\n')
    assert f"{reason}: {path}" in found


def test_a_password_in_an_image_s_configuration_is_found(tmp_path: Path):
    (tmp_path / "empty").touch()
    where = "ENV PIP_INDEX_URL=https://me:word@example.invalid/simple"
    found = built(tmp_path, f"FROM scratch\nCOPY empty /\n{where}\n")
    assert {line.partition(":")[0] for line in found} == {"address with a password"}


def test_an_image_without_a_secret_has_no_finding(tmp_path: Path):
    (tmp_path / "words").write_text("-----BEGIN PRIVATE KEY----- is how one begins, hf_hub another")
    assert built(tmp_path, 'FROM scratch\nCOPY words /\nCMD ["none"]\n') == []


def built(folder: Path, recipe: str) -> list[str]:
    """What is found in an image of that recipe, which is removed again."""
    (folder / "Dockerfile").write_text(recipe)
    docker("build", "--quiet", "--tag", PLANTED, str(folder))
    try:
        return findings(PLANTED)[0]
    finally:
        docker("image", "rm", "--force", PLANTED)
