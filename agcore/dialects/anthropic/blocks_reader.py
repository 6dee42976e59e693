"""The content blocks of a Messages client, as parts (docs/wire/anthropic-messages.md#blocks).

Blocks of Anthropic's form stand in requests of other dialects, too, whose readers hand them over; and parts of OpenAI's
stand among Anthropic's blocks, which its own reader is handed in turn. What nobody knows is refused, by its place:
an answer to a message that was not read would be an answer about nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, Literal

from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import opened
from agcore.conversation.values import (
    Document,
    Foreign,
    Image,
    Invalid,
    Part,
    Role,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from agcore.dialects.anthropic import hosted_blocks
from agcore.dialects.anthropic.arguments import object_text
from agcore.dialects.anthropic.fields import blocks, cache_of, filled, kind_of, string
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.openai import parts_reader as openai_parts
from agcore.dialects.shared.unread import note_unread

_SHOWN: Final = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})
"""What people and tools may show."""
_SAID: Final = frozenset({"thinking", "redacted_thinking", "tool_use"})
"""What only the assistant says."""
_KEPT: Final = frozenset({"fallback", "mcp_tool_listing"})
"""Marks by which Anthropic reads its own answers again; they tell the model nothing."""
KINDS: Final = (
    _SHOWN
    | _SAID
    | _KEPT
    | hosted_blocks.CALLS
    | hosted_blocks.RESULTS
    | {"tool_result", "compaction", "container_upload"}
)
"""The blocks that are Anthropic's."""

_RAN: Final = frozenset({"type", "cache_control", "id", "name", "server_name", "input"})
_GAVE: Final = frozenset({"type", "cache_control", "tool_use_id", "content", "is_error"})
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"type", "cache_control", "text"}),
    "image": frozenset({"type", "cache_control", "source"}),
    "document": frozenset({"type", "cache_control", "source", "title", "context", "citations"}),
    "search_result": frozenset({"type", "cache_control", "content", "title", "source"}),
    "tool_reference": frozenset({"type", "cache_control", "tool_name"}),
    "browser_state": frozenset({"type", "cache_control", "tabs", "state_changes"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "cache_control", "id", "name", "input"}),
    "tool_result": _GAVE,
    "compaction": frozenset({"type", "cache_control", "content", "tool_changes"}),
    "container_upload": frozenset({"type", "cache_control", "file_id"}),
    **dict.fromkeys(hosted_blocks.CALLS, _RAN),
    **dict.fromkeys(hosted_blocks.RESULTS, _GAVE),
}
"""What is read of each kind of block."""
_SOURCE: Final = frozenset({"type", "media_type", "data", "url", "file_id", "content"})


def read_block(block: dict[str, object], role: Role, path: str, losses: Losses, into: list[Part]) -> None:
    """Add what a block says to the parts before it in its message.

    Args:
        block: An object.
        role: Whose message it stands in.
        path: Its place in the request.
        losses: What has no place elsewhere.
        into: The parts of the message so far. A signature that travels before a call moves to that call.

    Raises:
        Invalid: A block that Anthropic would refuse, or that is of no kind that is known here.
    """
    kind = kind_of(block, path)
    if kind in _MEMBERS:
        note_unread(block, _MEMBERS[kind], path + ".", losses)
    if kind in _SAID and role != "assistant":
        raise Invalid(f"{path}: `{kind}` blocks are allowed in assistant messages only", param=path)
    if kind == "tool_result" and role != "user":
        raise Invalid(f"{path}: `tool_result` blocks are allowed in user messages only", param=path)
    if kind in _SHOWN:
        into += _shown(block, kind, path, losses)
    elif kind == "thinking":
        text, signature = string(block, "thinking", path), _signature(block.get("signature"), "thinking")
        if signature is not None and signature.kind == "call":
            into += [Thinking(text)] if text else []
            text = ""
        if text or signature is not None:
            into.append(Thinking(text, signature))
    elif kind == "redacted_thinking":
        signature = _signature(block.get("data"), "redacted")
        into += [Thinking("", signature)] if signature is not None else []
    elif kind == "tool_use":
        into.append(_call(block, path, _travelling(into)))
    elif kind == "tool_result":
        into.append(_result(block, path, losses))
    elif kind == "compaction":
        summary = block.get("content")  # of all that was said before; null where summing up failed
        if isinstance(summary, str) and summary:
            into.append(Text(summary, cache_of(block)))
        else:
            losses.add(path, "nothing was compacted", weight="note")
    elif kind in hosted_blocks.CALLS or kind in hosted_blocks.RESULTS:
        into.append(Foreign(NAME, kind, block, hosted_blocks.stands_for(block, kind, path)))
    elif kind == "container_upload":
        told = Text(f"[file {filled(block, 'file_id', path)}, in the container of the code execution]")
        losses.add(path, "the file is in a container at Anthropic's", action="told of", weight="warn")
        into.append(Foreign(NAME, kind, block, (told,)))
    elif kind in _KEPT:
        losses.add(path, f"`{kind}` is a mark for Anthropic itself", weight="note")
    elif kind in openai_parts.KINDS:
        openai_parts.read_part(block, path, role, losses, into)
    else:
        raise Invalid(f"{path}: blocks of type `{kind}` are not known", param=path)


def _travelling(parts: list[Part]) -> Signature | None:
    """The signature of the next call, which travels in a thinking block before it: taken from there."""
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, ToolCall):
            break
        if isinstance(part, Thinking) and part.signature is not None and part.signature.kind == "call":
            del parts[at]
            return part.signature
    return None


def _shown(block: dict[str, object], kind: str, path: str, losses: Losses) -> list[Text | Image | Document]:
    if kind == "text":
        return list(read_text(block, path))
    if kind == "image":
        return [Image(_source(block, path, losses), cache=cache_of(block))]
    if kind == "document":
        return _document(block, path, losses)
    if kind == "search_result":
        found = []
        for at, item in enumerate(blocks(block.get("content"), f"{path}.content")):
            found.append(string(item, "text", path))
            note_unread(item, _MEMBERS["text"] - {"cache_control"}, f"{path}.content[{at}].", losses)
        lines = [str(block[name]) for name in ("title", "source") if isinstance(block.get(name), str)]
        text = "\n".join(lines + found)
    elif kind == "browser_state":
        text = "\n".join(hosted_blocks.readable(block))
    else:
        text = f"tool: {string(block, 'tool_name', path)}"
    return [Text(text, cache_of(block))] if text else []


def read_text(block: dict[str, object], path: str) -> tuple[Text, ...]:
    """The text of a text block; none where it is empty."""
    text = string(block, "text", path)
    return (Text(text, cache_of(block)),) if text else ()


def _call(block: dict[str, object], path: str, signature: Signature | None) -> ToolCall:
    arguments = block.get("input")
    if not isinstance(arguments, dict):
        raise Invalid(f"{path}.input: Input should be an object", param=f"{path}.input")
    call, name = filled(block, "id", path), filled(block, "name", path)
    return ToolCall(call, name, object_text(arguments), signature=signature, cache=cache_of(block))


def _result(block: dict[str, object], path: str, losses: Losses) -> ToolResult:
    call, content, is_error = filled(block, "tool_use_id", path), block.get("content"), block.get("is_error")
    if is_error is not None and not isinstance(is_error, bool):
        raise Invalid(f"{path}.is_error: Input should be true or false", param=f"{path}.is_error")
    parts: list[Part] = []
    if isinstance(content, str):
        parts = [Text(content)] if content else []
    elif content is not None:
        for at, item in enumerate(blocks(content, f"{path}.content")):
            read_block(item, "user", f"{path}.content[{at}]", losses, parts)
    said = openai_parts.result_content(parts, path)
    return ToolResult(
        call,
        tuple(part for part in said if not isinstance(part, Text) or part.text.strip()),
        bool(is_error),
        cache=cache_of(block),
    )


def _document(block: dict[str, object], path: str, losses: Losses) -> list[Text | Image | Document]:
    source, title, cache = block.get("source"), block.get("title"), cache_of(block)
    title = title if isinstance(title, str) else ""
    if block.get("context"):
        losses.add(f"{path}.context", "a document's context has no place elsewhere")
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        losses.add(f"{path}.citations", "citations of documents are Anthropic's own")
    if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
        return [Document(_source(block, path, losses, "application/pdf"), title, cache)]
    if source["type"] == "text":
        return [_plain(string(source, "data", f"{path}.source"), title, cache)]
    content = source.get("content")
    if isinstance(content, str):
        return [_plain(content, title, cache)]
    parts: list[Text | Image | Document] = []
    for at, item in enumerate(blocks(content, f"{path}.source.content")):
        here = f"{path}.source.content[{at}]"
        note_unread(item, _MEMBERS["image"] | _MEMBERS["text"], here + ".", losses)
        if kind_of(item, here) == "image":
            parts.append(Image(_source(item, here, losses), cache=cache_of(item) or cache))
        else:
            parts.append(_plain(string(item, "text", here), title, cache_of(item) or cache))
    return parts


def _plain(text: str, title: str, cache: str) -> Document:
    data = base64.b64encode(text.encode(errors="replace")).decode("ascii")
    return Document(Source(media_type="text/plain", data=data), title, cache)


def _source(block: dict[str, object], path: str, losses: Losses, default: str = "") -> Source:
    """Where the bytes of an image or document are."""
    source, here = block.get("source"), f"{path}.source"
    if not isinstance(source, dict):
        raise Invalid(f"{here}: Field required", param=here)
    note_unread(source, _SOURCE, here + ".", losses)
    media_type = source.get("media_type")
    media_type = media_type if isinstance(media_type, str) else default
    kind = source.get("type")
    if kind == "base64":
        return Source(media_type=media_type, data=_base64(string(source, "data", here), f"{here}.data"))
    if kind == "url":
        return Source(media_type=media_type, url=filled(source, "url", here))
    if kind == "file":
        return Source(file_id=filled(source, "file_id", here))
    raise Invalid(f"{here}.type: Input should be 'base64', 'url' or 'file'", param=f"{here}.type")


def _base64(text: str, path: str) -> str:
    """Base64 of either alphabet, with or without padding and white space, in the standard form."""
    text = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise Invalid(f"{path}: Input should be base64", param=path)
    return base64.b64encode(data).decode("ascii")


def _signature(text: object, kind: Literal["thinking", "redacted"]) -> Signature | None:
    if not isinstance(text, str) or not text:
        return None
    return opened(text) or Signature("", kind, text)
