"""One request to an upstream and what has come of it, without IO.

Frontends derive their `Leg` of `LegState`, which knows what is to be written next, how far the request came, and what
the answer's bytes say. Nothing here retries: what a failed leg had done (`stage`, `sent`, `reused`) is reported, and
the machines decide.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import h11

from agcore.protocol import (
    Sent,
    Spooled,
    Stage,
    Streamed,
    UpstreamConnected,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
    UpstreamRequest,
)
from agcore_host.http.base import BadAnswer, ClientEngine
from agcore_host.upstream.failures import Unreachable, place

if TYPE_CHECKING:
    from agcore_host.spool import Spool


class Step(enum.Enum):
    """What a leg does next."""

    OPEN = enum.auto()
    SEND = enum.auto()
    READ = enum.auto()
    OVER = enum.auto()


class LegState:
    """The state of one request to an upstream.

    While a `Streamed` body is incomplete, `step` says READ when all of it that is here was written; `feed` and `end`
    say what more there is. Once the upstream has refused it, the rest is kept back (RFC 9112, section 9.5).

    Args:
        number: what the core calls the leg.
        request: what to send.
        spool: the file of a `Spooled` body.
        defers_success: nothing but its head is said of a success that comes before all was written, until all was.

    Attributes:
        step: what comes next.
        sent: how much of the request was written.
        refused: an answer that is no success came before all was written; nothing more will be.
        deferred: of a success only the head was said yet; `_parse` of nothing goes on when all was written.
    """

    def __init__(
        self, number: int, request: UpstreamRequest, spool: Spool | None = None, *, defers_success: bool = False
    ) -> None:
        self.number = number
        self.step = Step.OPEN
        self.sent = Sent.NONE
        self.refused = False
        self.deferred = False
        self._defers_success = defers_success
        self._request = request
        self._spool = spool
        self._engine: ClientEngine | None = None
        self._reused = False
        self._pieces: list[bytes | memoryview] = []
        """What is to be written now."""
        self._later: Iterator[bytes] | None = None
        """What of a spooled body comes after that."""
        self._streaming = isinstance(request.body, Streamed)
        """More of the body will be fed."""
        self._stage = Stage.CONNECT
        self._complete = False

    @property
    def uploading(self) -> bool:
        """A streamed body is under way: the answer may come already."""
        return isinstance(self._request.body, Streamed) and self.sent is Sent.PART

    @property
    def in_one_piece(self) -> bool:
        """The whole request is one write, the next: nobody has to listen meanwhile whether the upstream refuses it."""
        return len(self._pieces) == 1 and self._later is None and not self._streaming and self.sent is Sent.NONE

    @property
    def keeps_connection(self) -> bool:
        """The request was written and answered to the end: its connection may serve another one."""
        return self._complete and self.sent is Sent.ALL

    def feed(self, data: bytes) -> None:
        """Takes a further piece of a streamed body, to be written next."""
        if self._engine is not None and self.step is not Step.OVER and not self.refused:
            self._add(self._engine.send_data(data))

    def end(self) -> None:
        """The streamed body is complete."""
        if self._engine is not None and self.step is not Step.OVER and not self.refused:
            self._streaming = False
            self._add(self._engine.end_request())
            if not self._pieces:
                self._all_sent()

    def _begin(self, engine: ClientEngine, *, reused: bool) -> list[UpstreamInput]:
        """Takes the engine of a connection and makes the bytes of the request's beginning."""
        self._reused = reused
        self._stage = Stage.SEND
        self.step = Step.SEND
        connected = UpstreamConnected(self.number, reused)
        try:
            self._pieces = engine.send_request(self._request)
        except h11.LocalProtocolError:
            # The text may quote a field, and thereby a key.
            return [connected, self._failed("is not asked: the request is not valid HTTP")]
        self._engine = engine
        if isinstance(self._request.body, Spooled):
            assert self._spool is not None
            self._later = engine.send_all(self._spool.pieces(self._request.body.patches))
        return [connected]

    def _piece_sent(self) -> None:
        """The first of the pieces was written: turns to the next one, or to reading if there is none.

        Raises:
            OSError: the file of a spooled body cannot be read.
        """
        del self._pieces[0]
        self.sent = Sent.PART
        if not self._pieces and self._later is not None:
            self._pieces = [*islice(self._later, 1)]
        if self._pieces:
            return
        if self._streaming:
            self.step = Step.READ
        else:
            self._all_sent()

    def _parse(self, data: bytes | bytearray | None) -> list[UpstreamInput]:
        """Says what bytes of the answer mean; `b""` is the end of the connection, None are none."""
        inputs: list[UpstreamInput] = []
        engine = self._engine
        if engine is None:
            return inputs
        if data is not None:
            engine.receive(data)
        try:
            while (item := engine.next_input(self.number)) is not None:
                inputs.append(item)
                if type(item) is UpstreamHead:
                    self._stage = Stage.BODY
                    if self.sent is not Sent.ALL:
                        if item.status >= 300:
                            self._keep_back()
                        elif self._defers_success:
                            self.deferred = True
                            break
                elif type(item) is UpstreamEnd:
                    self._complete = True
                    self.step = Step.OVER
                    break
        except BadAnswer as error:
            inputs.append(self._failed(str(error)))
        return inputs

    def _failed(self, what: str) -> UpstreamFailed:
        """The leg's failure, as what goes on after the name of the upstream."""
        self.step = Step.OVER
        cause = f"{place(self._request.origin)} {what}"
        return UpstreamFailed(self.number, self._stage, self.sent, self._reused, cause)

    def _unreachable(self, error: Unreachable) -> UpstreamFailed:
        """The leg's failure where there is no connection."""
        self.step = Step.OVER
        return UpstreamFailed(self.number, error.stage, Sent.NONE, False, error.cause)

    def _keep_back(self) -> None:
        """Writes nothing more of the request."""
        self.refused = True
        self._pieces = []
        if self.step is Step.SEND:
            self.step = Step.READ

    def _add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self.step = Step.SEND

    def _all_sent(self) -> None:
        self._pieces = []
        self.sent = Sent.ALL
        self._stage = Stage.BODY if self._stage is Stage.BODY else Stage.HEAD
        self.step = Step.READ
