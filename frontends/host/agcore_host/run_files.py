"""Run files: how commands find the gateways that run on this machine.

Each gateway has one, `run/PORT.json` in the state directory, from before it says that it is ready until it ends. One
whose process is gone is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agcore_host.places import NO_STATE_DIR, Found, state_dir
from agcore_host.private_files import write_below
from agcore_host.settings import reason

_SEEN_FROM_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Run(msgspec.Struct, frozen=True):
    """A gateway that runs."""

    address: str
    """Its base URL, as this machine reaches it."""
    pid: int
    config: str | None
    """The full path of its configuration; None where the environment alone decided."""
    started: float
    """Seconds since the epoch."""
    guarded: bool = False
    """Its configuration counts as long as its content is trusted."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return _port(self.address)


class RunFile:
    """The run file of one gateway.

    Args:
        environ: says where the state directory is.
        config: the configuration's file, as it was found.
    """

    def __init__(self, environ: Mapping[str, str], config: Found) -> None:
        self._environ = environ
        self._config = config
        self._path: Path | None = None

    def write(self, address: str) -> str:
        """Tells commands of the gateway at a base URL.

        Returns:
            A sentence about why that cannot be done, which hurts nothing else; or an empty string.
        """
        state = state_dir(self._environ)
        if state is None:
            return f"commands will not find this gateway: {NO_STATE_DIR}"
        path = state / "run" / f"{_port(address)}.json"
        file = self._config.path
        config = None if file is None else str(file.resolve())
        run = Run(seen_from_here(address), os.getpid(), config, round(time.time(), 3), self._config.guarded)
        try:
            write_below(path.parent, path.name, msgspec.json.encode(run) + b"\n")
        except OSError as error:
            return f"commands will not find this gateway: cannot write {path}: {reason(error)}"
        self._path = path
        return ""

    def remove(self) -> None:
        """The gateway ends. A file that another one has written since stays."""
        if self._path is not None and (run := _read(self._path)) is not None and run.pid == os.getpid():
            with suppress(OSError):
                self._path.unlink()
        self._path = None


def running(environ: Mapping[str, str]) -> list[Run]:
    """The gateways of this user whose processes are alive, the newest first."""
    state = state_dir(environ)
    found = [] if state is None else [_read(path) for path in state.glob("run/*.json")]
    alive = [run for run in found if run is not None and _is_alive(run.pid)]
    return sorted(alive, key=lambda run: run.started, reverse=True)


def seen_from_here(address: str) -> str:
    """A base URL that this machine can connect to, for one that may name all interfaces."""
    url = urlsplit(address)
    host = _SEEN_FROM_HERE.get(url.hostname or "", url.hostname or "")
    place = f"[{host}]" if ":" in host else host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme}://{place}{port}{url.path.rstrip('/')}"


def _port(address: str) -> int:
    url = urlsplit(address)
    return url.port or (443 if url.scheme == "https" else 80)


def _read(path: Path) -> Run | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where asking like this would end it
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
