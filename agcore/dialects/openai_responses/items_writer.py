"""The turns of a conversation, written as Responses items (docs/wire/openai-responses.md#items)."""

from __future__ import annotations

from collections.abc import Iterable

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from agcore.dialects.openai import media_parts as openai_media
from agcore.dialects.openai_responses.traits import NAME
from agcore.dialects.shared.text_runs import joined_texts, signs_text

Item = dict[str, object]


class _Outputs:
    """Writes turns as items."""

    def __init__(self, signer: str, losses: Losses) -> None:
        self.items: list[Item] = []
        self._signer = signer
        self._losses = losses

    def turn(self, turn: Turn, path: str) -> None:
        """Write one turn."""
        if turn.name:
            self._losses.add(f"{path}.name", "messages have no names here", weight="note")
        said: list[Item] = []
        thoughts: list[tuple[str, Item]] = []
        starts = frozenset(turn.starts)
        for index, part in enumerate(turn.parts):
            place = f"{path}.parts[{index}]"
            if index in starts:
                self._message(turn.role, said)
            if getattr(part, "cache", ""):
                self._losses.add(f"{place}.cache_control", "the upstream caches by itself", weight="note")
            match part:
                case ToolCall():
                    self._message(turn.role, said)
                    self._thoughts(thoughts)
                    self._call(part, place)
                case ToolResult():
                    self._message(turn.role, said)
                    self.items.append(self._result(part, place))
                case Thinking():
                    if not signs_text(part):
                        self._message(turn.role, said)
                    self._think(part, place, thoughts)
                case Foreign(dialect, kind, value):
                    self._message(turn.role, said)
                    if dialect == NAME:
                        self._thoughts(thoughts)
                        self.items.append(value)
                    else:
                        self._losses.add(place, f"{kind} is known to its own vendor only")
                case Image() if turn.role == "assistant":
                    self._message(turn.role, said)
                    self._losses.add(place, "the upstream takes no pictures of the assistant's")
                case _:
                    rendered = self._part(part, turn.role, place)
                    if rendered is not None:
                        self._thoughts(thoughts)
                        said.append(rendered)
        self._message(turn.role, said)
        for place, _ in thoughts:
            self._losses.add(place, "a thought must stand before what came of it", weight="note")

    def _message(self, role: str, said: list[Item]) -> None:
        if said:
            shown = "developer" if role == "system" else role
            content = joined_texts(said) if role == "assistant" else list(said)
            self.items.append({"type": "message", "role": shown, "content": content})
            said.clear()

    def _thoughts(self, thoughts: list[tuple[str, Item]]) -> None:
        self.items.extend(item for _, item in thoughts)
        thoughts.clear()

    def _think(self, part: Thinking, place: str, thoughts: list[tuple[str, Item]]) -> None:
        signature = part.signature
        own = signature is not None and bool(signature.signer) and signature.signer == self._signer
        if signature is None or not own or signature.kind != "reasoning":
            why = "only thoughts that this upstream signed can be shown to it"
            self._losses.add(place, why, weight="note")
            return
        item: Item = {"type": "reasoning"}
        if signature.id:
            item["id"] = signature.id
        item["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
        item["encrypted_content"] = signature.data
        thoughts.append((place, item))

    def _call(self, call: ToolCall, place: str) -> None:
        if call.signature is not None:
            self._losses.add(f"{place}.signature", "another vendor's signature", weight="note")
        item: Item = {
            "type": "custom_tool_call" if call.custom else "function_call",
            "call_id": call.id,
            "name": call.name,
        }
        if call.custom:
            item["input"] = call.arguments
        else:
            item["arguments"] = call.arguments or "{}"
        self.items.append(item)

    def _result(self, result: ToolResult, place: str) -> Item:
        content = result.content
        if result.is_error:
            first = content[0] if content else None
            if isinstance(first, Text):
                content = (Text(f"Error: {first.text}"), *content[1:])
            else:
                content = (Text("Error"), *content)
        output: object
        if all(isinstance(part, Text) for part in content) and len(content) <= 1:
            output = "".join(part.text for part in content if isinstance(part, Text))
        else:
            rendered = (self._part(part, "user", f"{place}.content[{index}]") for index, part in enumerate(content))
            output = [part for part in rendered if part is not None]
        kind = "custom_tool_call_output" if result.custom else "function_call_output"
        return {"type": kind, "call_id": result.call_id, "output": output}

    def _part(self, part: Part, role: str, place: str) -> Item | None:
        match part:
            case Text(text) if role == "assistant":
                return {"type": "output_text", "text": text, "annotations": []}
            case Text(text):
                return {"type": "input_text", "text": text}
            case Refusal(text):
                return (
                    {"type": "refusal", "refusal": text}
                    if role == "assistant"
                    else {"type": "input_text", "text": text}
                )
            case Image(source=source) | Document(source=source) if source.file_id.startswith("file_"):
                # Anthropic's ids; OpenAI's begin with `file-`.
                self._losses.add(place, "the file is another vendor's, which alone knows its id", weight="refuse")
            case Image(source, detail):
                return {"type": "input_image", **_where(source, "image"), "detail": detail or "auto"}
            case Document():
                return _document(part)
            case Audio(source):
                form = openai_media.audio_format(source.media_type)
                if not form or not source.data:
                    self._losses.add(place, "the upstream takes wav and mp3 sound, as data", weight="refuse")
                    return None
                return {"type": "input_audio", "input_audio": {"data": source.data, "format": form}}
            case _:
                self._losses.add(place, "the upstream takes no moving pictures", weight="refuse")
        return None


def _where(source: Source, kind: str) -> Item:
    if source.file_id:
        return {"file_id": source.file_id}
    if source.url:
        return {f"{kind}_url": source.url}
    return {f"{kind}_url": f"data:{source.media_type or f'{kind}/png'};base64,{source.data}"}


def _document(part: Document) -> Item:
    source = part.source
    if not source.data:
        return {"type": "input_file", **_where(source, "file")}
    text = openai_media.plain_text(part)
    if text is not None:
        return {"type": "input_text", "text": text}
    kind = source.media_type or "application/pdf"
    name = part.title or f"document.{kind.rpartition('/')[2]}"
    return {"type": "input_file", "filename": name, "file_data": f"data:{kind};base64,{source.data}"}


def render_input(turns: Iterable[tuple[int, Turn]], signer: str, losses: Losses) -> list[Item]:
    """The items for turns with their positions. Items are given no ids: the upstream knows none of ours."""
    outputs = _Outputs(signer, losses)
    for index, turn in turns:
        outputs.turn(turn, f"turns[{index}]")
    return outputs.items
