"""Who answers the gateway: upstreams as functions of a request, and upstreams by script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from agcore import Input, UpstreamRequest
from agcore_sim.dialogues import DIALOGUES, Dialogue
from agcore_sim.faults import Act, perform

CREDENTIALS: Final = (b"authorization", b"x-api-key", b"x-goog-api-key")


class Asked(msgspec.Struct, frozen=True):
    """One request that reached an upstream."""

    at: float
    """When, in seconds since the epoch."""
    leg: int
    request: UpstreamRequest
    body: bytes
    """The request's body, whatever form it had."""
    stream: bool
    """Whether the client had asked for a stream."""
    shown: bool
    """Whether the client had seen content before."""

    @property
    def host(self) -> str:
        """The host that was asked."""
        return self.request.origin.host

    @property
    def key(self) -> str:
        """The credential that came with the request; empty where none did."""
        for name, value in self.request.headers:
            if name in CREDENTIALS:
                return value.decode().removeprefix("Bearer ")
        return ""


class Upstreams(Protocol):
    """All upstreams of a world."""

    def answer(self, asked: Asked) -> Iterable[tuple[float, Input]]:
        """Give what a frontend would report of the leg: each input after so many seconds since the one before."""
        ...


class Served(msgspec.Struct, frozen=True):
    """A request that a script answered, and how."""

    at: float
    host: str
    key: str
    act: Act
    shown: bool
    """Whether the client had seen content before."""


class Script:
    """Upstreams that follow a script: each key's acts in turn, one for a request, the last of which repeats."""

    def __init__(
        self,
        acts: Mapping[str, Sequence[Act]],
        dialects: Mapping[str, str],
        *,
        delay: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Make them.

        Args:
            acts: What is done with the requests that carry a key, by the key's text.
            dialects: The dialect that each host speaks.
            delay: Draws the seconds before each input; none pass unless it is given.

        """
        self.served: list[Served] = []
        """Every request that came, in order."""
        self._acts = acts
        self._vendors: dict[str, Dialogue] = {}
        for host, dialect in dialects.items():
            (self._vendors[host],) = (each for each in DIALOGUES if each.dialect == dialect)
        self._delay = delay

    def answer(self, asked: Asked) -> Iterable[tuple[float, Input]]:
        """Perform the key's next act."""
        acts = self._acts[asked.key]
        act = acts[min(sum(each.key == asked.key for each in self.served), len(acts) - 1)]
        self.served.append(Served(asked.at, asked.host, asked.key, act, asked.shown))
        vendor = self._vendors[asked.host]
        return [(self._delay(), each) for each in perform(act, vendor, asked.leg, stream=asked.stream)]
