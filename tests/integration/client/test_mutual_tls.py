"""The client with an operator's certificate, with another's, and with one that is renewed."""

from datetime import timedelta

import pytest
from batos.client import AsyncBatos, Batos, PermissionDenied, Settings, Unavailable

from deploy.local import LocalStack
from tests.integration.client.conftest import settings_of
from tests.integration.identity.certificates import Certificates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_who_may_call_over_mtls(tmp_path):
    ours, theirs = Certificates(tmp_path / "ours"), Certificates(tmp_path / "theirs")
    ours.of("memory")
    operator = ours.of("operator")
    async with LocalStack(tmp_path / "s", services=["memory"], identities=ours.root) as stack:
        with Batos(settings_of(stack, tls_dir=operator)) as batos:
            ids = batos.remember("The cat is Mia.", namespace="personas/X")
        async with AsyncBatos(settings_of(stack, tls_dir=operator)) as batos:
            (hit,) = await batos.recall("cat", namespace="personas/X")
            assert [hit.record.id] == ids
        refuse(settings_of(stack, tls_dir=ours.of("trainer")), PermissionDenied)
        refuse(settings_of(stack, tls_dir=theirs.of("operator"), patience=0.2), Unavailable)
        refuse(settings_of(stack, tls_dir=None, patience=0.2), Unavailable)


def refuse(settings: Settings, error: type[Exception]) -> None:
    with Batos(settings) as batos, pytest.raises(error):
        batos.recall("cat", namespace="personas/X")


async def test_a_renewed_identity_is_taken_up(tmp_path, monkeypatch):
    """The first is another's, so what it may do tells which of the two was shown."""
    ours = Certificates(tmp_path / "ours")
    ours.of("memory")
    operator = ours.of("trainer", directory="mine")
    async with LocalStack(tmp_path / "s", services=["memory"], identities=ours.root) as stack:
        monkeypatch.setattr("batos.client.channels._GLANCE_SECONDS", 0.0)
        settings = settings_of(stack, tls_dir=operator)
        with Batos(settings) as batos:
            with pytest.raises(PermissionDenied):
                batos.recall("cat", namespace="personas/X")
            ours.of("operator", timedelta(days=2), directory="mine")
            assert batos.recall("cat", namespace="personas/X") == []
            (operator / "identity.pem").write_text("half of it")
            assert batos.recall("cat", namespace="personas/X") == []
