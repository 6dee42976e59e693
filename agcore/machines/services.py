"""What every exchange of one configuration shares."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.config.values import Config, McpServer
from agcore.ingress.auth import Guard
from agcore.machines.ids import Ids
from agcore.machines.outside import Outside
from agcore.routing.catalog import Catalog


class ServerStatus(msgspec.Struct):
    """The gateway's own condition, for liveness answers. The one value here that changes."""

    started: float
    draining: bool = False


class GatewayServices(msgspec.Struct, frozen=True):
    """The configuration and what was made from it, with the one port to shared state."""

    config: Config
    catalog: Catalog
    guard: Guard
    ledger: Outside
    ids: Ids
    status: ServerStatus
    mcp: Mapping[str, McpServer]
    """By name."""
    version: str
