"""Where a conversation is to be cached, in the client's words (docs/wire/settings.md#cache-markers)."""

from __future__ import annotations

from agcore.conversation.values import Conversation, Document, Image, Text, ToolCall, ToolResult


def has_markers(conversation: Conversation) -> bool:
    """Returns True where the client marked a place itself."""
    return any(tool.cache for tool in conversation.tools) or any(
        isinstance(part, Text | Image | Document | ToolCall | ToolResult) and part.cache
        for turn in conversation.turns
        for part in turn.parts
    )


def wished(conversation: Conversation) -> str:
    """The lifetime of a breakpoint at the end, wherever that is; empty where the client wishes for none.

    A client that names a key for the cache wishes for one, too: its own vendor caches without being told where
    (docs/decisions/0028-a-cache-key-is-a-wish-to-cache.md).
    """
    settings = conversation.settings
    if settings.cache or not settings.cache_key:
        return settings.cache
    return "" if has_markers(conversation) else "default"
