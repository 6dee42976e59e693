"""The composition root, and the machine of what outlives an exchange.

A frontend makes one `Gateway` and asks it for an `Exchange` for each request head. What every exchange shares (the
catalog, the guard, the state) is made here once for a configuration. The gateway is a machine too: `drain` and
`handle_timeout` return effects for the frontend to perform, and `deadline` says when to call again.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.config.diff import changes
from agcore.config.values import Config
from agcore.dialects import FALLBACK
from agcore.ingress.admission import admit, admit_body, refused
from agcore.ingress.auth import Guard
from agcore.ingress.request import Routed
from agcore.machines.exchange import Exchange, begin
from agcore.machines.ids import Ids
from agcore.machines.operation import OperationKind
from agcore.machines.outside import LocalOutside
from agcore.machines.services import GatewayServices
from agcore.operations import operation as operation_class
from agcore.protocol.effects import (
    CloseIdle,
    Effect,
    Emit,
    Finish,
    GatewayEffect,
    Halt,
    SendData,
    SendEnd,
    SendHead,
    StopAccepting,
)
from agcore.protocol.events import Draining, HeadRefused, Reloaded, Warned
from agcore.protocol.fault import Fault, retry_hints
from agcore.protocol.http import Headers, Peer, RequestHead
from agcore.protocol.legality import check_head
from agcore.routing.catalog import Catalog
from agcore.state import snapshot
from agcore.upstream.hops import loop

if TYPE_CHECKING:
    from agcore.machines.tape import Tape

VERSION: Final = "0.1.0"

LISTENER: Final = ("proxy.host", "proxy.port", "proxy.tls_cert", "proxy.tls_key")
"""Settings that a listener is made with: the core reads none of them."""


class Phase(enum.Enum):
    """How far a gateway is on its way out."""

    SERVING = "serving"
    GRACE = "grace"  # still accepting, though /readyz says 503
    DRAINING = "draining"  # listeners closed, running exchanges finish
    HALTED = "halted"


class Gateway:
    """The machine of a whole server: it opens an `Exchange` for each request, and outlives them all.

    Methods take facts and return effects, as those of an exchange do. Nothing here waits, and nothing is thread-safe.

    Args:
        config: A whole configuration, such as `load_config` returns.
        secret: 32 random bytes, from which ids and keyed hashes are made.
        now: Seconds since the epoch, as everywhere.

    Attributes:
        config: What new exchanges go by. Read it anew at each use: `reconfigure` replaces it.
        deadline: When to call `handle_timeout`, in absolute seconds; None for never.
        watched: Whether exchanges that are opened from now on emit every event as it comes about, not only their last.
    """

    def __init__(self, config: Config, *, secret: bytes, now: float) -> None:
        ids = Ids(secret)
        self.config = config
        self._first_config = config
        self._saved = 0
        """`changes` of the cooldowns when its state was last taken or put back."""
        self._outside = LocalOutside(ids, max_buffered=config.limits.max_buffered, started=now)
        self._services = GatewayServices(
            config=config,
            catalog=Catalog(config),
            guard=Guard(config, self._outside),
            outside=self._outside,
            mcp={server.name: server for server in config.mcp},
            version=VERSION,
        )
        self._phase = Phase.SERVING
        self.deadline: float | None = None
        self.watched = False

    @property
    def draining(self) -> bool:
        """Whether the way out has begun: answers should close their connections."""
        return self._phase is not Phase.SERVING

    @property
    def buffered(self) -> int:
        """Bytes of bodies held by all exchanges at present."""
        return self._outside.state.memory.held

    def open(
        self, head: RequestHead, peer: Peer, *, now: float, recorder: Tape | None = None
    ) -> tuple[Exchange, list[Effect]]:
        """An exchange for a request, and its first effects. A refusal leaves at once, before any body is read.

        Args:
            head: The request's head, as it came.
            peer: Who is at the other end of the connection.
            now: Seconds since the epoch.
            recorder: Writes the exchange down, so that it can be replayed by itself; None for nobody.

        Raises:
            LocalProtocolError: The head is not as `RequestHead` says: text for bytes, or a header's name in upper case.
                The headers are looked at where the request would be refused, so that a key in a field that nobody can
                find is no silent 401.
        """
        services = self._services
        if recorder is not None:
            from agcore.machines.tape import TapedExchange, TapedOutside  # for those who record

            check_head(head, peer)
            recorder.opened(head, peer, watched=self.watched, now=now)
            services = msgspec.structs.replace(services, outside=TapedOutside(services.outside, recorder))
        operation: OperationKind | None = None
        max_body = 0
        try:
            request = admit(head, peer, guard=services.guard, id=services.outside.mint("req_"), now=now)
            if isinstance(request, Routed):
                came_back = loop(head.headers, services.outside.digest)
                if came_back is not None:
                    request = refused(request, came_back)
            if isinstance(request, Routed):
                operation = self._operation_of(request)
                max_body = operation.max_body(services.config.limits)
                request = admit_body(request, operation, max_body=max_body, limits=services.outside, now=now)
        except Exception:
            check_head(head, peer)  # what is odd may be the frontend's mistake, and else is ours
            raise
        if not isinstance(request, Routed):
            check_head(head, peer)
            operation = None
        if recorder is None:
            exchange = Exchange(request, services, operation=operation, max_body=max_body, watched=self.watched)
        else:
            exchange = TapedExchange(
                request, services, tape=recorder, operation=operation, max_body=max_body, watched=self.watched
            )
        try:
            effects = begin(exchange, now=now)
        except BaseException:
            exchange.abandon(now=now)  # the driver never gets it, and could not
            raise
        if recorder is not None:
            recorder.commanded(effects)
        return exchange, effects

    def refuse(self, status: int, reason: str, *, now: float) -> list[Effect]:
        """The effects for bytes that are not a request at all: a malformed or oversized head."""
        request_id = self._services.outside.mint("req_")
        fault = Fault(status=status, message=reason)
        body = FALLBACK.render_error(fault, request_id)
        headers: Headers = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode("ascii")),
            (b"x-agcore-request-id", request_id.encode("ascii")),
            *retry_hints(fault),
        )
        refused = HeadRefused(id=request_id, at=now, status=status, error=reason, bytes_out=len(body))
        return [SendHead(status=status, headers=headers), SendData(body), SendEnd(), Emit(refused), Finish()]

    def reconfigure(self, config: Config, *, now: float, fixed: Collection[str] = LISTENER) -> list[GatewayEffect]:
        """Go by another configuration from now on; what runs ends by the one that it began with.

        What has been learned lives on: keys and their cooldowns, limits of client keys, stored responses, signatures. A
        configuration that cannot be used changes nothing, and a warning says why. What a frontend must not serve at all
        (`agcore.config.startup_problems`) it does not pass on, here as at the start.

        Args:
            config: A whole configuration.
            now: Seconds since the epoch.
            fixed: The settings, as in `proxy.port`, that this frontend reads once. The event names those among
                them that are not what they were at the start, under `needs_restart`.
        """
        services = self._services
        try:
            catalog = Catalog(config)
        except ValueError as error:
            return [Emit(Warned(f"the configuration stays what it was: {error}"))]
        reloaded = Reloaded(
            changed=tuple(changes(self.config, config)),
            needs_restart=tuple(
                path for path in fixed if attrgetter(path)(config) != attrgetter(path)(self._first_config)
            ),
        )
        self.config = config
        self._services = msgspec.structs.replace(
            services,
            config=config,
            catalog=catalog,
            guard=Guard(config, self._outside),
            mcp={server.name: server for server in config.mcp},
        )
        self._outside.state.memory.limit = config.limits.max_buffered
        self._outside.state.rate_limits.keep({key.name for key in config.proxy.keys})
        return [Emit(reloaded)]

    def restore(self, data: bytes, *, now: float) -> list[GatewayEffect]:
        """Take over a state that `unsaved_state` gave, perhaps to another process; anything else is a warning."""
        cooldowns = self._outside.state.cooldowns
        try:
            snapshot.load(cooldowns, data, now=now)
        except (ValueError, RecursionError) as error:
            return [Emit(Warned(f"the saved state of the keys cannot be used: {error}"))]
        self._saved = cooldowns.changes
        return []

    def unsaved_state(self, *, now: float) -> bytes | None:
        """What should survive a restart, without a secret; None where it is what was last taken."""
        cooldowns = self._outside.state.cooldowns
        if cooldowns.changes == self._saved:
            return None
        self._saved = cooldowns.changes
        return snapshot.dump(cooldowns, now=now)

    def drain(self, *, now: float) -> list[GatewayEffect]:
        """Begin the way out. Calling it again during the grace period ends that at once; later it does nothing."""
        timeouts = self.config.timeouts
        if self._phase is Phase.SERVING:
            self._outside.condition.draining = True
            self._phase = Phase.GRACE
            self.deadline = now + timeouts.drain_grace
            draining = Draining(grace=timeouts.drain_grace, drain=timeouts.drain)
            return [Emit(draining), *self.handle_timeout(now=now)]
        if self._phase is Phase.GRACE:
            self.deadline = now
            return self.handle_timeout(now=now)
        return []

    def handle_timeout(self, *, now: float) -> list[GatewayEffect]:
        """Go on when `deadline` has come. Calling early does nothing."""
        effects: list[GatewayEffect] = []
        if self._phase is Phase.GRACE and self.deadline is not None and now >= self.deadline:
            self._phase = Phase.DRAINING
            self.deadline = now + self.config.timeouts.drain
            effects += [StopAccepting(), CloseIdle()]
        if self._phase is Phase.DRAINING and self.deadline is not None and now >= self.deadline:
            self._phase = Phase.HALTED
            self.deadline = None
            effects.append(Halt())
        return effects

    def _operation_of(self, request: Routed) -> OperationKind:
        found = request.match
        server = self._services.mcp.get(found.name) if found.route.operation == "mcp" else None
        name = "mcp_server" if server is not None and server.builtin else found.route.operation
        return operation_class(name, request.head.headers)
