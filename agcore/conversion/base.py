"""Conversions: one attempt's way through two wires, the client's and the upstream's.

A conversion is made for one attempt and is dropped with it, so nothing of it is ever reset. It holds the request as it
leaves and reads the answer to it:

    head -> Passing.STREAM: feed, feed, ..., then end, or broken where the connection was
         -> Passing.WHOLE:  whole, once the body is complete
         -> Passing.RAW:    nothing more, the bytes pass as they come

It reads no clock, holds no connection and knows no credential. Where one request takes several calls, a `Division`
makes the conversions of all of them, and puts together what their answers say.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import first, media_type
from agcore.codecs.sse import encode
from agcore.conversation.losses import Losses
from agcore.dialects.base import Dialect
from agcore.dialects.whole_answer import read_object
from agcore.protocol.fault import Fault
from agcore.protocol.http import Body, Headers
from agcore.protocol.report import Usage

SSE_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
ARRAY_HEADERS: Final[Headers] = ((b"content-type", b"application/json; charset=utf-8"), *SSE_HEADERS[1:])
STREAM_HEADERS: Final[Mapping[str, Headers]] = {"sse": SSE_HEADERS, "array": ARRAY_HEADERS}
"""Framing -> the headers of such a stream."""


class Outgoing(msgspec.Struct, frozen=True):
    """The request of one attempt, but for its credential and what its provider's configuration adds."""

    target: bytes
    """Path and query at the upstream."""
    headers: Headers
    method: str = "POST"
    body: Body = b""
    length: int | None = None
    """Bytes of a body that is not in memory; None where only its end will tell."""


class Passing(enum.Enum):
    """The ways in which an answer comes to the client, told apart by its head."""

    STREAM = "stream"
    WHOLE = "whole"
    RAW = "raw"


class Output(msgspec.Struct, frozen=True):
    """A piece of the client's stream, made of a piece of the upstream's answer."""

    data: bytes = b""
    """Content, which commits the answer; empty while there is none."""
    deferred: bool = False
    """Announcements wait for content: `release` has them."""
    terminal: bool = False
    """`data` ends with the stream's last event, which may repeat the upstream's words about a failure."""
    fault: Fault | None = None
    """The failure of the answer, after `data`, when nothing more is to be fed."""


NOTHING: Final = Output()


class WholeAnswer(msgspec.Struct, frozen=True):
    """An answer that the client gets as a whole."""

    body: bytes
    content_type: bytes = b"application/json"
    headers: Headers = ()
    failed: bool = False
    """The answer tells of a failure, in the upstream's words."""
    local: bool = False
    """The answer was made here and says nothing of what an upstream answered."""


Answered: TypeAlias = WholeAnswer | Output | Fault
"""A whole answer as the client gets it: whole, as the stream that was asked for, or an error."""


class Answering(Protocol):
    """The client's side of an answer, which conversions and divisions have in common."""

    translated: bool
    """The upstream is asked in words of the gateway's: its header fields mean nothing to the client."""
    stream_headers: Headers
    """Of the client's stream; empty where it asked for none, or where only the answer's head will tell."""
    opens_early: bool
    """The stream may be opened, and kept alive, before the upstream answers."""
    losses: Losses
    held: int
    """Bytes that were made for the request, and are accounted for as long as they may be sent again."""

    @property
    def usage(self) -> Usage | None:
        """Usage of the answer, as far as the upstream told it."""

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""

    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """The bytes that end the client's stream in an error; None where it can only be broken off."""


class Conversion(Answering, Protocol):
    """One attempt: the request as it leaves, and the reader of the answer to it."""

    request: Outgoing

    @property
    def response(self) -> Mapping[str, object] | None:
        """The client's answer as one object with an id, where its dialect's requests may go on from such answers."""

    def head(self, status: int, headers: Headers) -> Passing:
        """Take in the head of an answer with a 2xx: how the rest of it comes to the client."""

    def feed(self, data: bytes) -> Output:
        """Read a piece of a stream."""

    def end(self) -> Output:
        """The stream's body ended; `fault` is set where that came too early."""

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Read a whole answer."""

    def broken(self) -> Output | None:
        """Returns what the client still gets once the connection broke; None where the answer is not complete."""

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """The attempt anew, without signatures, where `fault` refuses one; None where that is no remedy."""


class GiveUp(msgspec.Struct, frozen=True):
    """Nothing comes of a division: the client hears of `fault`, unless the request can go elsewhere."""

    fault: Fault
    final: bool
    """Nobody else may be asked."""


class Division(ABC):
    """Base of divisions: one request that takes several calls, side by side, and one answer that theirs become.

    It shows the client what all branches say, as an `Answering`.
    """

    translated = True
    stream_headers: Headers
    opens_early: bool
    losses: Losses
    held: int

    count: int
    """Calls, at least one."""
    answers: int
    """Multiples of one answer's bound that may be held: 1 where all answers share it."""
    keeps_turn: bool
    """The first call is made with the credential that was chosen for the request as a whole."""

    @property
    @abstractmethod
    def usage(self) -> Usage | None:
        """Usage of all calls together, as `Answering.usage`."""

    @property
    def fault(self) -> Fault | None:
        """Failure that the client hears of once all calls are over, after what it was shown; None where all is well."""
        return None

    @abstractmethod
    def branch(self, number: int) -> Conversion:
        """A conversion for another attempt of one of the calls, numbered from 0. It shows the client what all say."""

    def release(self) -> bytes:
        """Nothing was announced."""
        return b""

    @abstractmethod
    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """Returns the bytes that end the client's stream in an error, as `Answering.error`."""

    @abstractmethod
    def failed(self, number: int, fault: Fault, *, final: bool, now: float) -> Answered | GiveUp:
        """One of the calls failed for good: what that means for the others, or the answer where it was the last."""


class Upstream(msgspec.Struct, frozen=True):
    """The provider and the dialect that answer an attempt."""

    provider: str
    """The provider's name, for people."""
    dialect: Dialect


class Stream(Protocol):
    """An upstream's stream on its way to the client, whose announcements wait for content."""

    @property
    def usage(self) -> Usage | None:
        """Usage of the stream, as far as the upstream told it."""

    @property
    def fault(self) -> Fault | None:
        """Failure of the stream, after which nothing more is to be fed; None while all is well."""

    def feed(self, data: bytes) -> Output:
        """Returns what the client gets for a piece of the upstream's body."""

    def end(self) -> Output:
        """Returns what the client gets at the end of the upstream's body."""

    def broken(self) -> Output | None:
        """Returns what a stream still lacks whose upstream broke off; None where the answer is not complete."""

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error, fitting to what was sent."""


def replay(stream: Stream, events: Iterable[object]) -> Output:
    """Returns what the client gets of a stream that is fed all of its decoded events at once."""
    out = []
    for event in events:
        out.append(stream.feed(encode(json_text.encode(event))).data)
        if stream.fault is not None:
            return Output(b"".join(out), fault=stream.fault)
    last = stream.end()
    return msgspec.structs.replace(last, data=b"".join([*out, last.data]))


def is_event_stream(headers: Headers) -> bool:
    """Returns True where an answer is an event stream by its content type, and in no coding that nobody here knows."""
    return media_type(headers) == b"text/event-stream" and first(headers, b"content-encoding") is None


class AttemptConversion(ABC):
    """Base of conversions: an answer is a stream where one was asked for and its type says so, and else read whole.

    Args:
        request: As it leaves.
        upstream: Who answers it.
        losses: What could not be carried.
        translated: See `Answering.translated`.
        stream: The stream that the client asked for; None where it wants a whole answer.
        stream_headers: That stream's.
        opens_early: See `Answering.opens_early`.
        held: See `Answering.held`.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        *,
        losses: Losses,
        translated: bool,
        stream: Stream | None = None,
        stream_headers: Headers = (),
        opens_early: bool = False,
        held: int = 0,
    ) -> None:
        self.request = request
        self.upstream = upstream
        self.losses = losses
        self.translated = translated
        self.stream = stream
        self.stream_headers = stream_headers
        self.opens_early = opens_early
        self.held = held
        self._usage: Usage | None = None
        self._status = 200
        self._headers: Headers = ()

    @property
    def usage(self) -> Usage | None:
        """Usage as the stream told it, or the whole answer."""
        told = None if self.stream is None else self.stream.usage
        return self._usage if told is None else told

    @property
    def response(self) -> Mapping[str, object] | None:
        """Nothing to go on from."""
        return None

    def head(self, status: int, headers: Headers) -> Passing:
        """A JSON answer to a stream request is read as such."""
        self._status, self._headers = status, headers
        streams = self.stream is not None and is_event_stream(headers)
        return Passing.STREAM if streams else Passing.WHOLE

    def feed(self, data: bytes) -> Output:
        """Read a piece of the stream."""
        assert self.stream is not None
        return self.stream.feed(data)

    def end(self) -> Output:
        """End the stream."""
        assert self.stream is not None
        return self.stream.end()

    @abstractmethod
    def whole(self, body: bytes, *, now: float) -> Answered:
        """Read a whole answer."""

    def broken(self) -> Output | None:
        """A stream may be complete before its end; a whole answer is not."""
        return None if self.stream is None else self.stream.broken()

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """There are no signatures."""
        return None

    def release(self) -> bytes:
        """The stream's announcements."""
        assert self.stream is not None
        return self.stream.release()

    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """The stream's own error."""
        return None if self.stream is None else self.stream.error(fault, request_id)

    def read(self, body: bytes) -> dict[str, object] | Fault:
        """The answer's JSON object, or what is wrong with it."""
        upstream = self.upstream
        return read_object(
            json_text.mended(body),
            dialect=upstream.dialect,
            provider=upstream.provider,
            status=self._status,
            headers=self._headers,
        )
