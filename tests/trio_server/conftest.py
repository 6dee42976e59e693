"""A place where no configuration is found by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.commands import quiet_environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, and an environment that configures nothing."""
    for name in set(os.environ) - set(quiet_environment(tmp_path)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
