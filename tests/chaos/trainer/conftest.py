from tests.integration.trainer.conftest import tiny_base

__all__ = ["tiny_base"]
