from tests.integration.shifted_clock import clock
from tests.integration.trainer.conftest import tiny_base

__all__ = ["clock", "tiny_base"]
