"""Writers of the demo provider's replies: one `Reply`, five wire shapes.

Every shape has a whole form (`chat`, `responses`, ...: the JSON of a plain answer) and an event form (`chat_events`,
...: the same reply as the steps of a stream, each with the pause before it). The event forms are strict: roles and ids
stand once, indexes are dense, there is exactly one end, and Responses events carry the full `.added`/`.done` ladder.
Words count as tokens everywhere, so that usage can be checked by eye.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec

from agcore.protocol.http import Headers

Json: TypeAlias = dict[str, Any]
Step: TypeAlias = tuple[float, Json]
"""Seconds to wait, and the event to send then."""

CREATED: Final = 1_767_225_600
"""Every answer was created at this moment (2026-01-01, Unix seconds): the demo has no clock."""
PACE: Final = 0.03
"""Seconds before each piece of streamed content."""
_MOST_PIECES: Final = 400
_MOST_FRAGMENTS: Final = 8


class Wire(enum.Enum):
    """The dialects of generation; the value is the name for people."""

    CHAT = "OpenAI Chat Completions"
    COMPLETIONS = "OpenAI Completions"
    RESPONSES = "OpenAI Responses"
    MESSAGES = "Anthropic Messages"
    GEMINI = "Gemini generateContent"


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer's body."""

    delay: float
    """Seconds to wait before sending it."""
    data: bytes


class DemoAnswer(msgspec.Struct, frozen=True):
    """A complete HTTP answer, for a driver to send at the pace that its chunks name."""

    status: int
    headers: Headers
    """With `content-length` where the answer is whole, without it where it is a stream."""
    chunks: tuple[Chunk, ...]


class Call(msgspec.Struct, frozen=True):
    """A call of a tool that the client offered."""

    name: str
    arguments: Json | str
    """An object for a function, free text for a custom tool."""
    namespace: str | None = None

    @property
    def text(self) -> str:
        """What a client receives as the call's `arguments` or `input`."""
        return self.arguments if isinstance(self.arguments, str) else encode(self.arguments)

    @property
    def tokens(self) -> int:
        """The words of name and arguments."""
        return 1 + len(words(self.text))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo says, before it is put into a dialect."""

    seed: str
    """Hexadecimal digest of the request; all ids are made of it."""
    model: str
    prompt_tokens: int
    reasoning: str = ""
    text: str = ""
    call: Call | None = None
    cut: bool = False
    """The client's token limit ended the reply early."""

    @property
    def reasoning_tokens(self) -> int:
        """The words of the reasoning."""
        return len(words(self.reasoning))

    @property
    def output_tokens(self) -> int:
        """The words of everything that was said, reasoning included."""
        return self.reasoning_tokens + len(words(self.text)) + (self.call.tokens if self.call else 0)

    def ending(self, *, cut: str, call: str, stop: str) -> str:
        """Choose a dialect's word for how the reply ended."""
        if self.cut:
            return cut
        return call if self.call else stop


def encode(value: object) -> str:
    """`value` as compact JSON text."""
    return msgspec.json.encode(value).decode()


def words(text: str) -> list[str]:
    """Split text into words, each with the white space before it: what counts as tokens."""
    return re.findall(r"\s*\S+", text)


def pieces(text: str) -> list[str]:
    """Split text for streaming: word by word, or in larger pieces where that would take too long."""
    said = words(text)
    size = 1 + len(said) // _MOST_PIECES
    return ["".join(said[at : at + size]) for at in range(0, len(said), size)]


def fragments(text: str) -> list[str]:
    """Split the arguments of a call where a model would: anywhere."""
    size = max(12, -(-len(text) // _MOST_FRAGMENTS))
    return [text[at : at + size] for at in range(0, len(text), size)]


# Whole answers, errors, and the framing of streams


def whole(status: int, payload: Json | list[Json], headers: Headers = ()) -> DemoAnswer:
    """`payload` as a JSON answer in one chunk."""
    data = msgspec.json.encode(payload)
    fixed = ((b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()))
    return DemoAnswer(status, fixed + headers, (Chunk(0.0, data),))


def _stream(content_type: bytes, chunks: Iterable[Chunk], headers: Headers = ()) -> DemoAnswer:
    fixed = ((b"content-type", content_type), (b"cache-control", b"no-cache, no-transform"))
    return DemoAnswer(200, fixed + headers, tuple(chunks))


_SSE: Final = b"text/event-stream; charset=utf-8"


def data_stream(steps: Iterable[Step], headers: Headers) -> DemoAnswer:
    """Frame steps as Chat and Completions do: bare `data:` lines, `[DONE]` at the end."""
    chunks = [Chunk(delay, f"data: {encode(event)}\n\n".encode()) for delay, event in steps]
    return _stream(_SSE, [*chunks, Chunk(0.0, b"data: [DONE]\n\n")], headers)


def named_stream(steps: Iterable[Step], headers: Headers) -> DemoAnswer:
    """Frame steps as Responses and Anthropic do: an `event:` line that repeats the event's type."""
    frames = (Chunk(delay, f"event: {event['type']}\ndata: {encode(event)}\n\n".encode()) for delay, event in steps)
    return _stream(_SSE, frames, headers)


def gemini_stream(steps: Iterable[Step], *, sse: bool) -> DemoAnswer:
    """Frame steps as Gemini does: CRLF events with `alt=sse`, else one JSON array that grows."""
    if sse:
        return _stream(_SSE, (Chunk(delay, f"data: {encode(event)}\r\n\r\n".encode()) for delay, event in steps))
    chunks = [
        Chunk(delay, f"{',' if at else '['}{encode(event)}\r\n".encode()) for at, (delay, event) in enumerate(steps)
    ]
    return _stream(b"application/json", [*chunks, Chunk(0.0, b"]")])
