"""Legs over a library's transports: what is refused, and how failures are told apart."""

from __future__ import annotations

import anyio
import pytest

from agcore.protocol import Input, Origin, Sent, Stage, UpstreamConnected, UpstreamFailed, UpstreamRequest
from agcore_httpx import on_httpx, on_httpx2
from agcore_httpx.library import Library
from agcore_httpx.upstream import Leg, Transports
from tests.support.raw_upstream import raw_upstream, read_request

LIBRARIES = {"httpx": on_httpx.LIBRARY, "httpx2": on_httpx2.LIBRARY}
on_both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


async def failure(library: Library, origin: Origin, *, public_only: bool = False, **fields: bytes) -> UpstreamFailed:
    headers = ((b"host", b"x"), *((name.encode(), value) for name, value in fields.items()))
    reports: list[Input] = []
    leg = Leg(
        1,
        UpstreamRequest(origin, "GET", b"/", headers),
        report=reports.append,
        wanted=anyio.lowlevel.checkpoint,
        drained=lambda: None,
        spool=None,
        public_only=public_only,
    )
    transports = Transports(library, idle=60)
    await leg.run(transports)
    await transports.aclose()
    *before, failed = reports
    assert all(isinstance(each, UpstreamConnected) for each in before)
    assert isinstance(failed, UpstreamFailed)
    return failed


@on_both
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_is_no_public_address(host: str, library: Library) -> None:
    async def main() -> UpstreamFailed:
        return await failure(library, Origin("http", host, 80), public_only=True)

    failed = anyio.run(main)
    assert (failed.stage, failed.sent) == (Stage.CONNECT, Sent.NONE)
    assert failed.cause.endswith(": it is not a public address")


@on_both
def test_who_is_not_there_or_says_nothing_is_told_apart(library: Library) -> None:
    async def main() -> None:
        async with raw_upstream(read_request) as port:
            failed = await failure(library, Origin("http", "127.0.0.1", port))
            assert (failed.stage, failed.sent, failed.reused) == (Stage.HEAD, Sent.ALL, False)
        failed = await failure(library, Origin("http", "127.0.0.1", port))
        assert (failed.stage, failed.sent, failed.reused) == (Stage.CONNECT, Sent.NONE, False)
        assert failed.cause == f"cannot connect to 127.0.0.1:{port}: connection refused"

    anyio.run(main)


@on_both
def test_a_field_that_cannot_be_sent_is_not_quoted(library: Library) -> None:
    async def main() -> UpstreamFailed:
        async with raw_upstream(read_request) as port:
            return await failure(library, Origin("http", "127.0.0.1", port), x=b"sk-secret\nvalue")

    failed = anyio.run(main)
    assert (failed.stage, failed.sent) == (Stage.SEND, Sent.NONE)
    assert "secret" not in failed.cause


@on_both
def test_a_file_of_roots_that_cannot_be_read_is_named(library: Library) -> None:
    async def main() -> UpstreamFailed:
        return await failure(library, Origin("https", "127.0.0.1", 1, "/nowhere/ca.pem"))

    failed = anyio.run(main)
    assert (failed.stage, failed.sent) == (Stage.TLS, Sent.NONE)
    assert "/nowhere/ca.pem" in failed.cause
