"""What routes do: one class for each operation that `routes.ROUTES` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.operations.base import Operation
from agcore.operations.count_tokens import CountTokens
from agcore.operations.generate import Generate
from agcore.operations.mcp_proxy import McpProxy
from agcore.operations.media import Media
from agcore.operations.models import Detect, GetModel, ListModels
from agcore.operations.respond import Respond
from agcore.operations.status import Discard, Health, Later, Probe, Ready, Refuse, Upgrade
from agcore.operations.stored_responses import InputItems, StoredResponse
from agcore.operations.warmup import Warmup

OPERATIONS: Final[Mapping[str, type[Operation]]] = {
    "generate": Generate,
    "respond": Respond,
    "stored_response": StoredResponse,
    "input_items": InputItems,
    "count_tokens": CountTokens,
    "list_models": ListModels,
    "get_model": GetModel,
    "detect": Detect,
    "warmup": Warmup,
    "discard": Discard,
    "health": Health,
    "ready": Ready,
    "probe": Probe,
    "upgrade": Upgrade,
    "refuse": Refuse,
    "later": Later,
    "media": Media,
    "mcp": McpProxy,
}


def operation(name: str) -> type[Operation]:
    """The class of a route's operation. Uploads and embeddings load on first use: they are not free to import."""
    if name == "upload":
        from agcore.operations.upload import Upload

        return Upload
    if name == "embeddings":
        from agcore.operations.embeddings import Embeddings

        return Embeddings
    return OPERATIONS[name]
