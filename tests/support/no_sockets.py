"""A pytest plugin that holds the fast lane to what it promises: no test of it opens a connection or a port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import NoReturn

import pytest


def _refuse(*_: object) -> NoReturn:
    raise AssertionError("a test of the fast lane uses a socket: its folder belongs in SLOW of the Makefile")


@pytest.fixture(autouse=True, scope="session")
def no_sockets() -> Iterator[None]:
    """Refuse `bind` and `connect`; pairs of sockets, which event loops wake themselves with, are made all the same."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("bind", "connect", "connect_ex"):
            patch.setattr(socket.socket, name, _refuse)
        yield
