"""The messages that a Chat client sends, as turns (docs/wire/openai-chat.md#messages).

Besides OpenAI's own fields it reads what the ecosystem adds: reasoning beside the content, bare string image URLs,
pictures beside an answer's text, signatures in `extra_content` and `reasoning_details`, cache markers on parts.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from agcore.codecs import json_text
from agcore.conversation import signature_carrier as signatures
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Image,
    Invalid,
    Part,
    Refusal,
    Role,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from agcore.dialects.openai.fields import Fields, as_members, items, members, needed_text, text, wrong
from agcore.dialects.openai.media_parts import audio_type, clean_base64, sniffed, source_of

_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}
_MEDIA: Final = (Text, Image, Document, Audio, Video)


class History:
    """Reads the messages of one request, in order."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._custom_ids: set[str] = set()
        self._function_ids: list[tuple[str, str]] = []  # (name, minted id) of old-style calls without a result yet

    def turns(self, messages: list[object]) -> tuple[Turn, ...]:
        """One turn for each message. Raises `conversation.values.Invalid` for what OpenAI would refuse."""
        return tuple(
            self._turn(as_members(message, f"messages[{index}]"), index) for index, message in enumerate(messages)
        )

    def _turn(self, message: dict[str, object], index: int) -> Turn:
        path = f"messages[{index}]."
        role = needed_text(message, "role", path)
        if role == "tool":
            return Turn("user", (self._tool_result(message, path),))
        if role == "function":
            return Turn("user", (self._function_result(message, index),))
        known = _ROLES.get(role)
        if known is None:
            raise Invalid(f"`{path}role` is none of the roles of Chat Completions: {role!r}", param=path + "role")
        parts = self._assistant(message, index) if known == "assistant" else self._content(message, path)
        if known in ("system", "developer"):
            parts = [part for part in parts if self._is_text(part, path)]
        return Turn(known, tuple(parts), name=text(message, "name", path))

    def _is_text(self, part: Part, path: str) -> bool:
        if not isinstance(part, Text):
            self._losses.add(path + "content", "instructions are text")
        return isinstance(part, Text)

    def _content(self, message: Fields, path: str) -> list[Part]:
        content = message.get("content")
        path += "content"
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise wrong(path, "a string or an array of parts")
        parts = []
        for index, item in enumerate(content):
            part = self._part(item, f"{path}[{index}]")
            if part is not None:
                parts.append(part)
        return parts

    def _part(self, item: object, path: str) -> Part | None:
        if isinstance(item, str):
            return Text(item) if item else None
        fields = as_members(item, path)
        dotted = path + "."
        kind = needed_text(fields, "type", dotted)
        cache = cache_marker(fields)
        if kind in ("text", "input_text", "output_text"):
            said = text(fields, "text", dotted)
            return Text(said, cache=cache) if said else None
        if kind == "refusal":
            said = text(fields, "refusal", dotted)
            return Refusal(said) if said else None
        if kind in ("image_url", "input_image", "video_url"):
            return self._seen(fields, kind, dotted, cache)
        if kind == "input_audio":
            audio = as_members(fields.get("input_audio"), dotted + "input_audio")
            return Audio(self._audio_source(audio, dotted + "input_audio."))
        if kind in ("file", "input_file"):
            return self._file(fields, kind, dotted, cache)
        self._losses.add(path, f"parts of type {kind!r} are not known")
        return None

    def _seen(self, fields: Fields, kind: str, path: str, cache: str) -> Image | Video:
        """A picture or video; its URL stands in an object, or bare."""
        name = "video_url" if kind == "video_url" else "image_url"
        holder, detail = fields.get(name), text(fields, "detail", path)
        if isinstance(holder, dict):
            detail = text(holder, "detail", f"{path}{name}.") or detail
            holder = holder.get("url")
        if not isinstance(holder, str) or not holder:
            raise wrong(f"{path}{name}.url", "a URL")
        source = source_of(holder)
        if source is None:
            raise wrong(f"{path}{name}.url", "a URL, or a data URL in base64")
        return Video(source) if name == "video_url" else Image(source, detail=detail, cache=cache)

    def _audio_source(self, audio: Fields, path: str) -> Source:
        data = clean_base64(needed_text(audio, "data", path))
        if not data:
            raise wrong(path + "data", "base64")
        return Source(media_type=audio_type(needed_text(audio, "format", path)), data=data)

    def _file(self, fields: Fields, kind: str, path: str, cache: str) -> Document | Image | Audio | Video:
        if kind == "file":
            fields = as_members(fields.get("file"), path + "file")
            path += "file."
        title, file_id = text(fields, "filename", path), text(fields, "file_id", path)
        if file_id:
            return Document(Source(file_id=file_id), title=title, cache=cache)
        url = text(fields, "file_data", path) or text(fields, "file_url", path)
        source = source_of(url)
        if source is None:
            data = clean_base64(url)
            if not data:
                raise Invalid(f"`{path}file_data` must be a data URL", param=path + "file_data")
            source = Source(media_type=sniffed(data) or "application/octet-stream", data=data)
        if source.media_type.startswith("image/"):
            return Image(source, cache=cache)
        if source.media_type.startswith("audio/"):
            return Audio(source)
        if source.media_type.startswith("video/"):
            return Video(source)
        return Document(source, title=title, cache=cache)

    def _assistant(self, message: Fields, index: int) -> list[Part]:
        path = f"messages[{index}]."
        thoughts, text_signatures, call_signatures = _thoughts(message, path)
        images = [
            self._seen(as_members(item, f"{path}images[{position}]"), "image_url", f"{path}images[{position}].", "")
            for position, item in enumerate(items(message, "images", path))
        ]
        parts: list[Part] = [*thoughts, *self._content(message, path), *images, *text_signatures]
        refusal = text(message, "refusal", path)
        if refusal:
            parts.append(Refusal(refusal))
        if message.get("audio") is not None:
            self._losses.add(path + "audio", "what was said aloud is kept at its vendor only")
        calls = [
            self._call(as_members(item, f"{path}tool_calls[{position}]"), f"{path}tool_calls[{position}].")
            for position, item in enumerate(items(message, "tool_calls", path))
        ]
        function = members(message, "function_call", path)
        if function is not None and not calls:
            calls.append(self._function_call(function, index))
        for position, signature in enumerate(call_signatures[: len(calls)]):
            if calls[position].signature is None:
                calls[position] = msgspec.structs.replace(calls[position], signature=signature)
        return [*parts, *calls]

    def _call(self, call: Fields, path: str) -> ToolCall:
        kind = text(call, "type", path) or "function"
        call_id = needed_text(call, "id", path)
        if kind not in ("function", "custom"):
            raise Invalid(f"`{path}type` must be `function` or `custom`", param=path + "type")
        body = as_members(call.get(kind), path + kind)
        name = needed_text(body, "name", f"{path}{kind}.")
        signature = _google_signature(call)
        if kind == "custom":
            self._custom_ids.add(call_id)
            said = text(body, "input", f"{path}{kind}.")
            return ToolCall(call_id, name, said, custom=True, signature=signature)
        return ToolCall(call_id, name, _arguments(body, f"{path}{kind}."), signature=signature)

    def _function_call(self, call: Fields, index: int) -> ToolCall:
        """An old-style call, which has no id: one is made from its place."""
        path = f"messages[{index}].function_call."
        name, call_id = needed_text(call, "name", path), f"call_function_{index}"
        self._function_ids.append((name, call_id))
        return ToolCall(call_id, name, _arguments(call, path))

    def _tool_result(self, message: Fields, path: str) -> ToolResult:
        call_id = needed_text(message, "tool_call_id", path)
        return ToolResult(
            call_id,
            self._result_content(message, path),
            custom=call_id in self._custom_ids,
            name=text(message, "name", path),
        )

    def _function_result(self, message: Fields, index: int) -> ToolResult:
        """An old-style result, which answers the latest open call of its name."""
        path = f"messages[{index}]."
        name, call_id = needed_text(message, "name", path), f"call_function_{index}"
        for open_call in reversed(self._function_ids):
            if open_call[0] == name:
                self._function_ids.remove(open_call)
                call_id = open_call[1]
                break
        return ToolResult(call_id, self._result_content(message, path), name=name)

    def _result_content(self, message: Fields, path: str) -> tuple[Text | Image | Document | Audio | Video, ...]:
        return tuple(part for part in self._content(message, path) if isinstance(part, _MEDIA))


def cache_marker(fields: Fields) -> str:
    """The cache marker of a part or tool, in OpenAI's spelling or Anthropic's."""
    if isinstance(fields.get("prompt_cache_breakpoint"), dict):
        return "default"
    marker = fields.get("cache_control")
    if not isinstance(marker, dict):
        return ""
    lifetime = marker.get("ttl")
    return lifetime if isinstance(lifetime, str) and lifetime else "default"


def _arguments(body: Fields, path: str) -> str:
    """Arguments as text; some clients send the object itself."""
    value = body.get("arguments")
    return json_text.encode(value).decode() if isinstance(value, dict) else text(body, "arguments", path)


def _google_signature(call: Fields) -> Signature | None:
    """The signature where Google's own Chat endpoint keeps it: `extra_content.google.thought_signature`."""
    value: object = call.get("extra_content")
    for name in ("google", "thought_signature"):
        value = value.get(name) if isinstance(value, dict) else None
    return _signature(value, "call")


def _signature(value: object, kind: Literal["thinking", "reasoning", "call"]) -> Signature | None:
    if not isinstance(value, str) or not value:
        return None
    opened = signatures.opened(value)
    return Signature("", kind, value) if opened is None else opened


def _first_text(fields: Fields, *names: str) -> str:
    """The first of the members `names` that has text; empty when none has."""
    return next((value for name in names if isinstance(value := fields.get(name), str) and value), "")


def _thoughts(message: Fields, path: str) -> tuple[list[Thinking], list[Thinking], list[Signature]]:
    """The thoughts of an assistant message: those before its text, signatures of its text, and of its calls.

    The same text may stand in up to three fields, and counts once: the details have it in its parts.
    """
    thoughts: list[Thinking] = []
    of_text: list[Thinking] = []
    of_calls: list[Signature] = []
    for index, item in enumerate(items(message, "reasoning_details", path)):
        detail = as_members(item, f"{path}reasoning_details[{index}]")
        said = _first_text(detail, "text", "summary")
        signature = _signature(detail.get("signature"), "thinking")
        if signature is None:
            signature = _signature(detail.get("data"), "reasoning")
        if signature is not None and signature.kind == "call":
            of_calls.append(signature)
            signature = None
        if signature is not None and signature.kind == "text":
            of_text.append(Thinking("", signature))
            signature = None
        if said or signature is not None:
            thoughts.append(Thinking(said, signature))
    if not any(thought.text for thought in thoughts):
        plain = _first_text(message, "reasoning_content", "reasoning")
        if plain:
            thoughts.insert(0, Thinking(plain))
    return thoughts, of_text, of_calls
