"""Drives real agents through a gateway to strict vendors, and prints how it went: `make agents`.

    python -m tests.agents FOLDER [--client NAME]... [--vendor NAME]... [--show]

FOLDER has the programs: npm's `node_modules`, and a virtual environment `aider`. What is not there is skipped, with a
word. No vendor is asked, and no network is needed.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.agents.clients import CLIENTS, Client, Place, Ran, run
from tests.support.servers import trio_server
from tests.support.vendors.emulator import Emulator
from tests.support.vendors.script import NOTE
from tests.support.vendors.table import VENDORS, Vendor

_LIMIT: Final = 120.0
"""Seconds for one run."""


def task(client: Client, vendor: Vendor, folder: Path) -> tuple[str, Ran, Emulator]:
    """Has a client do its task at a vendor; returns what went wrong, or "ok"."""
    nonce = f"NONCE-{secrets.token_hex(4)}"
    with Emulator(vendor) as emulator, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        config = f'{vendor.provider(emulator.upstream.port)}\n[models]\n"*" = "{vendor.preset}/{vendor.model}"\n'
        with trio_server(config) as url:
            place = Place(Path(home), url, client.model or vendor.model)
            place.write(f"work/{NOTE}", f"The word is {nonce}\n")
            ran = run(client, folder, place, seconds=_LIMIT)
        written = place.work / "answer.txt"
        edited = written.read_text() if written.exists() else ""
    return (
        judged(client, vendor, ran, emulator, shown=nonce in (edited if not client.tools else ran.screen)),
        ran,
        emulator,
    )


def judged(client: Client, vendor: Vendor, ran: Ran, emulator: Emulator, *, shown: bool) -> str:
    """Returns "ok", or the first thing that is wrong; a task may be done though a call beside it (a title) was refused."""
    wrong = _failure(client, vendor, ran, emulator, shown=shown)
    refused = f"refused: {', '.join(dict.fromkeys(emulator.refused))}" if emulator.refused else ""
    return "; ".join(filter(None, (wrong or "ok", refused)))


def _failure(client: Client, vendor: Vendor, ran: Ran, emulator: Emulator, *, shown: bool) -> str:
    if ran.code is None:
        return f"still running after {_LIMIT:.0f} s"
    if client.tools and not vendor.calls:  # nothing to call: an answer is all that can be asked for
        return "" if ran.code == 0 and "[agcore demo]" in ran.screen else f"exit {ran.code}, no answer"
    if client.tools and not any(step.startswith("call ") for step in emulator.steps):
        return f"no tool was offered (exit {ran.code})"
    return "" if shown and ran.code == 0 else f"exit {ran.code}, the word is {'' if shown else 'not '}shown"


def main() -> int:
    """Returns how many runs failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--client", action="append", choices=[client.name for client in CLIENTS])
    parser.add_argument("--vendor", action="append", choices=[vendor.name for vendor in VENDORS])
    parser.add_argument("--show", action="store_true", help="print what each client showed")
    given = parser.parse_args()
    folder = given.folder.resolve()
    vendors = [vendor for vendor in VENDORS if vendor.name in (given.vendor or [vendor.name])]
    failed = 0
    for client in CLIENTS:
        if client.name not in (given.client or [client.name]):
            continue
        if not (folder / client.program).exists():
            print(f"{client.name:16} skipped: {folder / client.program} is not there", flush=True)
            continue
        with ThreadPoolExecutor(2) as pool:
            for vendor, (word, ran, emulator) in zip(
                vendors, pool.map(lambda vendor, client=client: task(client, vendor, folder), vendors), strict=True
            ):
                failed += not word.startswith("ok")
                print(f"{client.name:16} {vendor.name:19} {ran.seconds:5.1f} s  {word}", flush=True)
                if given.show:
                    print(ran.screen[-3000:], emulator.steps, emulator.refused, sep="\n", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
