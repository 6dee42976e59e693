"""How long until `agcore serve` has answered its first request, next to importing what it stands on?

Runs in turn, N times: an empty interpreter, `python -c "import agcore"`, `python -c "import trio, h11, msgspec"` (both
to their exit), and `agcore serve --config FILE`, from its start to the first bytes of the answer to `GET /healthz`.
Shown are the medians and the ratio of the last two, taken round by round. One start of agcore before is not counted: it
compiles.

    python benchmarks/startup.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from processes import (
    CLIENT_KEYS,
    agcore_command,
    environment,
    exit_on_sigterm,
    listening_port,
    machine_line,
    stop,
    write_config,
)

CORE: Final = "import agcore"
IMPORTS: Final = "import trio, h11, msgspec"


def time_python(code: str) -> float:
    """Returns the seconds that an interpreter takes to run `code` and go."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment(), timeout=60, check=True)
    return time.perf_counter() - start


def time_serve(config: Path) -> float:
    """Returns the seconds from the start of agcore to the first bytes of its first answer."""
    request = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {CLIENT_KEYS[-1]}\r\n\r\n".encode()
    log = config.with_suffix(".log")
    with log.open("wb") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(agcore_command(config), stdout=subprocess.PIPE, stderr=errors, env=environment())
    try:
        port = listening_port(process)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            answer = connection.recv(4096)
        took = time.perf_counter() - start
    except (RuntimeError, OSError) as error:
        raise SystemExit(f"agcore did not answer: {error}\n{log.read_text(errors='replace')[-4000:]}") from error
    finally:
        stop(process)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"agcore answered {answer!r}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    exit_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="agcore-bench-") as directory:
        config = write_config(Path(directory), 9)  # no upstream is asked: the discard port will do
        time_serve(config)
        rounds = [
            (time_python("pass"), time_python(CORE), time_python(IMPORTS), time_serve(config))
            for _ in range(options.rounds)
        ]
    print(machine_line())
    print(f"\nmedians of {options.rounds} rounds, ms")
    names = ("python -c pass", f'python -c "{CORE}"', f'python -c "{IMPORTS}"', "agcore serve, to its first answer")
    for name, values in zip(names, zip(*rounds, strict=True), strict=True):
        print(f"{name:<42}{statistics.median(values) * 1e3:>8.1f}")
    ratios = [serve / imports for _, _, imports, serve in rounds]
    print(f"serve/imports: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
