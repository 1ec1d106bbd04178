"""What is wrong with a model's files."""

from __future__ import annotations


class BadModelError(Exception):
    """The model's files are damaged, incomplete or of a kind that cannot be converted or used."""
