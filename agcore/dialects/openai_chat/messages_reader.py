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
    Invalid,
    Part,
    Refusal,
    Role,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from agcore.dialects.openai.fields import Fields, as_members, items, members, needed_text, text
from agcore.dialects.openai.parts_reader import cache_marker, marked, read_parts, read_seen, result_content
from agcore.dialects.shared.unread import note_unread

_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}


_MEMBERS: Final = frozenset({
    "role", "content", "name", "refusal", "audio", "images", "tool_calls", "function_call", "tool_call_id",
    "reasoning", "reasoning_content", "reasoning_details", "cache_control", "prompt_cache_breakpoint",
})  # fmt: skip
_CALL: Final = frozenset({"id", "type", "index", "function", "custom", "extra_content"})
"""What is read of a message, and of a call."""


class History:
    """Reads the messages of one request, in order."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._custom_ids: set[str] = set()
        self._count = 0
        self._function_ids: list[tuple[str, str]] = []  # (name, minted id) of old-style calls without a result yet

    def turns(self, messages: list[object]) -> tuple[Turn, ...]:
        """One turn for each message. Raises `conversation.values.Invalid` for what OpenAI would refuse."""
        return tuple(
            self.turn(as_members(message, f"messages[{index}]"), f"messages[{index}]")
            for index, message in enumerate(messages)
        )

    def turn(self, message: dict[str, object], place: str) -> Turn:
        """The turn that the next message is, which stands at `place`. Raises Invalid, as `turns` does."""
        path, index = place + ".", self._count
        self._count += 1
        role = needed_text(message, "role", path)
        if not message.keys() <= _MEMBERS:
            note_unread(message, _MEMBERS, path, self._losses)
        if role == "tool":
            return Turn("user", self._tool_results(message, path))
        if role == "function":
            return Turn("user", (self._function_result(message, path, index),))
        known = _ROLES.get(role)
        if known is None:
            raise Invalid(f"`{path}role` is none of the roles of Chat Completions: {role!r}", param=path + "role")
        said = read_parts(message.get("content"), path + "content", known, self._losses)
        parts = self._assistant(message, said, path, index) if known == "assistant" else said
        if known in ("system", "developer"):
            parts = [part for part in parts if self._is_text(part, path)]
        if "cache_control" in message or "prompt_cache_breakpoint" in message:
            parts = marked(parts, message, path, self._losses)
        return Turn(known, tuple(parts), name=text(message, "name", path))

    def _is_text(self, part: Part, path: str) -> bool:
        if not isinstance(part, Text):
            self._losses.add(path + "content", "instructions are text")
        return isinstance(part, Text)

    def _assistant(self, message: Fields, said: list[Part], path: str, index: int) -> list[Part]:
        thoughts, text_signatures, call_signatures = _thoughts(message, path)
        images = [
            read_seen(as_members(item, f"{path}images[{position}]"), "image_url", f"{path}images[{position}].")
            for position, item in enumerate(items(message, "images", path))
        ]
        said_calls = {part.id for part in said if isinstance(part, ToolCall)}
        parts: list[Part] = [*thoughts, *said, *images, *text_signatures]
        refusal = text(message, "refusal", path)
        if refusal:
            parts.append(Refusal(refusal))
        if message.get("audio") is not None:
            self._losses.add(path + "audio", "what was said aloud is kept at its vendor only")
        calls = [
            self._call(as_members(item, f"{path}tool_calls[{position}]"), f"{path}tool_calls[{position}].")
            for position, item in enumerate(items(message, "tool_calls", path))
        ]
        calls = [call for call in calls if call.id not in said_calls]  # what stands in the content, too, is one call
        function = members(message, "function_call", path)
        if function is not None and not calls:
            calls.append(self._function_call(function, path, index))
        for position, signature in enumerate(call_signatures[: len(calls)]):
            if calls[position].signature is None:
                calls[position] = msgspec.structs.replace(calls[position], signature=signature)
        return [*parts, *calls]

    def _call(self, call: Fields, path: str) -> ToolCall:
        kind = text(call, "type", path) or "function"
        call_id = needed_text(call, "id", path)
        if kind not in ("function", "custom"):
            raise Invalid(f"`{path}type` must be `function` or `custom`", param=path + "type")
        note_unread(call, _CALL, path, self._losses)
        body = as_members(call.get(kind), path + kind)
        name = needed_text(body, "name", f"{path}{kind}.")
        signature = _google_signature(call)
        if kind == "custom":
            self._custom_ids.add(call_id)
            said = text(body, "input", f"{path}{kind}.")
            return ToolCall(call_id, name, said, custom=True, signature=signature)
        return ToolCall(call_id, name, _arguments(body, f"{path}{kind}."), signature=signature)

    def _function_call(self, call: Fields, path: str, index: int) -> ToolCall:
        """An old-style call, which has no id: one is made from its place."""
        path += "function_call."
        name, call_id = needed_text(call, "name", path), f"call_function_{index}"
        self._function_ids.append((name, call_id))
        return ToolCall(call_id, name, _arguments(call, path))

    def _tool_results(self, message: Fields, path: str) -> tuple[ToolResult, ...]:
        """The result that a tool message is; those in Anthropic's form that it holds, where it names no call itself."""
        parts = read_parts(message.get("content"), path + "content", "user", self._losses)
        if message.get("tool_call_id") is None:
            results = tuple(part for part in parts if isinstance(part, ToolResult))
            if results and len(results) == len(parts):
                return results
        call_id = needed_text(message, "tool_call_id", path)
        content = result_content(parts, path + "content")
        failed = any(part.is_error for part in parts if isinstance(part, ToolResult))
        return (
            ToolResult(
                call_id,
                content,
                failed,
                custom=call_id in self._custom_ids,
                name=text(message, "name", path),
                cache=cache_marker(message),
            ),
        )

    def _function_result(self, message: Fields, path: str, index: int) -> ToolResult:
        """An old-style result, which answers the latest open call of its name."""
        name, call_id = needed_text(message, "name", path), f"call_function_{index}"
        for open_call in reversed(self._function_ids):
            if open_call[0] == name:
                self._function_ids.remove(open_call)
                call_id = open_call[1]
                break
        parts = read_parts(message.get("content"), path + "content", "user", self._losses)
        return ToolResult(call_id, result_content(parts, path + "content"), name=name, cache=cache_marker(message))


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
