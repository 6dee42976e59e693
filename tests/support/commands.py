"""The command `agcore` as a process: what it prints is waited for, line by line, and never longer than `PATIENCE`."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agcore_host import trust
from tests.support.patience import PATIENCE

NOISE = ("_API_KEY", "XDG_", "HTTPS_PROXY", "_proxy", "NO_PROXY", "NO_COLOR", "AGCORE_")


def quiet_environment(home: Path) -> dict[str, str]:
    """This process's environment without keys, proxies or anyone's configuration."""
    kept = {name: value for name, value in os.environ.items() if not any(noise in name for noise in NOISE)}
    return {**kept, "HOME": str(home)}


def configure(home: Path, text: str) -> None:
    """Writes the configuration of the directory `home`, which is also the user's, and trusts it."""
    path = home / "agcore.toml"
    path.write_text(text, encoding="utf-8")
    trust.trust(path, home / ".local" / "state" / "agcore")


class Command:
    """A running `agcore`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdout = Lines(process.stdout)
        self.stderr = Lines(process.stderr)

    def url(self) -> str:
        """Waits for the line that says it is ready and gives its base URL."""
        line = self.stdout.next()
        assert line.startswith("listening on "), line
        return line.removeprefix("listening on ")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Waits for the end."""
        return self.process.wait(PATIENCE)


class Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._data = b""

    def next(self) -> str:
        """Waits for the next line; fails when the pipe ends before it does."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._data:
            more = self._more(deadline)
            assert more, f"the output ended after {self._data!r}"
        line, _, self._data = self._data.partition(b"\n")
        return line.decode()

    def until(self, text: str) -> str:
        """Waits for a line that holds `text` and returns it."""
        while text not in (line := self.next()):
            pass
        return line

    def rest(self) -> str:
        """Waits for the end of the output and returns what was not read yet."""
        deadline = time.monotonic() + PATIENCE
        while self._more(deadline):
            pass
        rest, self._data = self._data, b""
        return rest.decode()

    def _more(self, deadline: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            assert selector.select(max(0.0, deadline - time.monotonic())), f"nothing came after {self._data!r}"
        data = os.read(self._pipe.fileno(), 65536)
        self._data += data
        return bool(data)


@contextmanager
def agcore(arguments: Sequence[str], *, home: Path, environ: Mapping[str, str] | None = None) -> Iterator[Command]:
    """Runs `agcore` with `arguments` in the directory `home`, which is also the user's; kills it in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "agcore_trio", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env={**quiet_environment(home), **(environ or {})},
    ) as process:
        try:
            yield Command(process)
        finally:
            process.kill()
