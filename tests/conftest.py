from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from tests.support import examples
from tests.support.commands import quiet_environment

examples.register()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew instead of comparing with them"
    )


def pytest_collection() -> None:
    """Twelve thousand tests are objects that stay: the collector need not look for garbage among them."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps gateways of tests out of the state directory of whoever runs the tests."""
    os.environ["AGCORE_STATE_DIR"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, and an environment that configures nothing."""
    for name in set(os.environ) - set(quiet_environment(tmp_path)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
