"""Legality: the inputs of each state and the states that follow, as literal tables, consulted before anything else.

An input that a state does not list is a driver's mistake and raises `LocalProtocolError`; what a peer does is never
raised. An exchange has six states, and what a client has seen so far is one of them, not a flag:

- RECEIVING: the request's body is arriving and is kept; nothing was sent.
- ASKING: the body is complete, and the operation needs facts of shared state that were asked for and are not there yet.
  Nothing was sent, and nobody else was asked anything.
- WAITING: the operation runs, the rest of an upload passing by. Nothing was sent: the answer may still become anything,
  an error with its own status included. JSON answers stay here to the end.
- OPENED: a stream's 200 and keepalives were sent, because the upstream was silent for `timeouts.open_after`, but no
  content. Errors are in-band from here on.
- COMMITTED: content was sent. The stream may only finish, or break with its dialect's own error.
- DONE: `Finish` was commanded, exactly once, and nothing follows it.

A call's leg has five, too: it is connecting, awaiting the head of an answer, or reading its body; it is paused before
the next attempt, when there is no connection at all; or it is over.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from agcore.protocol.fault import LocalProtocolError
from agcore.protocol.http import Peer, RequestHead
from agcore.protocol.inputs import (
    ClientGone,
    DrainRequested,
    FileRead,
    FileRefused,
    Notified,
    RequestBroken,
    RequestData,
    RequestEnd,
    SpoolFailed,
    StateReplied,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)


class State(enum.StrEnum):
    """The phases of an exchange, by what the client has seen so far. Text, because text hashes fast."""

    RECEIVING = "receiving"
    ASKING = "asking"
    WAITING = "waiting"
    OPENED = "opened"
    COMMITTED = "committed"
    DONE = "done"


FROM_CLIENT: Final = frozenset({RequestData, RequestEnd, RequestBroken})
FROM_UPSTREAM: Final = (UpstreamData, UpstreamHead, UpstreamEnd, UpstreamConnected, UpstreamFailed)
_R, _A, _W, _O, _C, _D = State
_OPENED: Final[Mapping[type, tuple[State, ...]]] = {
    UpstreamConnected: (),
    UpstreamHead: (),
    UpstreamData: (_C, _D),
    UpstreamEnd: (_D,),
    UpstreamFailed: (_D,),
    FileRead: (_C, _D),
    FileRefused: (_C, _D),
    StateReplied: (),
    Notified: (_D,),
    ClientGone: (_D,),
    Written: (),
    DrainRequested: (),
}
_UPLOADING: Final[Mapping[type, tuple[State, ...]]] = {
    RequestData: (_D,),
    RequestEnd: (_D,),
    RequestBroken: (_D,),
    SpoolFailed: (_D,),
    DrainRequested: (_D,),
}
EXCHANGE: Final[Mapping[State, Mapping[type, tuple[State, ...]]]] = {
    _R: {
        RequestData: (_W, _D),
        RequestEnd: (_A, _W, _C, _D),
        RequestBroken: (_D,),
        ClientGone: (_D,),
        Written: (),
        SpoolFailed: (_D,),
        DrainRequested: (_D,),
    },
    _A: {
        StateReplied: (_W, _D),
        ClientGone: (_D,),
        Written: (),
        DrainRequested: (),
    },
    # What is opened early is never an upload; anything else may be one that still passes by.
    _W: {**_OPENED, **_UPLOADING, UpstreamHead: (_C, _D)},
    _O: _OPENED,
    _C: {**_OPENED, **_UPLOADING},
    # After the end, late reports are dropped; a driver that still reads the request must do so for itself.
    _D: dict.fromkeys((_OPENED.keys() | _UPLOADING.keys()) - FROM_CLIENT, ()),
}
"""state -> input -> the states it may lead to, besides staying. docs/architecture.md draws its diagram from this."""

EXCHANGE_TIMED: Final[Mapping[State, tuple[State, ...]]] = {
    _R: (_D,),
    _A: (_W, _D),
    _W: (_O, _C, _D),
    _O: (_C, _D),
    _C: (_D,),
    _D: (),
}
"""state -> the states that the passing of time may lead to."""


class LegState(enum.StrEnum):
    """The phases of the live leg. Text, as `State`."""

    CONNECTING = "connecting"
    AWAITING = "awaiting the head"
    READING = "reading the body"
    PAUSED = "waiting for the next attempt"
    OVER = "over"


_AFTER: Final = (LegState.CONNECTING, LegState.PAUSED, LegState.OVER)
"""States that a failed attempt leads to."""

LEG: Final[Mapping[LegState, Mapping[type, tuple[LegState, ...]]]] = {
    LegState.CONNECTING: {
        UpstreamConnected: (LegState.AWAITING,),
        UpstreamFailed: _AFTER,
    },
    LegState.AWAITING: {
        UpstreamHead: (LegState.READING, LegState.OVER),
        UpstreamFailed: _AFTER,
    },
    LegState.READING: {
        UpstreamData: (LegState.READING, *_AFTER),
        UpstreamEnd: _AFTER,
        UpstreamFailed: _AFTER,
    },
    LegState.PAUSED: {},
    LegState.OVER: {},
}
"""state -> input -> the states that may follow. docs/architecture.md draws its diagram from this."""

LEG_TIMED: Final[Mapping[LegState, tuple[LegState, ...]]] = {
    LegState.CONNECTING: _AFTER,
    LegState.AWAITING: _AFTER,
    LegState.READING: _AFTER,
    LegState.PAUSED: _AFTER,
    LegState.OVER: (),
}
"""state -> the states that the passing of time may lead to."""


def check_head(head: RequestHead, peer: Peer) -> None:
    """Refuse a head that no driver may report, whatever its client sent.

    For heads that have led to something odd, such as a refusal: no key is found in a header that is called
    `Authorization`, or whose name is text.

    Raises:
        LocalProtocolError: What is wrong with the head, without the value of any header.
    """
    given: tuple[tuple[str, object, type], ...] = (
        ("peer", peer, Peer),
        ("method", head.method, str),
        ("target", head.target, bytes),
        ("headers", head.headers, tuple),
    )
    for what, value, kind in given:
        if not isinstance(value, kind):
            raise LocalProtocolError(f"the {what} of a request is {kind.__name__}, not {type(value).__name__}")
    fields: tuple[object, ...] = head.headers
    for number, field in enumerate(fields):
        if not isinstance(field, tuple) or [type(part) for part in field] != [bytes, bytes]:
            raise LocalProtocolError(f"header {number} of a request is not a tuple of its name and its value in bytes")
    for name, _ in head.headers:
        if name != name.lower():
            raise LocalProtocolError(f"the name of a header is in lower case, not {name!r}")
