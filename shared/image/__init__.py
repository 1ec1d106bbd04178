"""A service's part of a Living Image: cut, exported, imported beside what is in use, switched to.

Nothing here loads code: files are bytes, databases are checked against the schema that this program
makes itself. The whole is in docs/living-image.md.
"""
