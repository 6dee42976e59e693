"""A world without sockets: upstreams that misbehave by script, and a clock that nobody waits for.

A `World` plays the part of a driver and of all upstreams. What a key answers is a list of `Act`s, one for each request
that reaches it, the last of which repeats. Time passes only as the machine's own deadlines say.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agcore import Gateway
from agcore.protocol.effects import OpenUpstream
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Sent, Stage, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamFailed
from agcore.protocol.inputs import UpstreamHead as Head
from agcore.protocol.legality import State
from tests.support.dialogues import DIALOGUES, Dialogue
from tests.support.story import JSON, SSE, Story

BY_DIALECT = {dialogue.dialect: dialogue for dialogue in DIALOGUES}


class Act(enum.Enum):
    """What an upstream does with a request."""

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


STATUS: Mapping[Act, tuple[int, Headers]] = {
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

ERROR_BODY = b'{"error": {"type": "e", "message": "scripted", "status": "X"}}'


@dataclass
class Served:
    """One request that reached an upstream."""

    at: float
    host: str
    key: str
    act: Act
    shown: bool
    """The client had seen content before."""


@dataclass
class World:
    """Upstreams by script: what a key (its text) does with each request."""

    gateway: Gateway
    script: Mapping[str, Sequence[Act]]
    dialects: Mapping[str, str]
    """Host -> the dialect that it speaks."""
    served: list[Served] = field(default_factory=list)
    _streamed: dict[Story, bool] = field(default_factory=dict)
    _answered: set[tuple[Story, int]] = field(default_factory=set)

    def ask(self, dialogue: Dialogue, *, model: str, stream: bool, at: float) -> Story:
        """One client request from beginning to end. `story.now` is when it was over."""
        story = self.begin(dialogue, model=model, stream=stream, at=at)
        while not story.finished:
            self.step(story)
        return story

    def begin(self, dialogue: Dialogue, *, model: str, stream: bool, at: float) -> Story:
        """A client request that `step` leads to its end."""
        story = Story(self.gateway)
        story.now = at
        self._streamed[story] = stream
        story.open("POST", dialogue.target(model, stream=stream), body=dialogue.request(model, stream=stream))
        return story

    def step(self, story: Story) -> None:
        """Upstreams answer what was asked of them; where nothing was, time passes up to the next deadline."""
        legs = [leg for leg in story.requests if (story, leg) not in self._answered]
        for leg in legs:
            self._answered.add((story, leg))
            if story.exchange.wants(leg):
                self._serve(story, leg, self._streamed[story])
        if not legs:
            deadline = story.exchange.deadline
            assert deadline is not None, "the exchange waits for nothing\n" + story.text()
            story.wait(max(deadline - story.now, 0.0))

    def _serve(self, story: Story, leg: int, stream: bool) -> None:
        request = story.requests[leg]
        host = request.origin.host
        key = next(
            value.decode().removeprefix("Bearer ")
            for name, value in request.headers
            if name in (b"authorization", b"x-api-key", b"x-goog-api-key")
        )
        acts = self.script[key]
        act = acts[min(sum(each.key == key for each in self.served), len(acts) - 1)]
        self.served.append(Served(story.now, host, key, act, story.exchange.state is State.COMMITTED))
        vendor = BY_DIALECT[self.dialects[host]]
        if act is Act.REFUSES:
            story.tell(UpstreamFailed(leg, Stage.CONNECT, Sent.NONE, False, "refused"))
            return
        story.tell(UpstreamConnected(leg, reused=False))
        if act is Act.HANGS:
            return
        if act is Act.CUTS_HEAD:
            story.tell(UpstreamFailed(leg, Stage.HEAD, Sent.ALL, False, "closed"))
        elif act in STATUS:
            status, headers = STATUS[act]
            self._play(story, leg, status, (*JSON, *headers), [ERROR_BODY], end=True)
        elif stream:
            self._play(story, leg, 200, SSE, _stream(vendor, act), end=act in (Act.ANSWER, Act.EMPTY, Act.ERROR_EVENT))
        else:
            end = act in (Act.ANSWER, Act.EMPTY, Act.ERROR_EVENT)
            self._play(story, leg, 200, JSON, _whole(vendor, act), end=end)

    def _play(
        self, story: Story, leg: int, status: int, headers: Headers, pieces: Sequence[bytes], *, end: bool
    ) -> None:
        story.tell(Head(leg, status, headers))
        for piece in pieces:
            if story.exchange.wants(leg):
                story.tell(UpstreamData(leg, piece))
        if story.exchange.wants(leg):
            story.tell(UpstreamEnd(leg) if end else UpstreamFailed(leg, Stage.BODY, Sent.ALL, False, "closed"))


def _stream(vendor: Dialogue, act: Act) -> list[bytes]:
    if act is Act.ANSWER:
        return [vendor.announcements, vendor.content, vendor.closing, vendor.terminal or b": \n\n"]
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


def opened(story: Story) -> int:
    """How many requests to upstreams a story made."""
    return sum(isinstance(effect, OpenUpstream) for effect in story.effects)
