"""The frontends as processes, for tests with real clients: `with trio_server(config) as url`, `with uvicorn_server(...)`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.patience import PATIENCE

READY = re.compile(r"(?:listening|[Rr]unning) on (http://[^\s]+)")


class Url(str):
    """A server's base URL; `pid` is its process."""

    pid: int


@contextmanager
def trio_server(config: str) -> Iterator[Url]:
    """`agcore serve` with this configuration text; gives its base URL."""
    with _config_file(config) as path:
        command = [sys.executable, "-m", "agcore_trio", "serve", "--config", str(path), "--port", "0"]
        with _running(command, {}) as url:
            yield url


@contextmanager
def uvicorn_server(config: str) -> Iterator[Url]:
    """`uvicorn agcore_asgi:app` with this configuration text; gives its base URL."""
    with _config_file(config) as path:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "agcore_asgi:app",
            "--port",
            "0",
            "--log-level",
            "info",
            "--no-use-colors",
        ]
        with _running(command, {"AGCORE_CONFIG": str(path)}) as url:
            yield url


@contextmanager
def hypercorn_server(config: str, worker: str) -> Iterator[Url]:
    """`hypercorn agcore_asgi:app` with a worker class of `asyncio` or `trio`; gives its base URL."""
    with _config_file(config) as path:
        command = [sys.executable, "-m", "hypercorn", "agcore_asgi:app", "--bind", "127.0.0.1:0", "-k", worker]
        with _running(command, {"AGCORE_CONFIG": str(path)}) as url:
            yield url


@contextmanager
def _config_file(text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agcore.toml"
        path.write_text(text, encoding="utf-8")
        yield path


@contextmanager
def _running(command: list[str], environ: dict[str, str]) -> Iterator[Url]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    # A log that nobody reads would block the server once the pipe is full.
    log = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        url = Url(_wait_ready(process))
        url.pid = process.pid
        log.start()
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{command} did not stop on SIGTERM") from None
        finally:
            if log.ident is not None:
                log.join(5)
            process.stdout.close()


def _wait_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := READY.search(line):
            return found[1].rstrip("/")
    raise AssertionError(f"the server ended with {process.wait()} before it was ready:\n{''.join(seen)}")
