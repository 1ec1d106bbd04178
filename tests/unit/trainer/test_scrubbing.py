from __future__ import annotations

import pytest

from services.trainer.scrubbing import scrub

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail ann@corp.io now", "mail [email] now"),
        ("ann@example.com", "ann@example.com"),
        ("key AKIA" + "ABCDEFGHIJKLMNOP", "key [secret]"),
        ("ghp_" + "a" * 36, "[secret]"),
        (f"here: {PEM} end", "here: [secret] end"),
        ("my password is hunter22", "my password is [secret]"),
        ('api_key = "abcdefgh"', "api_key = [secret]"),
    ],
)
def test_secrets_and_addresses_are_blotted_out(text: str, clean: str) -> None:
    assert scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "the token is returned",
        "token = items[0].strip()",
        "token = text.split(',')[1]",
        "return a @ b.matrix",
        "password: required",
    ],
)
def test_harmless_words_stay(text: str) -> None:
    assert scrub(text) == text
