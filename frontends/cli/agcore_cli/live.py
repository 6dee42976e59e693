"""`agcore check --live`: tries every key of every provider, by warming up a gateway that nobody can connect to.

The gateway is the real one, and so is its connection: the request for `/internal/warmup` comes to it over a pair of
sockets that are joined within this process. What is tried is thus what `agcore serve` would do, proxies and TLS
included.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import h11
import msgspec
import trio

from agcore import Gateway
from agcore.config import Limits
from agcore.protocol import Peer
from agcore_cli.terminal import table
from agcore_trio.clock import Clock
from agcore_trio.connection import Connection
from agcore_trio.context import ServerContext
from agcore_trio.upstream import UpstreamPool

if TYPE_CHECKING:
    from agcore.config import Config

PATIENCE: Final = 20.0
"""Seconds for each thing that is waited for, where the configuration would wait longer: somebody is watching."""


WIDEST: Final = 300
"""Characters of an upstream's message."""


class Tried(msgspec.Struct, frozen=True):
    """What came of one key."""

    provider: str
    key: str
    """Its label: `provider#1`."""
    ok: bool
    latency_ms: float | None = None
    error: str = ""
    note: str = ""
    models: int | None = None
    """How many the provider lists."""
    missing: tuple[str, ...] = ()
    """Models that `[models]` names there, and the provider does not list."""

    @property
    def proven(self) -> bool:
        """Whether the key is known to work: a note says what kept it from being checked."""
        return self.ok and not self.note


def try_all(config: Config) -> tuple[Tried, ...]:
    """Tries every key of every provider, several at a time.

    Args:
        config: what it says about clients does not matter.
    """
    return trio.run(_try_all, config)


def report(tried: tuple[Tried, ...]) -> list[str]:
    """The outcome as lines: a table of keys, and what `[models]` names in vain."""
    rows = [("KEY", "WORKS", "LATENCY", "MODELS", ""), *map(_row, tried)]
    return [*table(rows), *(f"warning: {text}" for text in _warnings(tried))]


async def _try_all(config: Config) -> tuple[Tried, ...]:
    waits = {name: min(getattr(config.timeouts, name), PATIENCE) for name in ("connect", "first_byte", "idle")}
    config = msgspec.structs.replace(
        config,
        proxy=msgspec.structs.replace(config.proxy, auth_mode="off", keys=()),
        timeouts=msgspec.structs.replace(config.timeouts, request=math.inf, **waits),
        limits=Limits(),
    )
    gateway = Gateway(config, secret=os.urandom(32), now=time.time())
    pool = UpstreamPool(idle=config.timeouts.pool_idle)
    context = ServerContext(gateway, Clock(), pool, sink=lambda _: None)
    near, far = (trio.SocketStream(end) for end in trio.socket.socketpair())
    async with near, trio.open_nursery() as nursery:
        nursery.start_soon(Connection(context, far, Peer("127.0.0.1")).run)
        body = await _ask(near)
        nursery.cancel_scope.cancel()
    await pool.close()
    return msgspec.json.decode(body, type=_Answer).targets


async def _ask(stream: trio.abc.Stream) -> bytes:
    http = h11.Connection(h11.CLIENT)
    headers = [("host", "127.0.0.1"), ("content-type", "application/json"), ("content-length", "2")]
    request = h11.Request(method="POST", target="/internal/warmup", headers=headers)
    for event in (request, h11.Data(data=b"{}"), h11.EndOfMessage()):
        await stream.send_all(http.send(event) or b"")
    body = b""
    while not isinstance(came := http.next_event(), h11.EndOfMessage):
        if came is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some()))
        elif isinstance(came, h11.Data):
            body += came.data
    return body


class _Answer(msgspec.Struct):
    targets: tuple[Tried, ...]


def _row(each: Tried) -> tuple[str, ...]:
    latency = "" if each.latency_ms is None else f"{each.latency_ms:.0f} ms"
    models = "" if each.models is None else str(each.models)
    works = "yes" if each.proven else "?" if each.ok else "no"
    return (each.key, works, latency, models, _line(each.error or each.note))


def _line(text: str) -> str:
    """What an upstream says, as a line for a terminal: without controls and of some length."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= WIDEST else f"{line[:WIDEST]}..."


def _warnings(tried: tuple[Tried, ...]) -> Iterator[str]:
    for each in tried:
        if each.missing:
            yield f"[models] names what the list of {each.key} does not have: {_line(', '.join(each.missing))}"
