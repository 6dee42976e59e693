"""The parts of a message's content, as clients of OpenAI's dialects send them (docs/wire/messages-and-media.md).

Chat and Responses name the same parts differently, and clients mix the names up, so that either dialect reads both.
Blocks of Anthropic's, which editors and frameworks send as well, are read by Anthropic's own reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Image,
    Invalid,
    Part,
    Refusal,
    Role,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from agcore.dialects.openai.fields import Fields, as_members, needed_text, text, wrong
from agcore.dialects.openai.media_parts import audio_type, clean_base64, sniffed, source_of
from agcore.dialects.shared.unread import note_unread

KINDS: Final = frozenset({
    "text", "input_text", "output_text", "refusal", "image_url", "input_image", "video_url", "input_audio", "file",
    "input_file", "summary_text", "reasoning_text", "computer_screenshot",
})  # fmt: skip
"""The parts that are OpenAI's."""

_MARKS: Final = frozenset({"type", "cache_control", "prompt_cache_breakpoint"})
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "reasoning_text"), _MARKS | {"text"}),
    "refusal": _MARKS | {"refusal"},
    **dict.fromkeys(("image_url", "input_image", "computer_screenshot"), _MARKS | {"image_url", "detail", "file_id"}),
    "video_url": _MARKS | {"video_url", "detail"},
    "input_audio": _MARKS | {"input_audio"},
    "file": _MARKS | {"file"},
    "input_file": _MARKS | {"filename", "file_id", "file_data", "file_url"},
}
"""What is read of each kind of part."""

Content = Text | Image | Document | Audio | Video
"""What a tool's result may hold."""

_TYPES: Final = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/plain", "csv": "text/plain"}
"""Of files whose bytes do not tell, by the ends of their names."""


def read_parts(content: object, path: str, role: Role, losses: Losses) -> list[Part]:
    """The parts of a `content` or an `output`; empty text is left out.

    Raises:
        Invalid: A part that OpenAI would refuse, or that is of no kind that is known here.
    """
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    if not isinstance(content, list):
        raise wrong(path, "a string or an array of parts")
    parts: list[Part] = []
    for index, item in enumerate(content):
        read_part(item, f"{path}[{index}]", role, losses, parts)
    return parts


def read_part(item: object, path: str, role: Role, losses: Losses, into: list[Part]) -> None:
    """Add what a part says to the parts before it. Raises Invalid, as `read_parts` does."""
    if isinstance(item, str):
        into += [Text(item)] if item else []
        return
    fields = as_members(item, path)
    dotted = path + "."
    kind = needed_text(fields, "type", dotted)
    if kind not in KINDS:
        from agcore.dialects.anthropic import blocks_reader

        if kind not in blocks_reader.KINDS:
            raise Invalid(f"`{path}`: parts of type {kind!r} are not known", param=path)
        blocks_reader.read_block(fields, role, path, losses, into)
        return
    note_unread(fields, _MEMBERS[kind], dotted, losses)
    cache = cache_marker(fields)
    if kind in ("text", "input_text", "output_text"):
        said = _said(fields, "text", dotted)
        into += [Text(said, cache=cache)] if said else []
    elif kind == "refusal":
        said = _said(fields, "refusal", dotted)
        into += [Refusal(said)] if said else []
    elif kind in ("summary_text", "reasoning_text"):
        said = _said(fields, "text", dotted)
        into += [Thinking(said)] if said else []
    elif kind == "input_audio":
        audio = as_members(fields.get("input_audio"), dotted + "input_audio")
        into.append(Audio(_audio_source(audio, dotted + "input_audio.")))
    elif kind in ("file", "input_file"):
        into.append(_file(fields, kind, dotted, cache, losses))
    else:
        if fields.get("image_url") and fields.get("file_id"):
            losses.add(dotted + "file_id", "its address says it already", weight="note")
        into.append(read_seen(fields, kind, dotted, cache))
    if cache and not (into and isinstance(into[-1], Text | Image | Document)):
        losses.add(path + ".cache_control", "what is so marked cannot be", weight="note")


def _said(fields: Fields, name: str, path: str) -> str:
    """A text that must be there, though it may be empty."""
    if name not in fields:
        raise wrong(path + name, "a string")
    return text(fields, name, path)


def result_content(parts: list[Part], path: str) -> tuple[Content, ...]:
    """The content of a tool's result. Raises Invalid for a part that no result holds."""
    content: list[Content] = []
    for part in parts:
        if isinstance(part, ToolResult):  # a result in Anthropic's form inside the one that OpenAI's form makes of it
            content += part.content
        elif isinstance(part, Refusal | Thinking):
            content += [Text(part.text)] if part.text else []
        elif isinstance(part, Content):
            content.append(part)
        else:
            raise Invalid(f"`{path}` holds what the result of a tool cannot hold", param=path)
    return tuple(content)


def read_seen(fields: Fields, kind: str, path: str, cache: str = "") -> Image | Video:
    """A picture or video; its URL stands in an object, or bare. Raises Invalid."""
    name = "video_url" if kind == "video_url" else "image_url"
    where = f"{path}{name}" if kind in ("input_image", "computer_screenshot") else f"{path}{name}.url"
    holder, detail = fields.get(name), text(fields, "detail", path)
    if isinstance(holder, dict):
        detail = text(holder, "detail", f"{path}{name}.") or detail
        holder = holder.get("url")
    if (not isinstance(holder, str) or not holder) and name == "image_url" and text(fields, "file_id", path):
        return Image(Source(file_id=text(fields, "file_id", path)), detail=detail, cache=cache)
    if not isinstance(holder, str) or not holder:
        raise wrong(where, "a URL")
    source = source_of(holder)
    if source is None:
        raise wrong(where, "a URL, or a data URL in base64")
    return Video(source) if name == "video_url" else Image(source, detail=detail, cache=cache)


def _audio_source(audio: Fields, path: str) -> Source:
    data = clean_base64(needed_text(audio, "data", path))
    if not data:
        raise wrong(path + "data", "base64")
    return Source(media_type=audio_type(needed_text(audio, "format", path)), data=data)


def _file(fields: Fields, kind: str, path: str, cache: str, losses: Losses) -> Document | Image | Audio | Video:
    """A file: its bytes before its address, and that before the vendor's id of it."""
    if kind == "file":
        fields = as_members(fields.get("file"), path + "file")
        path += "file."
        note_unread(fields, _MEMBERS["input_file"], path, losses)
    title, file_id = text(fields, "filename", path), text(fields, "file_id", path)
    name = "file_data" if text(fields, "file_data", path) or not text(fields, "file_url", path) else "file_url"
    value = text(fields, name, path)
    if not value and file_id:
        return Document(Source(file_id=file_id), title=title, cache=cache)
    for other in ("file_url", "file_id"):
        if other != name and fields.get(other):
            losses.add(path + other, "its bytes or address say it already", weight="note")
    source = source_of(value)
    if source is None:
        data = clean_base64(value)
        if not data:
            raise Invalid(f"`{path}{name}` must be a data URL, or base64", param=path + name)
        known = _TYPES.get(title.rpartition(".")[2].lower())
        source = Source(media_type=sniffed(data) or known or "application/octet-stream", data=data)
    if source.media_type.startswith("image/"):
        return Image(source, cache=cache)
    if source.media_type.startswith("audio/"):
        return Audio(source)
    if source.media_type.startswith("video/"):
        return Video(source)
    return Document(source, title=title, cache=cache)


def cache_marker(fields: Fields) -> str:
    """The cache marker of a part, message or tool, in OpenAI's spelling or Anthropic's; empty where there is none."""
    marker = fields.get("prompt_cache_breakpoint")
    if not isinstance(marker, dict):
        marker = fields.get("cache_control")
    if not isinstance(marker, dict):
        return ""
    lifetime = marker.get("ttl")
    return lifetime if isinstance(lifetime, str) and lifetime else "default"


def marked(parts: list[Part], message: Fields, path: str, losses: Losses) -> list[Part]:
    """The parts of a message with its own cache marker, which stands behind the last of them that can be marked.

    Args:
        parts: What the message says.
        message: The object that may have the marker.
        path: Its place, with a dot behind it.
        losses: For a marker on nothing.
    """
    cache = cache_marker(message)
    if not cache:
        return parts
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, Text | Image | Document | ToolCall | ToolResult):
            parts[at] = msgspec.structs.replace(part, cache=part.cache or cache)
            return parts
    losses.add(path + "cache_control", "nothing in the message can be marked", weight="note")
    return parts
