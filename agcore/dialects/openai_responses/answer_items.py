"""The items of a response while they are being written, and their events (docs/wire/openai-responses.md#stream).

An item takes what is said at any time; the events for it are asked for once it is its turn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from agcore.conversation import compaction
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Cited, Json, Signature, Source
from agcore.dialects.openai_responses import typed_tools
from agcore.dialects.openai_responses.tools import Callee

Event = dict[str, Any]


class Item(ABC):
    """One output item. `index` and `id` are known once it is open; only then `events` may be asked for."""

    prefix = ""
    """What its id begins with."""

    def __init__(self) -> None:
        self.id = ""
        self.ended = False
        """Nothing more will be said."""
        self.cut = False
        """The answer broke off inside it."""

    def open(self) -> Iterator[Event]:
        """The events that add it."""
        yield {"type": "response.output_item.added", "item": self.shown(done=False)}

    def flow(self) -> Iterator[Event]:
        """The events for what was said since the last time."""
        yield from ()

    def close(self) -> Iterator[Event]:
        """The events that end it; `flow` has been exhausted."""
        yield {"type": "response.output_item.done", "item": self.shown(done=True)}

    @abstractmethod
    def shown(self, *, done: bool) -> Event:
        """The item as JSON, empty or complete."""

    def status(self, *, done: bool) -> str:
        """Its status."""
        if not done:
            return "in_progress"
        return "incomplete" if self.cut else "completed"


class _Part:
    """A content part of a message."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.text = ""
        self.told = 0
        self.annotations: list[Event] = []
        self.annotated = 0
        self.logprobs: list[Json] = []
        self.weighed = 0

    def shown(self, text: str) -> Event:
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        annotations, logprobs = (list(self.annotations), list(self.logprobs)) if text else ([], [])
        return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


class Message(Item):
    """What the assistant says: text and refusals. It has a part before anything is told of it."""

    prefix = "msg_"

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[_Part] = []
        self._opened = 0
        self._closed = 0

    def say(self, kind: str, text: str, logprobs: Sequence[Json] = ()) -> None:
        """More text of a kind of part, and how likely its tokens were."""
        if not self._parts or self._parts[-1].kind != kind:
            self._parts.append(_Part(kind))
        self._parts[-1].text += text
        self._parts[-1].logprobs += logprobs

    def cite(self, cited: Cited, *, said: int) -> None:
        """A source for the open text, whose end is the answer's code point number `said`."""
        part = self._parts[-1]
        if part.kind == "output_text":
            before = said - len(part.text)
            start, end = cited.span if cited.span is not None and cited.span[0] >= before else (before, said)
            span = {"start_index": start - before, "end_index": end - before}
            part.annotations.append({"type": "url_citation", "url": cited.url, "title": cited.title, **span})

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        while True:
            if self._opened == self._closed:
                part = self._parts[self._opened]
                yield self._event("response.content_part.added", part=part.shown(""))
                self._opened += 1
            part = self._parts[self._closed]
            yield from self._tell(part)
            if self._opened == len(self._parts):
                return
            yield from self._end_part(part)

    def close(self) -> Iterator[Event]:
        """See `Item.close`."""
        yield from self._end_part(self._parts[self._closed])
        yield from super().close()

    def _tell(self, part: _Part) -> Iterator[Event]:
        if part.told < len(part.text):
            name = "refusal" if part.kind == "refusal" else "output_text"
            extra: Event = {} if part.kind == "refusal" else {"logprobs": part.logprobs[part.weighed :]}
            yield self._event(f"response.{name}.delta", delta=part.text[part.told :], **extra)
            part.told, part.weighed = len(part.text), len(part.logprobs)
        for index in range(part.annotated, len(part.annotations)):
            yield self._event(
                "response.output_text.annotation.added", annotation_index=index, annotation=part.annotations[index]
            )
        part.annotated = len(part.annotations)

    def _end_part(self, part: _Part) -> Iterator[Event]:
        if part.kind == "refusal":
            yield self._event("response.refusal.done", refusal=part.text)
        else:
            yield self._event("response.output_text.done", text=part.text, logprobs=list(part.logprobs))
        yield self._event("response.content_part.done", part=part.shown(part.text))
        self._closed += 1

    def _event(self, kind: str, **members: object) -> Event:
        return {"type": kind, "item_id": self.id, "content_index": self._closed, **members}

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`."""
        content = [part.shown(part.text) for part in self._parts] if done else []
        status = self.status(done=done)
        return {"type": "message", "id": self.id, "status": status, "role": "assistant", "content": content}


class Reasoning(Item):
    """A thought: its text as a summary, its signature as encrypted content."""

    prefix = "rs_"

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.signature: Signature | None = None
        self._told = 0

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        if self._told == len(self.text):
            return
        if not self._told:
            yield self._event("response.reasoning_summary_part.added", part=self._part(""))
        yield self._event("response.reasoning_summary_text.delta", delta=self.text[self._told :])
        self._told = len(self.text)

    def close(self) -> Iterator[Event]:
        """See `Item.close`."""
        if self.text:
            yield self._event("response.reasoning_summary_text.done", text=self.text)
            yield self._event("response.reasoning_summary_part.done", part=self._part(self.text))
        yield from super().close()

    def _part(self, text: str) -> Event:
        return {"type": "summary_text", "text": text}

    def _event(self, kind: str, **members: object) -> Event:
        return {"type": kind, "item_id": self.id, "summary_index": 0, **members}

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`."""
        item: Event = {"type": "reasoning", "id": self.id, "summary": []}
        if done and self.text:
            item["summary"] = [self._part(self.text)]
        if done and self.signature is not None:
            item["encrypted_content"] = carrier(self.signature)
        return item


class Call(Item):
    """A call of a function."""

    kind = "function_call"
    prefix = "fc_"
    member = "arguments"
    event = "function_call_arguments"

    def __init__(self, call_id: str, callee: Callee) -> None:
        super().__init__()
        self.call_id = call_id
        self.callee = callee
        self.text = ""
        self._told = 0

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        if self.ended and not self.text:
            self.text = "{}"
        if self._told < len(self.text):
            yield self._event("delta", delta=self.text[self._told :])
            self._told = len(self.text)

    def close(self) -> Iterator[Event]:
        """See `Item.close`."""
        named = {"name": self.callee.name} if self.kind == "function_call" else {}
        yield self._event("done", **named, **{self.member: self.text})
        yield from super().close()

    def _event(self, kind: str, **members: object) -> Event:
        return {"type": f"response.{self.event}.{kind}", "item_id": self.id, **members}

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`."""
        item: Event = {"type": self.kind, "id": self.id, "call_id": self.call_id, "name": self.callee.name}
        if self.callee.namespace:
            item["namespace"] = self.callee.namespace
        return {**item, self.member: self.text if done else "", "status": self.status(done=done)}


class CustomCall(Call):
    """A call of a custom tool: its text flows as it comes."""

    kind = "custom_tool_call"
    prefix = "ctc_"
    member = "input"
    event = "custom_tool_call_input"

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        if self._told < len(self.text):
            yield self._event("delta", delta=self.text[self._told :])
            self._told = len(self.text)


class TypedCall(Call):
    """A call of a tool with a type of its own, by a model that knows it as a function.

    What the model wrote may not fit that type. Then it is a plain call, for the client to turn down.
    """

    def open(self) -> Iterator[Event]:
        """See `Item.open`."""
        yield from ()

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        yield from ()

    def close(self) -> Iterator[Event]:
        """See `Item.close`."""
        if self._members() is None:
            yield from super().open()
            yield from super().flow()
            yield from super().close()
            return
        yield {"type": "response.output_item.added", "item": {**self.shown(done=True), "status": "in_progress"}}
        yield from Item.close(self)

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`."""
        members = self._members()
        if members is None:
            return super().shown(done=done)
        item = {"type": typed_tools.item_type(self.callee.typed), "id": self.id, "call_id": self.call_id}
        return {**item, **members, "status": self.status(done=done)}

    def _members(self) -> dict[str, object] | None:
        return typed_tools.call_of(self.text, self.callee.typed)


class Compaction(Item):
    """What stands for the conversation from now on: a summary, whose text is told once it is whole."""

    prefix = "cmp_"

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._told = False

    def flow(self) -> Iterator[Event]:
        """See `Item.flow`."""
        if not self._told:
            self._told = True
            yield {"type": "response.compaction.compacting", "item_id": self.id}

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`. It has no status that could say that it was cut off, so the summary says it."""
        content = compaction.carried(compaction.bounded(self.text, cut=self.cut)) if done else ""
        return {"type": "compaction", "id": self.id, "encrypted_content": content}


class Picture(Item):
    """A generated picture."""

    prefix = "ig_"

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self.ended = True

    def close(self) -> Iterator[Event]:
        """See `Item.close`."""
        yield {"type": "response.image_generation_call.completed", "item_id": self.id}
        yield from super().close()

    def shown(self, *, done: bool) -> Event:
        """See `Item.shown`."""
        form = self._source.media_type.rpartition("/")[2] or "png"
        result = self._source.data if done else None
        item = {"type": "image_generation_call", "id": self.id, "status": self.status(done=done)}
        return {**item, "result": result, "output_format": form}
