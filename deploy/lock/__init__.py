"""Writes deploy/locks: every package of every installation, with its version and its hashes.

`make lock` resolves what pyproject.toml asks for, keeps the versions that constraints.txt has, adds
those that it lacks, and writes one lock per extra and group. Nothing is installed.
"""
