"""A response while it is being written: the object that holds its items, and the order in which they are told.

Items are written one after the other (docs/wire/openai-responses.md#stream): the first unfinished one is open and its
events flow; what belongs to later ones waits in them. So every item is added, filled and done before the next one is
added, whatever the order in which the upstream spoke. An answer that is not streamed is the same response without
its events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.values import (
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.openai_responses import tools
from agcore.dialects.openai_responses.answer_items import (
    Call,
    Compaction,
    CustomCall,
    Event,
    Item,
    Message,
    Picture,
    Reasoning,
    TypedCall,
)
from agcore.dialects.openai_responses.tools import Callee
from agcore.protocol.report import Usage

_INCOMPLETE: Final[Mapping[Stop, str]] = {
    Stop.LENGTH: "max_output_tokens",
    Stop.CONTEXT: "max_output_tokens",
    Stop.FILTER: "content_filter",
}
_DEFAULTS: Final[Mapping[str, object]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
"""What a response says of its request where the request says nothing."""


class Response:
    """The response to `conversation`: takes the deltas of its first choice, tells events, and shows itself."""

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._id = id
        self._head: Event = {"id": f"resp_{id}", "object": "response", "created_at": created}
        self._tail: Event = {**_echoed(conversation.echo), "model": model}
        self._callees = tools.callees(conversation)
        self._compacts = conversation.compacts
        self._summary: Compaction | None = None
        self._logprobs = conversation.settings.logprobs
        self._usage: Usage | None = None
        self._stop = Stop.END
        self._refused = False
        self._said = 0
        """Code points of text."""
        self._items: deque[Item] = deque()
        self._calls: dict[int, Call] = {}
        self._started = 0
        """Calls that were started."""
        self._count = 0
        """Items that were opened."""
        self._done: list[Event] = []

    def take(self, delta: Delta) -> Iterator[Event]:
        """What a delta says, and the events that can be told now."""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
        elif self._compacts:
            self._sum_up(delta)
        elif getattr(delta, "choice", 0) == 0:
            self._add(delta)
        yield from self._flow()

    def finish(self) -> Iterator[Event]:
        """The events that finish every item that is still open."""
        for item in self._items:
            item.ended = True
        yield from self._flow()

    def _add(self, delta: Delta) -> None:
        last = self._items[-1] if self._items else None
        match delta:
            case TextDelta(text, _, logprobs) if text:
                self._message().say("output_text", text, logprobs if self._logprobs else ())
                self._said += len(text)
            case RefusalDelta(text) if text:
                self._refused = True
                self._message().say("refusal", text)
            case ThinkingDelta(text) if text:
                self._thought().text += text
            case ThinkingEnded(signature):
                open_thought = isinstance(last, Reasoning) and not last.ended
                if open_thought or signature is not None:
                    thought = self._thought()
                    thought.signature, thought.ended = signature, True
            case ToolStarted():
                self._start_call(delta)
            case ToolArguments(index, text) if index in self._calls:
                self._calls[index].text += text
            case ToolEnded(index) if index in self._calls:
                self._calls.pop(index).ended = True
            case ImageMade(source) if source.data:
                self._append(Picture(source))
            case ImageMade(source) if source.url:
                self._message().say("output_text", f"![image]({source.url})")
            case Cited():
                if isinstance(last, Message) and not last.ended:
                    last.cite(delta, said=self._said)
            case Finished(stop):
                self._stop = stop
                broken = stop in _INCOMPLETE
                for item in self._items:
                    item.cut = broken and not item.ended
                    item.ended = True
            case _:
                pass

    def _sum_up(self, delta: Delta) -> None:
        """Keep what a summary says; thoughts about it are nobody's."""
        if isinstance(delta, TextDelta):
            if self._summary is None and delta.text.strip():
                self._summary = Compaction()
                self._append(self._summary)
            if self._summary is not None:
                self._summary.text += delta.text
        elif isinstance(delta, Finished):
            for item in self._items:
                item.ended, item.cut = True, delta.stop in (*_INCOMPLETE, Stop.REFUSAL)

    def _append(self, item: Item) -> None:
        """Put an item at the end. Calls stay open until they are ended, everything else until the next item."""
        if self._items and not isinstance(self._items[-1], Call):
            self._items[-1].ended = True  # and those before it ended when it came
        self._items.append(item)

    def _message(self) -> Message:
        last = self._items[-1] if self._items else None
        if isinstance(last, Message) and not last.ended:
            return last
        message = Message()
        self._append(message)
        return message

    def _thought(self) -> Reasoning:
        last = self._items[-1] if self._items else None
        if isinstance(last, Reasoning) and not last.ended:
            return last
        thought = Reasoning()
        self._append(thought)
        return thought

    def _start_call(self, started: ToolStarted) -> None:
        if started.signature is not None:
            last = self._items[-1] if self._items else None
            if isinstance(last, Reasoning):
                last.ended = True
            thought = self._thought()
            thought.signature, thought.ended = started.signature, True
        callee = self._callees.get(started.name) or Callee(started.name)
        self._started += 1
        call_id = started.id or f"call_{self._id}_{self._started}"
        kind = Call
        if started.custom:
            kind = CustomCall
        elif callee.typed:
            kind = TypedCall
        call = kind(call_id, callee)
        displaced = self._calls.get(started.index)
        if displaced is not None:
            displaced.ended = True
        self._append(call)
        self._calls[started.index] = call

    def _flow(self) -> Iterator[Event]:
        while self._items:
            item = self._items[0]
            if not item.id:
                item.id = f"{item.prefix}{self._id}_{self._count}"
                self._count += 1
                yield from self._placed(item.open())
            yield from self._placed(item.flow())
            if not item.ended:
                return
            yield from self._placed(item.close())
            self._done.append(item.shown(done=True))
            self._items.popleft()

    def _placed(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            yield {"type": event.pop("type"), "output_index": self._count - 1, **event}

    def shown(self, status: str, *, error: Event | None = None) -> Event:
        """The response as JSON, with the items that are done."""
        reason = self.reason if status == "incomplete" else None
        return {
            **self._head,
            "status": status,
            "error": error,
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": list(self._done),
            "usage": None if status == "in_progress" or self._usage is None else _shown_usage(self._usage),
            **self._tail,
        }

    @property
    def reason(self) -> str | None:
        """Why the answer is incomplete; None for a complete one, and for a summary, however far it came."""
        if self._compacts:
            return None
        if self._stop is Stop.REFUSAL and not self._refused:
            return "content_filter"  # there is no refusal to read
        return _INCOMPLETE.get(self._stop)


def _shown_usage(usage: Usage) -> Event:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _echoed(echo: object) -> Event:
    """What the response repeats of its request."""
    request = echo if isinstance(echo, Mapping) else {}
    shown = {name: default if request.get(name) is None else request[name] for name, default in _DEFAULTS.items()}
    text = shown["text"]
    if isinstance(text, Mapping) and text.get("format") is None:
        shown["text"] = {"format": {"type": "text"}, **{name: text[name] for name in text if name != "format"}}
    try:
        json_text.encode(shown)
    except ValueError:
        return dict(_DEFAULTS)
    return shown
