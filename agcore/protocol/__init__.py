"""The words between the core and its frontends: inputs, effects, faults, and which of them is legal when.

All of it is public, and `agcore` exports the same names. Inputs are facts that a frontend reports, effects are commands
that it carries out; `is_public` and `Patcher` are what it takes to carry two of them out by the rules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from agcore.protocol.effects import (
    AbortClient,
    AbortUpstream,
    AskState,
    CloseIdle,
    DropSpool,
    Effect,
    Emit,
    EndUpstream,
    Finish,
    GatewayEffect,
    Halt,
    NotifyExchange,
    OpenUpstream,
    ReadFile,
    ReadSpool,
    SendData,
    SendEnd,
    SendHead,
    SendUpstream,
    Spool,
    StopAccepting,
)
from agcore.protocol.events import (
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Crashed,
    CredentialCooled,
    Draining,
    Event,
    FirstContent,
    HeadRefused,
    Outcome,
    Reloaded,
    RequestEnded,
    RequestStarted,
    Resolved,
    Warned,
)
from agcore.protocol.fault import FailureKind, Fault, LocalProtocolError, Vendor
from agcore.protocol.http import (
    Body,
    Headers,
    Origin,
    Patch,
    Peer,
    ProxyServer,
    RequestHead,
    Spooled,
    Streamed,
    UpstreamRequest,
)
from agcore.protocol.inputs import (
    ClientGone,
    DrainRequested,
    FileRead,
    FileRefused,
    Input,
    Notified,
    RequestBroken,
    RequestData,
    RequestEnd,
    Sent,
    SpoolFailed,
    Stage,
    StateReplied,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
    Written,
)
from agcore.protocol.legality import State
from agcore.protocol.report import Loss, Report, Usage
from agcore.protocol.state import Acquire, Denied, Granted, Load, Loaded, StateUnavailable, Store

if TYPE_CHECKING:
    from agcore.protocol.addresses import is_public
    from agcore.protocol.patches import Patcher
else:
    _ON_FIRST_USE: Final = {"is_public": "agcore.protocol.addresses", "Patcher": "agcore.protocol.patches"}

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)


__all__ = [
    "AbortClient",
    "AbortUpstream",
    "Acquire",
    "AskState",
    "Attempt",
    "AttemptEnded",
    "AttemptStarted",
    "Body",
    "ClientGone",
    "CloseIdle",
    "Crashed",
    "CredentialCooled",
    "Denied",
    "DrainRequested",
    "Draining",
    "DropSpool",
    "Effect",
    "Emit",
    "EndUpstream",
    "Event",
    "FailureKind",
    "Fault",
    "FileRead",
    "FileRefused",
    "Finish",
    "FirstContent",
    "GatewayEffect",
    "Granted",
    "Halt",
    "HeadRefused",
    "Headers",
    "Input",
    "Load",
    "Loaded",
    "LocalProtocolError",
    "Loss",
    "Notified",
    "NotifyExchange",
    "OpenUpstream",
    "Origin",
    "Outcome",
    "Patch",
    "Patcher",
    "Peer",
    "ProxyServer",
    "ReadFile",
    "ReadSpool",
    "Reloaded",
    "Report",
    "RequestBroken",
    "RequestData",
    "RequestEnd",
    "RequestEnded",
    "RequestHead",
    "RequestStarted",
    "Resolved",
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
    "StateReplied",
    "StateUnavailable",
    "StopAccepting",
    "Store",
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
    "is_public",
]
