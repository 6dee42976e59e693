"""What routes do: one class for each operation that `routes.ROUTES` names, loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final, cast

from agcore.headers import media_type
from agcore.inputs import Headers
from agcore.operations.base import Operation

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "generate": ("generate", "Generate"),
    "respond": ("respond", "Respond"),
    "compact": ("compact", "Compact"),
    "stored_response": ("stored_responses", "StoredResponse"),
    "cancel_response": ("stored_responses", "CancelResponse"),
    "input_items": ("stored_responses", "InputItems"),
    "count_tokens": ("count_tokens", "CountTokens"),
    "list_models": ("models", "ListModels"),
    "get_model": ("models", "GetModel"),
    "detect": ("models", "Detect"),
    "warmup": ("warmup", "Warmup"),
    "discard": ("status", "Discard"),
    "health": ("status", "Health"),
    "ready": ("status", "Ready"),
    "probe": ("status", "Probe"),
    "upgrade": ("status", "Upgrade"),
    "refuse": ("status", "Refuse"),
    "later": ("status", "Later"),
    "media": ("media", "Media"),
    "embeddings": ("embeddings", "Embeddings"),
    "transcribe": ("transcribe", "Transcribe"),
    "images": ("images", "Images"),
    "image_edits": ("images", "ImageForms"),
    "mcp": ("mcp_proxy", "McpProxy"),
    "mcp_messages": ("mcp_proxy", "McpMessages"),
    "mcp_metadata": ("mcp_metadata", "McpMetadata"),
    "mcp_server": ("mcp_server", "McpServer"),
}
"""Operation -> the module here and the class in it. Loading all of them would be a good part of the start-up."""


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
    return cast("type[Operation]", getattr(import_module(f"agcore.operations.{module}"), name))
