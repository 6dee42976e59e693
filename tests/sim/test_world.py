"""The simulated world: one clock, events in the order of their times, and everything that a frontend does."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from agcore import Config, Gateway, Input, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore_sim.clients import ClientRequest, request
from agcore_sim.dialogues import ANTHROPIC, CHAT, RESPONSES
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, JSON, SECRET
from agcore_sim.upstreams import Asked, Upstreams
from agcore_sim.world import World
from tests.support import edges, vision
from tests.support.dialogues import config
from tests.support.failover import world


class Slow:
    """Upstreams that answer a Chat request in so many seconds."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Iterable[tuple[float, Input]]:
        self.asked.append(asked)
        yield 0.0, UpstreamConnected(asked.leg, reused=False)
        yield self.seconds.pop(0), UpstreamHead(asked.leg, 200, JSON)
        yield 0.5, UpstreamData(asked.leg, CHAT.answer)
        yield 0.0, UpstreamEnd(asked.leg)


def around(
    upstreams: Upstreams, setup: Config | None = None, files: dict[str, bytes] | None = None
) -> World[Upstreams]:
    return World(Gateway(setup or config(), secret=SECRET, now=EPOCH), upstreams, files=files)


def posted(message: object, session: bytes = b"") -> ClientRequest:
    """A message for the built-in MCP server."""
    fields = [vision.ACCEPT, *JSON, (b"mcp-protocol-version", b"2025-11-25")]
    if session:
        fields.append((b"mcp-session-id", session))
    return ClientRequest("POST", vision.AT, tuple(fields), json.dumps(message).encode())


def initialised(world: World[Upstreams]) -> bytes:
    """The id of a new session there."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    story = world.ask(posted(vision.request("initialize", params, id=0)))
    session = story.headers[b"mcp-session-id"]
    assert world.ask(posted(vision.note("notifications/initialized"), session)).status == 202
    return session


def test_what_happens_first_is_told_first() -> None:
    this = around(Slow(3.0, 1.0))
    slow, fast = (this.begin(request(CHAT, CHAT.model)) for _ in range(2))
    this.finish(fast)
    assert (fast.now, slow.finished) == (EPOCH + 1.5, False)
    this.finish(slow)
    assert (slow.now, this.now) == (EPOCH + 3.5, EPOCH + 3.5)


def test_the_clock_goes_to_where_it_is_told_and_no_further() -> None:
    this = around(Slow(3.0))
    story = this.begin(request(CHAT, CHAT.model))
    this.run(until=EPOCH + 3.2)
    assert (this.now, story.finished) == (EPOCH + 3.2, False)
    this.run()
    assert (this.now, story.finished) == (EPOCH + 3.5, True)
    assert not this.step()


def test_a_deadline_is_an_event_like_any_other() -> None:
    this = around(Slow(*[1000.0] * 4))
    story = this.ask(request(CHAT, CHAT.model))
    assert story.status == 504
    assert this.gateway.buffered == 0


def test_a_client_without_patience_hangs_up() -> None:
    this = around(Slow(3.0))
    story = this.ask(request(CHAT, CHAT.model, patience=2.0))
    assert (story.now, story.row["outcome"]) == (EPOCH + 2.0, "client gone")


def test_what_an_upstream_says_after_it_was_left_is_lost() -> None:
    this = around(Slow(3.0))
    story = this.begin(request(CHAT, CHAT.model))
    this.run(until=EPOCH + 1)
    this.abandon(story)
    assert story.finished
    this.run()
    assert story.now == EPOCH + 1


MODEL = edges.part("model", b"my-media")
FILE = edges.part("file", b"\x00" * 3 * edges.MIB, file=True)


@pytest.mark.parametrize("body", [MODEL + FILE, FILE + MODEL], ids=["streamed", "put aside"])
def test_an_upstream_gets_a_large_form_whole(body: bytes) -> None:
    upstreams = Slow(0.0)
    this = around(upstreams, edges.setup())
    headers = ((b"content-type", edges.FORM),)
    story = this.ask(ClientRequest("POST", "/v1/audio/transcriptions", headers, body + edges.form()))
    assert story.status == 200
    (asked,) = upstreams.asked
    assert asked.body == (body + edges.form()).replace(b"my-media", b"up-media")


@pytest.mark.parametrize(("files", "found"), [({"/pictures/a.png": vision.PNG}, True), ({}, False)])
def test_files_are_those_of_the_world(files: dict[str, bytes], found: bool) -> None:
    upstreams = Slow(0.0)
    setup = vision.setup(file_roots=("/pictures",))
    this = around(upstreams, setup, files=files)
    story = this.ask(posted(vision.tool_call(image_source="/pictures/a.png", prompt="?"), initialised(this)))
    assert bool(upstreams.asked) == found
    assert (b"cannot be read" in story.body) == (not found)


def test_one_exchange_is_told_what_another_has_to_say() -> None:
    upstreams = Slow(100.0)
    this = around(upstreams, vision.setup())
    session = initialised(this)
    call = this.begin(posted(vision.tool_call(id=7), session))
    cancelled = vision.note("notifications/cancelled", {"requestId": 7})
    assert this.ask(posted(cancelled, session)).status == 202
    this.finish(call)
    assert call.now == EPOCH


def test_a_script_is_followed_key_by_key() -> None:
    this = world({"a1": [Act.FAILS, Act.ANSWER]})
    for dialogue in (CHAT, RESPONSES, ANTHROPIC):
        assert this.ask(request(dialogue, "m")).status == 200
    assert [(each.key, each.act) for each in this.upstreams.served][:2] == [("a1", Act.FAILS), ("a2", Act.ANSWER)]
    assert {each.host for each in this.upstreams.served} == {"a.example"}


def test_an_exchange_that_waits_for_nothing_is_a_bug_and_not_an_endless_loop() -> None:
    class Nobody:
        def answer(self, asked: Asked) -> Iterable[tuple[float, Input]]:
            return ()

    this = around(Nobody())
    story = this.begin(request(CHAT, CHAT.model))
    this._events.clear()
    with pytest.raises(RuntimeError, match="the exchange waits for nothing"):
        this.finish(story)
