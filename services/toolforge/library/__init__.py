"""A registry of tools as a folder of plain files, out and in again."""
