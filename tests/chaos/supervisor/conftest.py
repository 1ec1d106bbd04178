"""The same peers as in the integration tests."""

from tests.integration.supervisor.peers import backend, memory, model_server, models

__all__ = ["backend", "memory", "model_server", "models"]
