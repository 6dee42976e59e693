"""The open part of the translation acceptance suite, through both frontends, where it lies beside the checkout.

The suite is not part of this repository: `../shared/gauntlet`. Elsewhere these tests say that they were skipped; the
golden files of tests/golden/pairs stand without it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GAUNTLET = Path(__file__).parents[3] / "shared" / "gauntlet" / "gauntlet.py"
FRONTENDS = {
    "trio": f"{sys.executable} -m agcore_trio serve --config {{config}} --port {{port}}",
    "uvicorn": f"sh -c 'AGCORE_CONFIG={{config}} exec {sys.executable} -m uvicorn agcore_asgi:app --port {{port}}'",
}


@pytest.mark.skipif(not GAUNTLET.exists(), reason="the acceptance suite is not beside this checkout")
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_every_open_case_passes(frontend: str) -> None:
    command = [sys.executable, str(GAUNTLET), "--agcore", FRONTENDS[frontend]]
    done = subprocess.run(command, cwd=GAUNTLET.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
