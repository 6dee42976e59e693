"""What the benchmarks share: servers as child processes, agcore's configuration, the line that names the machine."""

from __future__ import annotations

import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
START_LIMIT: Final = 20.0
"""Seconds within which a server must say that it listens."""
STOP_LIMIT: Final = 5.0
"""Seconds that a server has to go after SIGTERM."""

CLIENT_KEYS: Final = tuple(f"sk-bench-client-{number:02}-0123456789abcdef" for number in range(10))
"""agcore's client keys; the benchmarks show the last."""


def exit_on_sigterm() -> None:
    """Makes SIGTERM leave through the `finally` blocks, so that no server outlives the benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def environment() -> dict[str, str]:
    """Returns the environment for child processes.

    This checkout's packages come before any installed ones, and may be kept compiled, as those of a server are.
    """
    folders = (str(ROOT / "frontends" / name) for name in ("host", "cli", "trio_server"))
    paths = [str(ROOT), *folders, os.environ.get("PYTHONPATH", "")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def agcore_command(config: Path) -> list[str]:
    """Returns the command that serves `config` on a free port."""
    return [sys.executable, "-m", "agcore_trio", "serve", "--config", str(config), "--port", "0"]


def write_config(directory: Path, upstream_port: int) -> Path:
    """Writes agcore's configuration: strict auth with ten keys, and one OpenAI-compatible provider on loopback."""
    lines = ["[proxy]", 'auth_mode = "strict"', f'api_key = "{CLIENT_KEYS[0]}"']
    for number, key in enumerate(CLIENT_KEYS[1:], start=2):
        lines += ["", "[[proxy.keys]]", f'name = "client-{number}"', f'key = "{key}"']
    lines += ["", "[[providers]]", 'name = "upstream"', 'dialect = "openai"']
    lines += [f'base_url = "http://127.0.0.1:{upstream_port}/v1"', 'keys = ["k"]', 'models = ["*"]', ""]
    path = directory / "agcore.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def listening_port(process: subprocess.Popen[bytes], *, limit: float = START_LIMIT) -> int:
    """Waits for the line `listening on http://HOST:PORT` on the process's standard output and returns the port.

    Raises RuntimeError when the output ends, and TimeoutError after `limit` seconds.
    """
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + limit
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            data = os.read(descriptor, 4096)
            if not data:
                raise RuntimeError(f"the server ended before it listened; it said {said!r}")
            said += data
            for line in said.splitlines(keepends=True):
                if line.startswith(b"listening on http://") and line.endswith(b"\n"):
                    return int(line.strip().rpartition(b":")[2])
    raise TimeoutError(f"the server did not listen within {limit:g} seconds; it said {said!r}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process: SIGTERM, and SIGKILL when that is not enough."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def server(command: Sequence[str], *, log: Path) -> Iterator[int]:
    """Runs a server while the block runs and gives its port; its standard error goes to the file `log`."""
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment(), cwd=log.parent)
    try:
        try:
            port = listening_port(process)
        except (RuntimeError, TimeoutError) as error:
            raise SystemExit(f"{' '.join(command)}\n{error}\n{log.read_text(errors='replace')[-4000:]}") from error
        yield port
    finally:
        stop(process)


def machine() -> Mapping[str, str]:
    """Returns what a reader must know beside the numbers: Python, processors, system and commit."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cpus": str(os.cpu_count()),
        "machine": f"{platform.system()} {platform.machine()}",
        "commit": found.stdout.strip() if found.returncode == 0 else "none",
    }


def machine_line() -> str:
    """Returns `machine()` as one line."""
    return ", ".join(f"{name} {value}" for name, value in machine().items())
