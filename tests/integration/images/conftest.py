"""A clock that tests set."""

from tests.integration.shifted_clock import clock

__all__ = ["clock"]
