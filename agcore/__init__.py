"""agcore: the sans-IO core of a local LLM gateway.

Nothing in this package opens a socket, reads a clock or a file, draws a random number or writes a log. A frontend does
the IO: it makes one `Gateway`, opens an `Exchange` for each request, tells it what happened and performs the effects it
returns. docs/write-a-frontend.md shows the loop, and tests/support/story.py runs exchanges without any IO at all.
"""

from __future__ import annotations

from agcore.config import Config, Secret
from agcore.effects import (
    AbortClient,
    AbortUpstream,
    CloseIdle,
    Effect,
    Finish,
    GatewayEffect,
    Halt,
    Note,
    OpenUpstream,
    Origin,
    SendData,
    SendEnd,
    SendHead,
    StopAccepting,
    UpstreamRequest,
)
from agcore.exchange import Exchange, State
from agcore.fault import Fault, LocalProtocolError
from agcore.gateway import VERSION as __version__
from agcore.gateway import Gateway
from agcore.inputs import (
    ClientGone,
    DrainRequested,
    Headers,
    Input,
    Peer,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestHead,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
    Written,
)

__all__ = [
    "AbortClient",
    "AbortUpstream",
    "ClientGone",
    "CloseIdle",
    "Config",
    "DrainRequested",
    "Effect",
    "Exchange",
    "Fault",
    "Finish",
    "Gateway",
    "GatewayEffect",
    "Halt",
    "Headers",
    "Input",
    "LocalProtocolError",
    "Note",
    "OpenUpstream",
    "Origin",
    "Peer",
    "RequestBroken",
    "RequestData",
    "RequestEnd",
    "RequestHead",
    "Secret",
    "SendData",
    "SendEnd",
    "SendHead",
    "Sent",
    "Stage",
    "State",
    "StopAccepting",
    "UpstreamConnected",
    "UpstreamData",
    "UpstreamEnd",
    "UpstreamFailed",
    "UpstreamHead",
    "UpstreamInput",
    "UpstreamRequest",
    "Written",
    "__version__",
]
