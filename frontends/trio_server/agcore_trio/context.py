"""What all connections of a server share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

from agcore.protocol import Event, NotifyExchange

if TYPE_CHECKING:
    from agcore import Gateway
    from agcore_trio.clock import Clock
    from agcore_trio.hangup import HangupWatch
    from agcore_trio.upstream import UpstreamPool

Sink: TypeAlias = Callable[[Event], None]


@attrs.frozen
class ServerContext:
    """What all connections of a server share."""

    gateway: Gateway
    clock: Clock
    pool: UpstreamPool
    sink: Sink
    watch: HangupWatch | None = None
    on_finish: Callable[[], None] = lambda: None
    """Called after each exchange: the gateway's deadline may have changed."""
    tell: Callable[[NotifyExchange], None] = lambda _: None
    """Passes a message on to the connection whose exchange it is for."""
