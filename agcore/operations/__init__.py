"""What routes do: one class for each operation that `routes.ROUTES` names, loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final, cast

from agcore.codecs.header_fields import media_type
from agcore.machines.operation import Operation
from agcore.protocol.http import Headers

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "generate": ("agcore.operations.generate", "Generate"),
    "respond": ("agcore.operations.respond", "Respond"),
    "compact": ("agcore.operations.compact", "Compact"),
    "stored_response": ("agcore.operations.stored_responses", "StoredResponse"),
    "cancel_response": ("agcore.operations.stored_responses", "CancelResponse"),
    "input_items": ("agcore.operations.stored_responses", "InputItems"),
    "count_tokens": ("agcore.operations.count_tokens", "CountTokens"),
    "list_models": ("agcore.operations.models", "ListModels"),
    "get_model": ("agcore.operations.models", "GetModel"),
    "detect": ("agcore.operations.models", "Detect"),
    "warmup": ("agcore.operations.warmup", "Warmup"),
    "discard": ("agcore.operations.status", "Discard"),
    "health": ("agcore.operations.status", "Health"),
    "ready": ("agcore.operations.status", "Ready"),
    "probe": ("agcore.operations.status", "Probe"),
    "upgrade": ("agcore.operations.status", "Upgrade"),
    "refuse": ("agcore.operations.status", "Refuse"),
    "later": ("agcore.operations.status", "Later"),
    "media": ("agcore.operations.media", "Media"),
    "embeddings": ("agcore.operations.embeddings", "Embeddings"),
    "transcribe": ("agcore.operations.transcribe", "Transcribe"),
    "images": ("agcore.operations.images", "Images"),
    "image_edits": ("agcore.operations.images", "ImageForms"),
    "mcp": ("agcore.mcp.operations.proxy", "McpProxy"),
    "mcp_messages": ("agcore.mcp.operations.proxy", "McpMessages"),
    "mcp_metadata": ("agcore.mcp.operations.metadata", "McpMetadata"),
    "mcp_server": ("agcore.mcp.operations.endpoint", "McpServer"),
}
"""Operation -> its module and the class in it. Loading all of them would be a good part of the start-up."""


def operation(name: str, headers: Headers = ()) -> type[Operation]:
    """The class of a route's operation.

    Args:
        name: As the route has it.
        headers: The request's: image edits come as a form or as JSON, which is not one operation.
    """
    if name == "image_edits":
        kind = media_type(headers)
        name = "images" if kind == b"application/json" or kind.endswith(b"+json") else name
    return _loaded(*OPERATIONS[name])


@cache
def _loaded(module: str, name: str) -> type[Operation]:
    return cast("type[Operation]", getattr(import_module(module), name))
