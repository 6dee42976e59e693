"""Responses items, read as the turns of a conversation (docs/wire/openai-responses.md#items).

Every item becomes a turn of its own: `repair.repair_history` merges neighbours later. A reasoning item that carries the
signature of a call stands before that call, and its signature becomes the call's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import opened
from agcore.conversation.values import (
    Foreign,
    Image,
    Invalid,
    Part,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from agcore.dialects.openai import fields, parts_reader
from agcore.dialects.openai import media_parts as openai_media
from agcore.dialects.openai_responses import hosted_items, tools, typed_tools
from agcore.dialects.openai_responses.item_members import MEMBERS
from agcore.dialects.openai_responses.traits import NAME
from agcore.dialects.shared.unread import note_unread

if TYPE_CHECKING:
    from agcore.dialects.openai_chat.messages_reader import History

Item = dict[str, object]

_COMPACTIONS: Final = ("compaction", "compaction_summary", "context_compaction")
"""The item that stands for what was compacted, under its names in the API and in Codex."""
TRIGGER: Final = "compaction_trigger"
_ROLES: Final = ("user", "assistant", "system", "developer")
_CHAT_ROLES: Final = ("tool", "function")
_CHAT_CALLING: Final = ("tool_calls", "function_call")
"""By what messages of Chat's are told from those of Responses."""


class _Inputs:
    """Reads the items of one request, in order."""

    def __init__(self, losses: Losses, found: tools.Found) -> None:
        self.turns: list[Turn] = []
        self._losses = losses
        self._found = found
        self._chat: History | None = None
        self._call_signature: Signature | None = None
        self._open: dict[str, str] = {}
        """The calls that have no output yet, by their ids: the names of their tools."""
        self._ids: dict[str, str] = {}
        """Item id -> call id: a local shell's output may name either."""

    def item(self, item: object, path: str) -> None:
        """Read one item. Raises Invalid."""
        if not isinstance(item, dict):
            raise Invalid(f"`{path}` must be an object", param=path)
        kind = item.get("type")
        if isinstance(kind, str) and kind in MEMBERS and kind != "message":
            note_unread(item, MEMBERS[kind], path + ".", self._losses)
        if kind is None or kind == "message":
            self._message(item, path)
        elif not isinstance(kind, str):
            raise Invalid(f"`{path}.type` must be a string", param=f"{path}.type")
        elif kind == "reasoning":
            self._reasoning(item, path)
        elif kind in ("function_call", "custom_tool_call") or kind in typed_tools.CALLS:
            self._call(item, kind, path)
        elif kind in ("function_call_output", "custom_tool_call_output") or kind in typed_tools.OUTPUTS:
            self._output(item, kind, path)
        elif kind == "item_reference":
            raise Invalid(f"`{path}` refers to an item that is not known here", param=path)
        else:
            self._other(item, kind, path)

    def _message(self, item: Item, path: str) -> None:
        role = item.get("role")
        if role in _CHAT_ROLES or any(item.get(name) for name in _CHAT_CALLING):
            self._call_signature = None
            self.turns.append(self._chat_history().turn(item, path))
            return
        note_unread(item, MEMBERS["message"], path + ".", self._losses)
        if role not in _ROLES:
            raise Invalid(f"`{path}.role` must be one of {', '.join(_ROLES)}", param=f"{path}.role")
        if item.get("phase") is not None:
            self._losses.add(f"{path}.phase", "phases of an answer are unknown here", weight="note")
        parts = parts_reader.read_parts(item.get("content"), f"{path}.content", role, self._losses)
        parts = parts_reader.marked(parts, item, f"{path}.", self._losses)
        kept = tuple(part for part in parts if role not in ("system", "developer") or isinstance(part, Text))
        if len(kept) < len(parts):
            self._losses.add(f"{path}.content", "instructions are text only")
        if kept:
            self._call_signature = None
            self.turns.append(Turn(role, kept))

    def _chat_history(self) -> History:
        """What reads messages in Chat's form, which some clients mix in."""
        if self._chat is None:
            from agcore.dialects.openai_chat.messages_reader import History

            self._chat = History(self._losses)
        return self._chat

    def _reasoning(self, item: Item, path: str) -> None:
        # What was thought is more than its summary.
        text = _joined(item.get("content"), "reasoning_text") or _joined(item.get("summary"), "summary_text")
        encrypted, id = item.get("encrypted_content"), item.get("id")
        signature = None
        if isinstance(encrypted, str) and encrypted:
            signature = opened(encrypted)
            if signature is None:
                signature = Signature("", "reasoning", encrypted, id if isinstance(id, str) else "")
        if signature is not None and signature.kind == "call":
            self._call_signature, signature = signature, None
        if text or signature is not None:
            self.turns.append(Turn("assistant", (Thinking(text, signature),)))

    def _call(self, item: Item, kind: str, path: str) -> None:
        id = item.get("id")
        if kind == "tool_search_call" and item.get("call_id") is None:  # one that OpenAI ran
            call_id = id if isinstance(id, str) and id else f"call_{len(self.turns)}"
        else:
            call_id = fields.needed_text(item, "call_id", f"{path}.")
        custom = kind == "custom_tool_call"
        if kind in typed_tools.CALLS:
            name = typed_tools.CALLS[kind]
            arguments = typed_tools.arguments_of(item, name)
        else:
            name, member, namespace = (
                fields.needed_text(item, "name", f"{path}."),
                "input" if custom else "arguments",
                item.get("namespace"),
            )
            arguments = fields.text(item, member, f"{path}.")
            if isinstance(namespace, str) and namespace:
                name = f"{namespace}__{name}"
        if isinstance(id, str) and id:
            self._ids[id] = call_id
        self._open[call_id] = name
        cache = parts_reader.cache_marker(item)
        call = ToolCall(call_id, name, arguments, custom=custom, signature=self._call_signature, cache=cache)
        self._call_signature = None
        self.turns.append(Turn("assistant", (call,)))

    def _output(self, item: Item, kind: str, path: str) -> None:
        typed, id = typed_tools.OUTPUTS.get(kind), item.get("id")
        call_id = item.get("call_id")
        if call_id is None:
            own = self._ids.get(id, id if id in self._open else None) if isinstance(id, str) else None
            call_id = own or self._unanswered(typed or item.get("name")) or ((id or kind) if typed else None)
        if not isinstance(call_id, str) or not call_id:
            raise Invalid(f"`{path}.call_id` must be a non-empty string", param=f"{path}.call_id")
        self._open.pop(call_id, None)
        failed = False
        content: list[parts_reader.Content]
        if typed:
            content, failed = typed_tools.output_of(item, typed, path, self._losses)
            if typed == typed_tools.TOOL_SEARCH:
                self._found.add(item.get("tools"), f"{path}.tools")
        else:
            parts = parts_reader.read_parts(item.get("output"), f"{path}.output", "user", self._losses)
            content = [*parts_reader.result_content(parts, f"{path}.output")]
        custom = kind == "custom_tool_call_output"
        cache = parts_reader.cache_marker(item)
        result = ToolResult(call_id, tuple(content), is_error=failed, custom=custom, cache=cache)
        self.turns.append(Turn("user", (result,)))

    def _unanswered(self, name: object) -> str | None:
        """The call that an output without an id belongs to: the first one of its tool, else the latest."""
        of_tool = [id for id, tool in self._open.items() if tool == name]
        return of_tool[0] if of_tool else next(reversed(self._open), None)

    def _other(self, item: Item, kind: str, path: str) -> None:
        if kind == "additional_tools":
            self._found.add(item.get("tools"), f"{path}.tools")
        if kind in ("additional_tools", "configuration_update"):
            return
        if kind in _COMPACTIONS:
            self._compaction(item, path)
            return
        result = item.get("result")
        if kind == "image_generation_call" and isinstance(result, str) and result:
            form = item.get("output_format")
            media_type = f"image/{form}" if isinstance(form, str) and form else "image/png"
            data = openai_media.clean_base64(result)
            if data is None:
                raise Invalid(f"`{path}.result` must be base64", param=f"{path}.result")
            self.turns.append(Turn("assistant", (Image(Source(media_type, data=data)),)))
            return
        if kind == "agent_message":
            self._agent(item, path)
            return
        # Ids are made from the place where there are none: history only grows at its end.
        id = hosted_items.call_id_of(item) or f"call_{len(self.turns)}"
        turns = hosted_items.turns_of(item, kind, id)
        self.turns += [Turn("assistant", (Foreign(NAME, kind, item),))] if turns is None else turns

    def _agent(self, item: Item, path: str) -> None:
        ends = ((word, item.get(member)) for word, member in (("from", "author"), ("to", "recipient")))
        told = "".join(f" {word} {name}" for word, name in ends if isinstance(name, str) and name)
        parts: list[Part] = [Text(f"[Message{told}]\n")]
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else [content or ""]):
            place = f"{path}.content[{index}]"
            if isinstance(part, dict) and part.get("type") == "encrypted_content":
                self._losses.add(place, "what is sealed can only be read by its vendor")
            else:
                parts_reader.read_part(part, place, "user", self._losses, parts)
        self.turns.append(Turn("user", tuple(parts)))

    def _compaction(self, item: Item, path: str) -> None:
        content = item.get("encrypted_content")
        summary = compaction.opened(content)
        if summary is not None:
            self.turns.append(Turn("user", (Text(compaction.restored(summary)),)))
        elif content or item["type"] != "context_compaction":  # Codex also marks a place with an empty one
            why = "only the vendor that compacted this conversation can open it; go on there, or leave the item out"
            self._losses.add(path, why, weight="refuse")


def asks_for_compaction(value: object) -> bool:
    """Returns True for an `input` that ends in a trigger of compaction. Raises Invalid for one in another place."""
    items = value if isinstance(value, list) else []
    places = [at for at, item in enumerate(items) if isinstance(item, dict) and item.get("type") == TRIGGER]
    if places and places[0] != len(items) - 1:
        path = f"input[{places[0]}]"
        raise Invalid(f"`{path}` must be the last item: it asks to compact all that stands before it", param=path)
    return bool(places)


def parse_input(value: object, losses: Losses, found: tools.Found) -> list[Turn]:
    """The turns of `input`. Tools that items bring along are added to `found`. Raises Invalid."""
    if isinstance(value, str):
        return [Turn("user", (Text(value),))] if value else []
    if not isinstance(value, list):
        raise Invalid("`input` must be a string or a list of items", param="input")
    inputs = _Inputs(losses, found)
    for index, item in enumerate(value):
        if not (isinstance(item, dict) and item.get("type") == TRIGGER):
            inputs.item(item, f"input[{index}]")
    return inputs.turns


def _joined(parts: object, kind: str) -> str:
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)
