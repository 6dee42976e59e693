"""agcore: the sans-IO core of a local LLM gateway.

Nothing in this package opens a socket, reads a clock or a file, draws a random number or writes a log. A frontend does
the IO: it makes one `Gateway`, opens an `Exchange` for each request, tells it what happened and performs the effects it
returns. `load_config` makes the configuration that a `Gateway` takes; `demo_answer` is an upstream that needs no key.

This module, `agcore.protocol` (the same words once more) and `agcore.config` are public; all other modules are private
and change without notice.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from agcore.codecs.sse import Decoder as SSEDecoder
from agcore.codecs.sse import Frame as SSEFrame
from agcore.config import Config, Secret
from agcore.convert import ConversionError, ConvertedRequest, ConvertedStream, convert
from agcore.gateway import VERSION as __version__
from agcore.gateway import Gateway
from agcore.machines.exchange import Exchange
from agcore.models.listing import ListedModel
from agcore.models.profiles import Profile
from agcore.protocol import (
    AbortClient,
    AbortUpstream,
    Body,
    ClientGone,
    CloseIdle,
    DrainRequested,
    DropSpool,
    Effect,
    EndUpstream,
    Fault,
    FileRead,
    FileRefused,
    Finish,
    GatewayEffect,
    Halt,
    Headers,
    Input,
    LocalProtocolError,
    Note,
    Notified,
    NotifyExchange,
    OpenUpstream,
    Origin,
    Patch,
    Peer,
    ProxyServer,
    ReadFile,
    ReadSpool,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    SendUpstream,
    Sent,
    Spool,
    Spooled,
    SpoolFailed,
    Stage,
    State,
    StopAccepting,
    Streamed,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
    UpstreamRequest,
    Vendor,
    Written,
)
from agcore.routing.catalog import Catalog, Miss, Resolution

if TYPE_CHECKING:
    from agcore.config import ConfigError, load_config
    from agcore.conversation.losses import Loss
    from agcore.demo.provider import DemoAnswer, demo_answer
    from agcore.ingress.report import describe_routes
    from agcore.protocol import Patcher, is_public
else:
    _ON_FIRST_USE: Final = {
        "ConfigError": "agcore.config",
        "DemoAnswer": "agcore.demo.provider",
        "Loss": "agcore.conversation.losses",
        "Patcher": "agcore.protocol",
        "demo_answer": "agcore.demo.provider",
        "describe_routes": "agcore.ingress.report",
        "is_public": "agcore.protocol",
        "load_config": "agcore.config",
    }

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)


__all__ = [
    "AbortClient",
    "AbortUpstream",
    "Body",
    "Catalog",
    "ClientGone",
    "CloseIdle",
    "Config",
    "ConfigError",
    "ConversionError",
    "ConvertedRequest",
    "ConvertedStream",
    "DemoAnswer",
    "DrainRequested",
    "DropSpool",
    "Effect",
    "EndUpstream",
    "Exchange",
    "Fault",
    "FileRead",
    "FileRefused",
    "Finish",
    "Gateway",
    "GatewayEffect",
    "Halt",
    "Headers",
    "Input",
    "ListedModel",
    "LocalProtocolError",
    "Loss",
    "Miss",
    "Note",
    "Notified",
    "NotifyExchange",
    "OpenUpstream",
    "Origin",
    "Patch",
    "Patcher",
    "Peer",
    "Profile",
    "ProxyServer",
    "ReadFile",
    "ReadSpool",
    "RequestBroken",
    "RequestData",
    "RequestEnd",
    "RequestHead",
    "Resolution",
    "SSEDecoder",
    "SSEFrame",
    "Secret",
    "SendData",
    "SendEnd",
    "SendHead",
    "SendUpstream",
    "Sent",
    "Spool",
    "SpoolFailed",
    "Spooled",
    "Stage",
    "State",
    "StopAccepting",
    "Streamed",
    "UpstreamConnected",
    "UpstreamData",
    "UpstreamEnd",
    "UpstreamFailed",
    "UpstreamHead",
    "UpstreamInput",
    "UpstreamRequest",
    "Vendor",
    "Written",
    "__version__",
    "convert",
    "demo_answer",
    "describe_routes",
    "is_public",
    "load_config",
]
