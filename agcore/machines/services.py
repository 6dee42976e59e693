"""Services that all exchanges of one configuration share."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.config.values import Config, McpServer
from agcore.ingress.auth import Guard
from agcore.machines.outside import Outside
from agcore.routing.catalog import Catalog


class GatewayServices(msgspec.Struct, frozen=True):
    """The configuration and what was made from it, with the one port to all that changes."""

    config: Config
    catalog: Catalog
    guard: Guard
    outside: Outside
    mcp: Mapping[str, McpServer]
    """By name."""
    version: str
