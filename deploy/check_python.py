"""Says in a sentence when this Python is not one that BAT OS runs on."""

import sys

if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit(
        f"setup: Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]} "
        f"({sys.executable}); run `make PYTHON=/path/to/python3.11 ...`"
    )
