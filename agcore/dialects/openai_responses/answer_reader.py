"""Responses answers, whole and streamed, read as deltas (docs/wire/openai-responses.md#stream)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from agcore.codecs.sse import Frame
from agcore.conversation.values import (
    Cited,
    Consumed,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    Signature,
    Source,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.openai import media_parts as openai_media
from agcore.dialects.openai_responses import errors
from agcore.dialects.openai_responses.stream_events import StreamEvents, read_usage
from agcore.dialects.openai_responses.whole_answer import judge
from agcore.dialects.shared.citation_spans import span_of
from agcore.dialects.shared.faults import CUT, EMPTY
from agcore.dialects.shared.logprobs import tokens_of
from agcore.protocol.fault import Fault

_UNFINISHED = Fault(status=502, message="the upstream's response was not finished")
_UNREADABLE = Fault(status=502, message="the upstream's stream told of content that cannot be read")
_FAMILIES: Final[Mapping[str, str]] = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_summary_part": "reasoning",
    "reasoning_summary_text": "reasoning",
    "reasoning_text": "reasoning",
    "function_call_arguments": "call",
    "custom_tool_call_input": "call",
    "function_call": "call",
    "custom_tool_call": "call",
}
"""What an event is about, or the type of an item -> the kind of item; other types are kinds of their own."""
_UNTOLD: Final = frozenset(
    ("code_interpreter_call_code", "mcp_call_arguments", "shell_call_command", "shell_call_output_content")
)
"""What nobody is told of: the work of the vendor's own tools."""


class _Seen(msgspec.Struct, eq=False):
    """What is known of one output item."""

    kind: str = ""
    family: str = ""
    """The kind of item that it is, or has to be by what was told of it."""
    id: str = ""
    part: int = 0
    """The part that was begun last."""
    parts: int = 0
    """Parts that were begun."""
    texts: dict[tuple[str, int], str] = {}
    """(kind of part, its index) -> what was passed on of it."""
    begins: dict[int, int] = {}
    """Index of a part -> how much text was passed on before its own."""
    call: int = -1
    arguments: str = ""
    cited: int = 0
    done: bool = False

    def begun_otherwise(self, kind: str) -> bool:
        """Whether the part that was begun last is of another kind."""
        return any(place == self.part and told != kind for told, place in self.texts)


class ResponseReader:
    """Reads an upstream's response events. See `base.ResponseReader`.

    Deltas and `done` events say the same twice, and some upstreams leave out one or the other: whichever comes first is
    passed on, and the other only adds what is missing.
    """

    def __init__(self, *, signer: str) -> None:
        self.terminal = False
        self.fault: Fault | None = None
        self._events = StreamEvents()
        self._signer = signer
        self._started = False
        self._finished = False
        self._all: list[_Seen] = []
        self._items: dict[int, _Seen] = {}
        self._ids: dict[str, _Seen] = {}
        self._heard = False
        """Something was told that an answer is made of."""
        self._thinking: _Seen | None = None
        """The item whose thought is open."""
        self._calls = 0
        self._refused = False
        self._length = 0
        """Code points of text passed on."""

    def feed(self, frame: Frame) -> list[Delta]:
        """What a frame says."""
        if self._finished or self.fault is not None:
            return []
        event = self._events.read(frame)
        self.terminal = event.kind is FrameKind.TERMINAL or event.kind is FrameKind.DONE
        return list(self._read(event))

    def end(self) -> list[Delta]:
        """Nothing: the terminal event is the end, and an end without it is a fault."""
        if not self._finished and self.fault is None:
            self.fault = CUT if self._started else EMPTY
        return []

    def whole(self, answer: Mapping[str, object]) -> Iterator[Delta]:
        """Read a response that came in one piece."""
        yield from self._start(answer)
        yield from self._terminal(answer)

    def _read(self, event: StreamEvent) -> Iterator[Delta]:
        kind, response = event.data.get("type"), event.data.get("response")
        if isinstance(response, dict) and event.kind is not FrameKind.ERROR:
            yield from self._start(response)
        if event.fault is not None:
            self._fail(event.fault)
        elif isinstance(response, dict):
            if event.kind is FrameKind.TERMINAL:
                yield from self._terminal(response)
        elif isinstance(kind, str) and event.kind is FrameKind.CONTENT:
            yield from self._item_event(kind, event.data)

    def _start(self, response: Mapping[str, object]) -> Iterator[Delta]:
        if not self._started:
            self._started = True
            id = response.get("id")
            yield Started(id if isinstance(id, str) else "")

    def _fail(self, fault: Fault) -> None:
        self.fault = (
            fault if fault.message else msgspec.structs.replace(fault, message="the upstream's response failed")
        )

    def _item_event(self, kind: str, event: dict[str, Any]) -> Iterator[Delta]:
        item, delta, subject = event.get("item"), event.get("delta"), kind.split(".")[1]
        seen = self._seen(kind, subject, event)
        yield from self._start({})
        if kind.endswith("part.added"):
            place = _place(event)
            seen.part, seen.parts = seen.parts if place is None else place, seen.parts + 1
        place = _place(event)
        if place is None:
            place = seen.part = seen.part + (subject in ("output_text", "refusal") and seen.begun_otherwise(subject))
        self._heard = self._heard or (kind.endswith(".delta") and bool(delta) and subject not in _UNTOLD)
        if kind == "response.output_item.added" and isinstance(item, dict):
            yield from self._added(seen, item)
        elif kind == "response.output_item.done" and isinstance(item, dict):
            yield from self._item_done(seen, item)
        elif kind == "response.output_text.annotation.added":
            yield from self._cited(seen, event.get("annotation"), place)
        elif kind.endswith(".delta") and isinstance(delta, str) and delta:
            yield from self._said(seen, subject, place, delta, whole=False, logprobs=event.get("logprobs"))
        elif kind.endswith(".done"):
            said = next((event[name] for name in ("text", "refusal", "arguments", "input") if name in event), None)
            if isinstance(said, str):
                yield from self._said(seen, subject, place, said, whole=True, logprobs=event.get("logprobs"))

    def _seen(self, kind: str, subject: str, event: Mapping[str, object]) -> _Seen:
        """The item that an event is about: by its id, its index, or as the latest one of its type.

        See docs/wire/openai-responses.md#what-compatible-servers-leave-out.
        """
        item, index = event.get("item"), event.get("output_index")
        id = item.get("id") if isinstance(item, Mapping) else event.get("item_id")
        id = id if isinstance(id, str) else ""
        family = _family(item.get("type")) if isinstance(item, Mapping) else _FAMILIES.get(subject, "")
        added = kind == "response.output_item.added"
        seen = self._ids.get(id) if id else None
        if seen is None and isinstance(index, int):
            seen = self._items.get(index)
            if seen is not None and added and seen.id and id and seen.kind:
                seen = None  # another one under the same number
        elif seen is None and not added:
            fits = (each for each in reversed(self._all) if not each.done and (not family or each.family == family))
            seen = next(fits, None)
        if seen is None:
            seen = self._new()
        if isinstance(index, int):
            self._items[index] = seen
        seen.family = seen.family or family
        if id:
            seen.id = id
            self._ids.setdefault(id, seen)
        return seen

    def _new(self) -> _Seen:
        self._all.append(_Seen())
        return self._all[-1]

    def _listed(self, place: int, item: Mapping[str, object], open: list[_Seen]) -> _Seen:
        """The item that stands at a place of the whole output, out of those that were not found there yet."""
        id, family = item.get("id"), _family(item.get("type"))
        named = (self._ids.get(id) if isinstance(id, str) else None, self._items.get(place))
        known = [each for each in named if each is not None and each in open and each.family in ("", family)]
        known += [each for each in open if each.family == family]
        if not known:
            return self._new()
        open.remove(known[0])
        return known[0]

    def _said(
        self, seen: _Seen, kind: str, place: int, text: str, *, whole: bool, logprobs: object = None
    ) -> Iterator[Delta]:
        """Text of a part, new or repeated from its beginning."""
        if kind in ("function_call_arguments", "custom_tool_call_input"):
            new = _missing(seen.arguments, text) if whole else text
            if new and not seen.done:
                seen.arguments += new
                if seen.call >= 0:
                    yield ToolArguments(seen.call, new)
            return
        if kind not in ("output_text", "refusal", "reasoning_summary_text", "reasoning_text") or seen.done:
            return
        if kind.startswith("reasoning") and any(other != kind for other, _ in seen.texts):
            return  # a summary and the raw thoughts are two spellings of one thing
        told = seen.texts.get((kind, place), "")
        new = _missing(told, text) if whole else text
        if not new:
            return
        if kind.startswith("reasoning"):
            if not told and seen.texts:
                new = "\n\n" + new
            seen.texts[kind, place] = told + (text if not whole else _missing(told, text))
            if self._thinking is not seen:
                yield from self._end_thoughts()
                self._thinking = seen
            yield ThinkingDelta(new)
            return
        yield from self._end_thoughts()
        seen.texts[kind, place] = told + new
        if kind == "refusal":
            self._refused = True
            yield RefusalDelta(new)
        else:
            seen.begins.setdefault(place, self._length)
            self._length += len(new)
            yield TextDelta(new, 0, () if whole and told else tokens_of(logprobs))

    def _end_thoughts(self) -> Iterator[Delta]:
        if self._thinking is not None:
            self._thinking.done, self._thinking = True, None
            yield ThinkingEnded()

    def _added(self, seen: _Seen, item: Mapping[str, object]) -> Iterator[Delta]:
        kind, id, name = item.get("type"), item.get("call_id"), item.get("name")
        if seen.kind or not isinstance(kind, str):
            return
        seen.kind = kind
        item_id = item.get("id")
        if isinstance(item_id, str) and item_id:
            self._ids.setdefault(item_id, seen)
        if kind in ("function_call", "custom_tool_call") and isinstance(name, str) and name:
            yield from self._end_thoughts()
            namespace = item.get("namespace")
            if isinstance(namespace, str) and namespace:
                name = f"{namespace}__{name}"
            seen.call = self._calls
            self._calls += 1
            yield ToolStarted(seen.call, id if isinstance(id, str) else "", name, custom=kind == "custom_tool_call")
            if seen.arguments:  # which came before the name
                yield ToolArguments(seen.call, seen.arguments)

    def _item_done(self, seen: _Seen, item: Mapping[str, object]) -> Iterator[Delta]:
        if seen.done:
            return
        if seen.call < 0:
            seen.kind = ""
        yield from self._added(seen, item)
        if seen.call >= 0:
            said = item.get("input" if seen.kind == "custom_tool_call" else "arguments")
            if isinstance(said, str):
                yield from self._said(seen, "function_call_arguments", 0, said, whole=True)
            seen.done = True
            yield ToolEnded(seen.call)
        elif seen.kind == "message":
            yield from self._message_done(seen, item.get("content"))
            seen.done = True
        elif seen.kind == "reasoning":
            yield from self._reasoning_done(seen, item)
        elif seen.kind == "image_generation_call":
            seen.done = True
            yield from self._picture(item)

    def _message_done(self, seen: _Seen, content: object) -> Iterator[Delta]:
        for place, part in _parts(content):
            for kind, member in (("output_text", "text"), ("refusal", "refusal")):
                text = part.get(member)
                if part.get("type") == kind and isinstance(text, str):
                    yield from self._said(seen, kind, place, text, whole=True, logprobs=part.get("logprobs"))
            annotations = part.get("annotations")
            if isinstance(annotations, list):
                for annotation in annotations[seen.cited :]:
                    yield from self._cited(seen, annotation, place)

    def _reasoning_done(self, seen: _Seen, item: Mapping[str, object]) -> Iterator[Delta]:
        for kind, parts in (("reasoning_summary_text", item.get("summary")), ("reasoning_text", item.get("content"))):
            for place, part in _parts(parts):
                text = part.get("text")
                if isinstance(text, str):
                    yield from self._said(seen, kind, place, text, whole=True)
        encrypted, id = item.get("encrypted_content"), item.get("id")
        signature = None
        if isinstance(encrypted, str) and encrypted:
            signature = Signature(self._signer, "reasoning", encrypted, id if isinstance(id, str) else "")
        if self._thinking is seen or signature is not None:
            self._thinking = None
            yield ThinkingEnded(signature)
        seen.done = True

    def _picture(self, item: Mapping[str, object]) -> Iterator[Delta]:
        result, form = item.get("result"), item.get("output_format")
        data = openai_media.clean_base64(result) if isinstance(result, str) else None
        if data:
            yield from self._end_thoughts()
            yield ImageMade(Source(f"image/{form if isinstance(form, str) and form else 'png'}", data=data))

    def _cited(self, seen: _Seen, annotation: object, place: int) -> Iterator[Delta]:
        seen.cited += 1
        if isinstance(annotation, dict) and annotation.get("type") == "url_citation":
            url, title = annotation.get("url"), annotation.get("title")
            before = seen.begins.get(place, self._length)
            span = span_of(annotation.get("start_index"), annotation.get("end_index"), before=before)
            if isinstance(url, str) and url:
                yield Cited(url, title if isinstance(title, str) else "", span=span)

    def _terminal(self, response: Mapping[str, object]) -> Iterator[Delta]:
        status, error = response.get("status"), response.get("error")
        if error or status in ("failed", "cancelled"):
            self._fail(errors.parse_error(errors.status_in_stream(error), error))
            return
        if status in ("in_progress", "queued"):
            self.fault = _UNFINISHED
            return
        output, open = response.get("output"), list(self._all)
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict):
                yield from self._item_done(self._listed(index, item, open), item)
        yield from self._end_thoughts()
        unnamed = any(seen.arguments and seen.call < 0 for seen in self._all)
        if unnamed or (self._heard and not any(seen.texts or seen.call >= 0 for seen in self._all)):
            self.fault = _UNREADABLE
            return
        for seen in self._all:
            if seen.call >= 0 and not seen.done:
                seen.done = True
                yield ToolEnded(seen.call)
        usage = read_usage(response)
        if usage is not None:
            yield Consumed(usage)
        self._finished = True
        yield Finished(self._stop(response))

    def _stop(self, response: Mapping[str, object]) -> Stop:
        if response.get("status") == "incomplete":
            details = response.get("incomplete_details")
            reason = details.get("reason") if isinstance(details, Mapping) else None
            return Stop.FILTER if reason == "content_filter" else Stop.LENGTH
        if self._calls:
            return Stop.TOOL_CALLS
        return Stop.REFUSAL if self._refused else Stop.END


def _family(type: object) -> str:
    return _FAMILIES.get(type, type) if isinstance(type, str) else ""


def _place(event: Mapping[str, object]) -> int | None:
    place = event.get("summary_index", event.get("content_index"))
    return place if isinstance(place, int) else None


def _parts(parts: object) -> Iterator[tuple[int, Mapping[str, object]]]:
    for place, part in enumerate(parts if isinstance(parts, list) else ()):
        if isinstance(part, dict):
            yield place, part


def _missing(told: str, whole: str) -> str:
    """What `whole` has beyond what was told; nothing where it says something else."""
    return whole[len(told) :] if whole.startswith(told) else ""


def read_answer(answer: dict[str, object], *, signer: str) -> list[Delta] | Fault:
    """Read a whole response into the deltas that a stream of it would have given, or the fault that it really is."""
    fault = judge(answer)
    if fault is not None:
        return fault
    reader = ResponseReader(signer=signer)
    deltas = list(reader.whole(answer))
    return deltas if reader.fault is None else reader.fault
