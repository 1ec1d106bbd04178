"""The same clock as in the integration tests."""

from tests.integration.shifted_clock import clock

__all__ = ["clock"]
