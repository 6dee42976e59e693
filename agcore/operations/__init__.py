"""What routes do: one class for each operation that `routes.ROUTES` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.headers import media_type
from agcore.inputs import Headers
from agcore.operations.base import Operation
from agcore.operations.compact import Compact
from agcore.operations.count_tokens import CountTokens
from agcore.operations.generate import Generate
from agcore.operations.mcp_metadata import McpMetadata
from agcore.operations.mcp_proxy import McpMessages, McpProxy
from agcore.operations.media import Media
from agcore.operations.models import Detect, GetModel, ListModels
from agcore.operations.respond import Respond
from agcore.operations.status import Discard, Health, Later, Probe, Ready, Refuse, Upgrade
from agcore.operations.stored_responses import CancelResponse, InputItems, StoredResponse
from agcore.operations.warmup import Warmup

OPERATIONS: Final[Mapping[str, type[Operation]]] = {
    "generate": Generate,
    "respond": Respond,
    "compact": Compact,
    "stored_response": StoredResponse,
    "cancel_response": CancelResponse,
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
    "mcp_messages": McpMessages,
    "mcp_metadata": McpMetadata,
}


def operation(name: str, headers: Headers = ()) -> type[Operation]:
    """The class of a route's operation. Some load on first use: they are not free to import.

    Args:
        name: As the route has it.
        headers: The request's: image edits come as a form or as JSON, which is not one operation.
    """
    if name == "transcribe":
        from agcore.operations.transcribe import Transcribe

        return Transcribe
    if name in ("images", "image_edits"):
        from agcore.operations.images import ImageForms, Images

        kind = media_type(headers)
        return Images if name == "images" or kind == b"application/json" or kind.endswith(b"+json") else ImageForms
    if name == "embeddings":
        from agcore.operations.embeddings import Embeddings

        return Embeddings
    if name == "mcp_server":
        from agcore.operations.mcp_server import McpServer

        return McpServer
    return OPERATIONS[name]
