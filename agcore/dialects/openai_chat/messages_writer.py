"""Turns as the messages of a Chat upstream (docs/wire/openai-chat.md#messages).

Each turn is written from itself alone, so that one more turn only appends; `message_order` then does what a server
wants of their order. Tool messages hold text: what else a tool gave back follows in a user message of its own.
Compatible servers get what all of them take: `system` for `developer`, plain strings where one text stands alone, no
refusal parts.
"""

from __future__ import annotations

from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from agcore.dialects.openai.media_parts import audio_format, plain_text, url_of
from agcore.dialects.openai_chat.call_ids import call_id
from agcore.dialects.openai_chat.message_order import in_order
from agcore.dialects.openai_chat.tools import emulated_arguments, official
from agcore.dialects.shared.text_runs import TextRuns, signs_text
from agcore.models.profiles import Profile

_UNKNOWN_THOUGHT: Final = " "
"""What stands for a thought that nobody knows any more, where there must be one: an empty text is refused."""
_FAILED: Final = "Error: "
_DETAILS: Final = frozenset({"auto", "low", "high", "original"})


class Messages:
    """Writes the messages of one request for an upstream with `profile`; `signer` is whose signatures it gets."""

    def __init__(self, *, profile: Profile, signer: str, losses: Losses) -> None:
        self._profile = profile
        self._upstream = profile.upstream
        self._demands_thoughts = False
        self._official = official(profile)
        self._signer = signer
        self._losses = losses

    def written(self, conversation: Conversation) -> list[dict[str, object]]:
        """The messages; never none, since upstreams want one."""
        messages: list[dict[str, object]] = []
        thinks = _thinks(conversation.reasoning, self._profile)
        self._demands_thoughts = thinks and self._upstream.reasoning_content == "demanded"
        for index, turn in enumerate(conversation.turns):
            path = f"messages[{index}]"
            if turn.role == "assistant":
                messages += self._assistant(turn, path)
            elif turn.role == "user":
                messages += self._user(turn, path)
            else:
                messages += self._system(turn, path)
        return in_order(messages, self._upstream, self._losses)

    def _system(self, turn: Turn, path: str) -> list[dict[str, object]]:
        said = self._texts(turn.parts, path)
        role = "developer" if turn.role == "developer" and self._upstream.developer_role else "system"
        return [_message(role, turn, "\n\n".join(said))] if said else []

    def _texts(self, parts: tuple[Part, ...], path: str) -> list[str]:
        said = []
        for index, part in enumerate(parts):
            if isinstance(part, Text):
                said.append(part.text)
                self._note_cache(part, f"{path}.content[{index}]")
        return said

    def _user(self, turn: Turn, path: str) -> list[dict[str, object]]:
        messages: list[dict[str, object]] = []
        moved: list[dict[str, object]] = []
        content: list[dict[str, object]] = []
        for index, part in enumerate(turn.parts):
            where = f"{path}.content[{index}]"
            if isinstance(part, ToolResult):
                messages.append(self._result(part, moved, where))
            else:
                written = self._part(part, where)
                content += [] if written is None else [written]
        if moved:
            messages.append({"role": "user", "content": moved})
        if content:
            messages.append(_message("user", turn, _plainest(content)))
        return messages

    def _result(self, result: ToolResult, moved: list[dict[str, object]], path: str) -> dict[str, object]:
        """The tool message of a result, whose pictures and files go to `moved`."""
        self._note_cache(result, path)
        id = call_id(result.call_id, self._upstream)
        said: list[str] = []
        beside: list[dict[str, object]] = []
        for index, part in enumerate(result.content):
            where = f"{path}.content[{index}]"
            written = self._part(part, where)
            if written is None:
                continue
            if written["type"] == "text":
                said.append(str(written["text"]))
                continue
            beside.append(written)
            self._losses.add(where, "tool messages hold text only", action="moved to a user message", weight="note")
        if beside:
            moved.append({"type": "text", "text": f"(what tool call {id} gave back)"})
            moved += beside
        text = "\n".join(said) or ("(see the next user message)" if beside else "")
        if result.is_error:
            text = _FAILED + (text or "the tool failed and did not say why")
        return {"role": "tool", "tool_call_id": id, "content": text}

    def _part(self, part: Part, path: str) -> dict[str, object] | None:
        """A part of a user message; None, and a loss, for what cannot be said."""
        if isinstance(part, Text | Image | Document):
            self._note_cache(part, path)
        if isinstance(part, Text | Refusal):
            return {"type": "text", "text": part.text}
        if isinstance(part, Image):
            return self._image(part, path)
        if isinstance(part, Document):
            return self._document(part, path)
        if isinstance(part, Audio):
            kind = audio_format(part.source.media_type)
            if kind and part.source.data:
                return {"type": "input_audio", "input_audio": {"data": part.source.data, "format": kind}}
            self._losses.add(path, "Chat takes sound as WAV or MP3 data only", weight="refuse")
        elif isinstance(part, Video):
            # Vendors that see videos take them like pictures; OpenAI's own models do not.
            if not self._official and not part.source.file_id:
                return {"type": "video_url", "video_url": {"url": url_of(part.source)}}
            self._losses.add(path, "Chat takes no video", weight="refuse")
        else:
            self._losses.add(path, "Chat has no such part in a user message")
        return None

    def _image(self, image: Image, path: str) -> dict[str, object] | None:
        if image.source.file_id:
            self._losses.add(path, "Chat takes pictures by address or as data, not by file id", weight="refuse")
            return None
        if not self._profile.vision:
            self._losses.add(path, f"{self._profile.model} sees no pictures", action="replaced by a remark")
            return {"type": "text", "text": "(a picture that this model cannot see)"}
        shown: dict[str, object] = {"url": url_of(image.source)}
        if image.detail in _DETAILS:
            shown["detail"] = image.detail
        return {"type": "image_url", "image_url": shown}

    def _document(self, document: Document, path: str) -> dict[str, object] | None:
        said = plain_text(document)
        if said is not None:
            return {"type": "text", "text": said} if said else None
        if document.source.file_id:
            if self._official:
                return {"type": "file", "file": {"file_id": document.source.file_id}}
            self._losses.add(path, "a file id means nothing to another vendor", weight="refuse")
            return None
        if document.source.url:
            self._losses.add(path, "Chat takes documents as data only, not by address", weight="refuse")
            return None
        file = {"filename": document.title or "document.pdf", "file_data": url_of(document.source)}
        return {"type": "file", "file": file}

    def _assistant(self, turn: Turn, path: str) -> list[dict[str, object]]:
        said, thought = TextRuns(), TextRuns()
        refused: list[dict[str, object]] = []
        thoughts: list[Thinking] = []
        calls: list[dict[str, object]] = []
        starts = frozenset(turn.starts)
        for index, part in enumerate(turn.parts):
            where = f"{path}.content[{index}]"
            if index in starts or not isinstance(part, Thinking):
                thought.cut()
            if index in starts or not (isinstance(part, Text) or signs_text(part)):
                said.cut()
            if isinstance(part, Text):
                said.add(part.text)
                self._note_cache(part, where)
            elif isinstance(part, Refusal):
                if self._official:
                    refused.append({"type": "refusal", "refusal": part.text})
                else:
                    said.add(part.text)
                    said.cut()
            elif isinstance(part, Thinking):
                self._note_thought(part, where)
                thoughts.append(part)
                thought.add(part.text)
                if part.signature is not None:
                    thought.cut()
            elif isinstance(part, ToolCall):
                self._note_cache(part, where)
                calls.append(self._call(part, where))
            else:
                self._losses.add(where, "Chat has no such part in an assistant message")
        reasoning = self._reasoning(thought.text, thoughts)
        content: object = said.text or None
        if refused:
            content = [{"type": "text", "text": text} for text in said.texts] + refused
        if content is None and not calls:
            if not reasoning:
                return []
            content = ""
        message = _message("assistant", turn, content)
        if self._demands_thoughts:
            reasoning.setdefault("reasoning_content", _UNKNOWN_THOUGHT)
        message.update(reasoning)
        if calls:
            message["tool_calls"] = calls
        return [message]

    @property
    def _takes_thoughts(self) -> bool:
        return self._upstream.reasoning_content in ("taken", "demanded")

    def _note_thought(self, thought: Thinking, path: str) -> None:
        if thought.signature is not None and not self._own(thought.signature):
            self._losses.add(path, "signed by another vendor", weight="note")
        elif thought.text and thought.signature is None and not self._takes_thoughts:
            self._losses.add(path, "this upstream takes no thoughts back", weight="note")

    def _reasoning(self, text: str, thoughts: list[Thinking]) -> dict[str, object]:
        """The members of an assistant message for its thoughts: plain text, and details where they are its own."""
        members: dict[str, object] = {}
        if text and self._takes_thoughts:
            members["reasoning_content"] = text
        details = [
            _detail(thought.text, thought.signature)
            for thought in thoughts
            if thought.signature is not None and self._own(thought.signature)
        ]
        if details:
            members["reasoning_details"] = details
        return members

    def _call(self, call: ToolCall, path: str) -> dict[str, object]:
        custom = call.custom and self._official
        written: dict[str, object] = {
            "id": call_id(call.id, self._upstream),
            "type": "custom" if custom else "function",
        }
        if custom:
            written["custom"] = {"name": call.name, "input": call.arguments}
        elif call.custom:
            written["function"] = {"name": call.name, "arguments": emulated_arguments(call.arguments)}
        else:
            # No arguments are an empty object; compatible servers parse the text into their prompt template.
            written["function"] = {"name": call.name, "arguments": call.arguments or "{}"}
        if call.signature is not None:
            if self._own(call.signature):
                written["extra_content"] = {"google": {"thought_signature": call.signature.data}}
            else:
                self._losses.add(path, "signed by another vendor", weight="note")
        return written

    def _own(self, signature: Signature) -> bool:
        return bool(signature.signer) and signature.signer == self._signer

    def _note_cache(self, part: Text | Image | Document | ToolCall | ToolResult, path: str) -> None:
        if part.cache:
            self._losses.add(f"{path}.cache_control", "Chat upstreams cache on their own", weight="note")


def _thinks(reasoning: Reasoning | None, profile: Profile) -> bool:
    """Whether a model thinks where a client wants this of it: by itself, unless it can be and is switched off."""
    off = reasoning is not None and (reasoning.effort == "none" or (not reasoning.effort and reasoning.budget == 0))
    return not off or "none" not in profile.efforts


def _message(role: str, turn: Turn, content: object) -> dict[str, object]:
    named = {"role": role, "name": turn.name} if turn.name else {"role": role}
    return {**named, "content": content}


def _plainest(content: list[dict[str, object]]) -> object:
    """A single text as the string that every server takes."""
    return content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content


def _detail(text: str, signature: Signature) -> dict[str, object]:
    """A signed thought as an entry of `reasoning_details`, as its own vendor wrote it."""
    if signature.kind == "thinking":
        return {"type": "reasoning.text", "text": text, "signature": signature.data}
    detail: dict[str, object] = {"type": "reasoning.encrypted", "data": signature.data}
    return {**detail, "id": signature.id} if signature.id else detail
