"""The gateway inside a client's own process: transports for httpx and httpx2.

`openai.OpenAI(http_client=httpx2.Client(transport=GatewayTransport2(config)))` asks no server: the gateway runs in this
process and asks the providers itself. `GatewayTransport` and `AsyncGatewayTransport` are for httpx, those that end in
2 for httpx2; each pair needs its library, and no other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agcore_httpx.on_httpx import AsyncGatewayTransport, GatewayTransport
    from agcore_httpx.on_httpx2 import AsyncGatewayTransport2, GatewayTransport2
else:
    _ON_FIRST_USE: Final = {
        "AsyncGatewayTransport": "agcore_httpx.on_httpx",
        "AsyncGatewayTransport2": "agcore_httpx.on_httpx2",
        "GatewayTransport": "agcore_httpx.on_httpx",
        "GatewayTransport2": "agcore_httpx.on_httpx2",
    }

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)


__all__ = ["AsyncGatewayTransport", "AsyncGatewayTransport2", "GatewayTransport", "GatewayTransport2"]
