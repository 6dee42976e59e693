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
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Body,
    ClientGone,
    CloseIdle,
    Crashed,
    CredentialCooled,
    Draining,
    DrainRequested,
    DropSpool,
    Effect,
    Emit,
    EndUpstream,
    Event,
    FailureKind,
    Fault,
    FileRead,
    FileRefused,
    Finish,
    FirstContent,
    GatewayEffect,
    Halt,
    Headers,
    HeadRefused,
    Input,
    LocalProtocolError,
    Loss,
    Notified,
    NotifyExchange,
    OpenUpstream,
    Origin,
    Outcome,
    Patch,
    Peer,
    ProxyServer,
    ReadFile,
    ReadSpool,
    Reloaded,
    Report,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestEnded,
    RequestHead,
    RequestStarted,
    Resolved,
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
    Usage,
    Vendor,
    Warned,
    Written,
)
from agcore.routing.catalog import Catalog, Miss, Resolution
from agcore.telemetry.access_log import LogRow, log_row

if TYPE_CHECKING:
    from agcore.config import ConfigError, load_config
    from agcore.demo.provider import DemoAnswer, demo_answer
    from agcore.ingress.report import describe_routes
    from agcore.protocol import Patcher, is_public
    from agcore.replay import ReplayError, replay_recording
    from agcore.telemetry.recording import Recorder
else:
    _ON_FIRST_USE: Final = {
        "ConfigError": "agcore.config",
        "DemoAnswer": "agcore.demo.provider",
        "Patcher": "agcore.protocol",
        "Recorder": "agcore.telemetry.recording",
        "ReplayError": "agcore.replay",
        "demo_answer": "agcore.demo.provider",
        "describe_routes": "agcore.ingress.report",
        "is_public": "agcore.protocol",
        "load_config": "agcore.config",
        "replay_recording": "agcore.replay",
    }

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)


__all__ = [
    "AbortClient",
    "AbortUpstream",
    "Attempt",
    "AttemptEnded",
    "AttemptStarted",
    "Body",
    "Catalog",
    "ClientGone",
    "CloseIdle",
    "Config",
    "ConfigError",
    "ConversionError",
    "ConvertedRequest",
    "ConvertedStream",
    "Crashed",
    "CredentialCooled",
    "DemoAnswer",
    "DrainRequested",
    "Draining",
    "DropSpool",
    "Effect",
    "Emit",
    "EndUpstream",
    "Event",
    "Exchange",
    "FailureKind",
    "Fault",
    "FileRead",
    "FileRefused",
    "Finish",
    "FirstContent",
    "Gateway",
    "GatewayEffect",
    "Halt",
    "HeadRefused",
    "Headers",
    "Input",
    "ListedModel",
    "LocalProtocolError",
    "LogRow",
    "Loss",
    "Miss",
    "Notified",
    "NotifyExchange",
    "OpenUpstream",
    "Origin",
    "Outcome",
    "Patch",
    "Patcher",
    "Peer",
    "Profile",
    "ProxyServer",
    "ReadFile",
    "ReadSpool",
    "Recorder",
    "Reloaded",
    "ReplayError",
    "Report",
    "RequestBroken",
    "RequestData",
    "RequestEnd",
    "RequestEnded",
    "RequestHead",
    "RequestStarted",
    "Resolution",
    "Resolved",
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
    "Usage",
    "Vendor",
    "Warned",
    "Written",
    "__version__",
    "convert",
    "demo_answer",
    "describe_routes",
    "is_public",
    "load_config",
    "log_row",
    "replay_recording",
]
