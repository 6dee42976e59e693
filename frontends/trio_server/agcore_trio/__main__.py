"""`python -m agcore_trio`: the same as the command `agcore`."""

from __future__ import annotations

import sys

from agcore_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
