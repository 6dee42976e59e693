"""What upstreams do with a request, by name: they answer, refuse, fail, fall silent, or break off."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from typing import Final

from agcore import (
    Headers,
    Input,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore_sim.dialogues import Dialogue
from agcore_sim.story import JSON, SSE


class Act(enum.Enum):
    """What an upstream does with a request; the value says it to people."""

    ANSWER = "answers"
    RATE = "429 with retry-after 30"
    TINY_RATE = "429 with retry-after-ms 50"
    BARE_RATE = "429 that names no time"
    REVOKED = "401"
    FORBIDDEN = "403"
    POOR = "402"
    FAILS = "500"
    BUSY = "529"
    BUSY_LONG = "503 with retry-after 20"
    MISSING = "404"
    INVALID = "400"
    REFUSES = "no connection"
    HANGS = "takes the request and says nothing"
    CUTS_HEAD = "closes before an answer"
    EMPTY = "a 200 that says nothing"
    ERROR_EVENT = "a stream that begins with an error, or a 200 that is one"
    ANNOUNCES_AND_CUTS = "announces an answer and closes"
    CUTS_CONTENT = "closes within the content"


STATUS: Final[Mapping[Act, tuple[int, Headers]]] = {
    Act.RATE: (429, ((b"retry-after", b"30"),)),
    Act.TINY_RATE: (429, ((b"retry-after-ms", b"50"),)),
    Act.BARE_RATE: (429, ()),
    Act.REVOKED: (401, ()),
    Act.FORBIDDEN: (403, ()),
    Act.POOR: (402, ()),
    Act.FAILS: (500, ()),
    Act.BUSY: (529, ()),
    Act.BUSY_LONG: (503, ((b"retry-after", b"20"),)),
    Act.MISSING: (404, ()),
    Act.INVALID: (400, ()),
}
"""The acts that are nothing but a status, and the header fields that go with it."""

ERROR_BODY: Final = json.dumps({"error": {"type": "e", "message": "scripted", "status": "X"}}).encode()
WHOLE: Final = frozenset({Act.ANSWER, Act.EMPTY, Act.ERROR_EVENT})
"""The acts of status 200 whose body ends properly."""


def perform(act: Act, vendor: Dialogue, leg: int, *, stream: bool) -> Iterator[Input]:
    """Give what a frontend would report of `leg`, in order, when its upstream acts so.

    Args:
        act: What the upstream does.
        vendor: The words that it answers in.
        leg: The number that `OpenUpstream` gave.
        stream: Whether the request asked for a stream.

    """
    if act is Act.REFUSES:
        yield UpstreamFailed(leg, Stage.CONNECT, Sent.NONE, reused=False, cause="refused")
        return
    yield UpstreamConnected(leg, reused=False)
    if act is Act.HANGS:
        return
    if act is Act.CUTS_HEAD:
        yield UpstreamFailed(leg, Stage.HEAD, Sent.ALL, reused=False, cause="closed")
        return
    if act in STATUS:
        status, headers = STATUS[act]
        yield UpstreamHead(leg, status, (*JSON, *headers))
        yield UpstreamData(leg, ERROR_BODY)
        yield UpstreamEnd(leg)
        return
    yield UpstreamHead(leg, 200, SSE if stream else JSON)
    for piece in _stream(vendor, act) if stream else _whole(vendor, act):
        yield UpstreamData(leg, piece)
    if act in WHOLE:
        yield UpstreamEnd(leg)
    else:
        yield UpstreamFailed(leg, Stage.BODY, Sent.ALL, reused=False, cause="closed")


def _stream(vendor: Dialogue, act: Act) -> list[bytes]:
    if act is Act.ANSWER:
        return [vendor.announcements, vendor.content, vendor.closing or b": \n\n", vendor.terminal or b": \n\n"]
    if act is Act.CUTS_CONTENT:
        return [vendor.announcements, vendor.content]
    if act is Act.ERROR_EVENT:
        return [vendor.announcements, vendor.error]
    return [vendor.announcements] if act is Act.ANNOUNCES_AND_CUTS else []


def _whole(vendor: Dialogue, act: Act) -> list[bytes]:
    if act is Act.ANSWER:
        return [vendor.answer]
    if act is Act.ERROR_EVENT:
        return [ERROR_BODY]
    return [vendor.answer[:20]] if act in (Act.CUTS_CONTENT, Act.ANNOUNCES_AND_CUTS) else []
