"""Runs one test under both event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.support.patience import PATIENCE

"""After which a test is taken to hang."""


def on_both_loops(test: Callable[[], Awaitable[None]]) -> Callable[[str], None]:
    """Makes an async test into one that runs once under asyncio and once under trio."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await test()

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def run(backend: str) -> None:
        anyio.run(bounded, backend=backend)

    run.__name__ = run.__qualname__ = test.__name__
    run.__doc__ = test.__doc__
    return run
