from __future__ import annotations

import pytest
from hypothesis import settings

# Examples share the machine with whatever else runs on it: how long one takes says nothing.
settings.register_profile("agcore", deadline=None)
settings.load_profile("agcore")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew instead of comparing with them"
    )
