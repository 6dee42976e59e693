"""Measures what real agents make of what goes wrong behind a gateway: requests, seconds, and what they show.

    python -m tests.agents.failures FOLDER [--client NAME]... [--case NAME]... [--show]

Errors that will not pass are to end a client within ten seconds, with our words on its screen; an overload is not to
end it; a slow machine is to be waited for, and asked once.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tests.agents.clients import CLIENTS, Client, Place, Ran, run
from tests.support.commands import agcore
from tests.support.upstreams import Answer, Recorded, Upstream
from tests.support.vendors.emulator import Emulator
from tests.support.vendors.script import NOTE
from tests.support.vendors.table import BY_NAME

_CLIENTS: Final = tuple(client for client in CLIENTS if client.name in ("claude", "codex", "codex-signed-in", "gemini"))
_MODEL: Final = "some-local-model"
_SLOW: Final = 150.0
"""Seconds until a slow machine's first byte: longer than vendors are waited for."""
_NEEDS_KEY: Final = '[proxy]\napi_key = "gw-another-0123456789abcdef"\nauth_mode = "all_except_health"\n'


class Case(msgspec.Struct, frozen=True):
    """Something that goes wrong."""

    name: str
    answer: Callable[[Recorded], Answer]
    """The upstream's."""
    words: str
    """What of ours is to stand on the screen; empty where nothing is to."""
    scheme: str = "http"
    more: str = ""
    seconds: float = 60.0
    """For how long a client is watched."""


def _says(status: int, kind: bytes, body: bytes) -> Callable[[Recorded], Answer]:
    return lambda request: Answer(status=status, headers=((b"content-type", kind),), pieces=(body,))


def _never(request: Recorded) -> Answer:
    raise ConnectionAbortedError


_REFUSED: Final = b'{"error": {"message": "Incorrect API key provided: sk-x.", "code": "invalid_api_key"}}'
_OVERLOADED: Final = b'{"error": {"message": "Overloaded", "type": "overloaded_error"}}'
_PAGE: Final = b"<html><head><title>Sign in to the hotel</title></head></html>"

CASES: Final = (
    Case("client key", _never, "API key", more=_NEEDS_KEY),
    Case("vendor key", _says(401, b"application/json", _REFUSED), "refused"),
    Case("tls", _never, "TLS", scheme="https"),
    Case("page", _says(200, b"text/html", _PAGE), "text/html"),
    Case("overload", _says(529, b"application/json", _OVERLOADED), "", seconds=40.0),
)


def measured(client: Client, case: Case, folder: Path) -> tuple[Ran, int, int]:
    """Returns what the client did, and how many requests came to the gateway and to the upstream."""
    with Upstream(case.answer) as upstream, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        config = (
            f'{case.more}[[providers]]\nname = "up"\ndialect = "openai"\nkeys = ["sk-vendor-0123456789abcdef"]\n'
            f'base_url = "{case.scheme}://127.0.0.1:{upstream.port}/v1"\n[models]\n"*" = "up/{_MODEL}"\n'
        )
        ran, rows = _watched(client, config, folder, Path(home), case.seconds)
        return ran, rows, len(upstream.requests)


def _watched(client: Client, config: str, folder: Path, home: Path, seconds: float) -> tuple[Ran, int]:
    """Runs a client before a gateway with this configuration; returns how many requests its log has, too."""
    path = home / "agcore.toml"
    path.write_text(config, encoding="utf-8")
    with agcore(["serve", "--config", str(path), "--port", "0"], home=home) as gateway:
        place = Place(home / "client", gateway.url().rstrip("/"), _MODEL)
        place.write(f"work/{NOTE}", "The word is NONCE-0123abcd\n")
        ran = run(client, folder, place, seconds=seconds)
        gateway.process.terminate()
        log = gateway.stdout.rest() + gateway.stderr.rest()
    return ran, len(re.findall(r"(?m)^.*\bPOST\b.*$", log))


def slow(client: Client, folder: Path) -> tuple[Ran, int]:
    """Runs a client at a machine that is silent for `_SLOW` seconds; returns how often it was asked for each answer."""
    with Emulator(BY_NAME["qwen"]) as emulator, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        answer = emulator.upstream._answer
        waited: list[bytes] = []

        def late(request: Recorded) -> Answer:
            if not waited and request.method == "POST":
                waited.append(request.body)
                time.sleep(_SLOW)
            return answer(request)

        emulator.upstream._answer = late
        vendor = emulator.vendor
        config = f'{vendor.provider(emulator.upstream.port)}\n[models]\n"*" = "{vendor.preset}/{vendor.model}"\n'
        ran, _ = _watched(client, config, folder, Path(home), 2 * _SLOW)
        return ran, sum(request.body == waited[0] for request in emulator.upstream.requests)


def main() -> int:
    """Returns how many figures are not as they are to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.failures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--client", action="append", choices=[client.name for client in _CLIENTS])
    parser.add_argument("--case", action="append", choices=[*(case.name for case in CASES), "slow"])
    parser.add_argument("--show", action="store_true", help="print what each client showed")
    given = parser.parse_args()
    wrong = 0
    for client in _CLIENTS:
        if client.name not in (given.client or [client.name]):
            continue
        for case in CASES:
            if case.name not in (given.case or [case.name]):
                continue
            ran, rows, asked = measured(client, case, given.folder.resolve())
            if case.words:
                good = ran.code is not None and ran.seconds < 10 and case.words in ran.screen
            else:
                good = ran.code is None
            wrong += not good
            ended = "still asking" if ran.code is None else f"exit {ran.code}"
            print(
                f"{client.name:16} {case.name:11} {ran.seconds:5.1f} s  {rows:2} in, {asked:2} up, {ended}{'' if good else '  WRONG'}",
                flush=True,
            )
            if given.show or not good:
                print(ran.screen[-1500:], flush=True)
        if given.case is None or "slow" in given.case:
            ran, asked = slow(client, given.folder.resolve())
            good = asked == 1 and ran.code == 0 and "It says NONCE-0123abcd." in ran.screen
            wrong += not good
            print(
                f"{client.name:16} {'slow':11} {ran.seconds:5.1f} s  asked {asked} times{'' if good else '  WRONG'}",
                flush=True,
            )
            if given.show or not good:
                print(ran.screen[-1500:], flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
