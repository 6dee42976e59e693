"""Operations, one for each name that `routes.ROUTES` has, loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final, cast

from agcore.codecs.header_fields import media_type
from agcore.machines.operation import OperationKind
from agcore.protocol.http import Headers

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "generate": ("agcore.operations.tasks", "GENERATE"),
    "respond": ("agcore.operations.tasks", "RESPOND"),
    "compact": ("agcore.operations.tasks", "COMPACT"),
    "count_tokens": ("agcore.operations.count_task", "COUNT"),
    "media": ("agcore.operations.media_tasks", "MEDIA"),
    "embeddings": ("agcore.operations.media_tasks", "EMBED"),
    "transcribe": ("agcore.operations.media_tasks", "TRANSCRIBE"),
    "images": ("agcore.operations.media_tasks", "DRAW"),
    "image_edits": ("agcore.operations.media_tasks", "EDIT"),
    "stored_response": ("agcore.operations.stored_responses", "STORED"),
    "cancel_response": ("agcore.operations.stored_responses", "CANCEL"),
    "input_items": ("agcore.operations.stored_responses", "INPUT_ITEMS"),
    "list_models": ("agcore.operations.models", "ListModels"),
    "get_model": ("agcore.operations.models", "GetModel"),
    "detect": ("agcore.operations.models", "Detect"),
    "warmup": ("agcore.operations.warmup", "Warmup"),
    "admin_status": ("agcore.operations.admin", "Status"),
    "admin_reset": ("agcore.operations.admin", "Reset"),
    "discard": ("agcore.operations.status", "Discard"),
    "health": ("agcore.operations.status", "Health"),
    "ready": ("agcore.operations.status", "Ready"),
    "welcome": ("agcore.operations.welcome", "Welcome"),
    "probe": ("agcore.operations.status", "Probe"),
    "upgrade": ("agcore.operations.status", "Upgrade"),
    "refuse": ("agcore.operations.status", "Refuse"),
    "later": ("agcore.operations.status", "Later"),
    "mcp": ("agcore.mcp.operations.proxy", "McpProxy"),
    "mcp_messages": ("agcore.mcp.operations.proxy", "McpMessages"),
    "mcp_metadata": ("agcore.mcp.operations.metadata", "McpMetadata"),
    "mcp_server": ("agcore.mcp.operations.endpoint", "McpServer"),
}
"""Operation -> its module, and the class or the task in it. Loading all would be a good part of the start-up."""


def operation(name: str, headers: Headers = ()) -> OperationKind:
    """Returns what makes a route's operation.

    Args:
        name: As the route has it.
        headers: The request's: image edits come as a form or as JSON, which is not one operation.
    """
    if name == "image_edits":
        kind = media_type(headers)
        name = "images" if kind == b"application/json" or kind.endswith(b"+json") else name
    return _loaded(*OPERATIONS[name])


@cache
def _loaded(module: str, name: str) -> OperationKind:
    return cast("OperationKind", getattr(import_module(module), name))
