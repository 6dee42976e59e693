"""Nothing of a failed attempt is in the answer of the next one, in its headers, in the log or in memory.

Everything that the first upstream says is marked, and so is everything that the second one says. Whatever the first
does, the client gets the second one's answer and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pytest

from agcore import Gateway, Headers, OpenUpstream, Sent, Stage, UpstreamConnected, UpstreamFailed
from agcore.config.values import ModelRule, Retry
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, GEMINI, GEMINI_ARRAY, RESPONSES, Dialogue
from agcore_sim.story import EPOCH, JSON, SECRET, SSE, Story
from tests.support.dialogues import config, ids, provider

FIRST: Final = "sk-first-0123456789abcdef"
SECOND: Final = "sk-second-0123456789abcdef"
CLIENTS: Final = (CHAT, COMPLETIONS, RESPONSES, ANTHROPIC, GEMINI, GEMINI_ARRAY)
UPSTREAMS: Final = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
HTML: Headers = ((b"content-type", b"text/html"),)
TELLING: Headers = tuple(
    (name, b"FIRST")
    for name in (b"x-request-id", b"request-id", b"x-ratelimit-remaining-requests", b"openai-organization")
)
STATUSES: Final = (301, 401, 402, 403, 404, 408, 409, 429, 498, 500, 501, 502, 503, 504, 520, 529)
ERROR: Final = json.dumps({"error": {"type": "e", "message": f"FIRST: you sent {FIRST}", "code": FIRST}}).encode()

Answer = tuple[int, Headers, Sequence[bytes], bool]
"""Status, header fields, pieces of body, and whether it ends properly."""


def marked(data: bytes, mark: bytes, tokens: int) -> bytes:
    """What a dialogue's upstream says, with other ids, another text and another usage."""
    for id in (b"c1", b"resp_1", b"msg_1"):
        data = data.replace(b'"%b"' % id, b'"%b_%b"' % (id, mark))
    for name in (b"prompt_tokens", b"input_tokens", b"promptTokenCount"):
        for space in (b"", b" "):
            data = data.replace(b'"%b":%b5' % (name, space), b'"%b":%b%d' % (name, space, tokens))
    return data.replace(b"hello", b"hello " + mark)


def failures(vendor: Dialogue, *, stream: bool) -> Iterator[Answer]:
    """Answers that are none."""
    whole, announced = (marked(data, b"FIRST", 999) for data in (vendor.answer, vendor.announcements))
    busy = vendor.error.replace(b"busy", b"busy FIRST " + FIRST.encode())
    for status in STATUSES:
        for body in (ERROR, b"", b"<html>FIRST"):
            yield status, (*TELLING, *JSON), [body], True
        yield status, (*TELLING, *JSON), [ERROR[:20]], False
    for kind in (JSON, SSE, HTML):
        for pieces in ([], [ERROR], [whole[: len(whole) // 2]], [b"<html>FIRST</html>"]):
            yield 200, (*TELLING, *kind), pieces, True
        yield 200, (*TELLING, *kind), [whole[:30]], False
    if stream:
        for pieces in ([announced], [announced, busy], [busy], [announced, b"data: {FIRST\n\n"], [b": FIRST\n\n"]):
            yield 200, (*TELLING, *SSE), pieces, True
        yield 200, (*TELLING, *SSE), [announced, announced[:-9]], False


def asked(client: Dialogue, first: Dialogue, second: Dialogue, *, stream: bool) -> Story:
    """A request that goes to `first`, and then to `second`."""
    providers = (provider(first, name="first", keys=(FIRST,)), provider(second, name="second", keys=(SECOND,)))
    rule = ModelRule("m", ((("first", first.model),), (("second", second.model),)))
    setup = msgspec.structs.replace(config(providers=providers), retry=Retry(attempts=2), models=(rule,))
    story = Story(Gateway(setup, secret=SECRET, now=EPOCH))
    body = json.loads(client.request("m", stream=stream))
    if client is RESPONSES:
        body["store"] = True
    story.open("POST", client.target("m", stream=stream), body=json.dumps(body).encode())
    return story


def fail(story: Story, answer: Answer) -> None:
    """Play it on the first leg."""
    status, headers, pieces, ends = answer
    story.upstream_answers(status, pieces, headers=headers, leg=1, end=ends)
    if not ends and story.exchange.wants(1):
        story.upstream_breaks(leg=1)


def check(story: Story, second: Dialogue, *, stream: bool) -> None:
    """Let the second one answer, and look everywhere."""
    assert story.requests[2].origin.host == "second.example", story.text()
    if stream:
        pieces = [second.announcements, second.content, second.closing, second.terminal]
        story.upstream_answers(200, [marked(piece, b"SECOND", 77) for piece in pieces], headers=SSE)
    else:
        story.upstream_answers(200, marked(second.answer, b"SECOND", 77))
    assert (story.status, story.row["outcome"], story.row["attempts"]) == (200, "ok", 2), story.text()
    assert story.headers[b"x-agcore-provider"] == b"second"
    assert story.headers[b"x-agcore-model"] == second.model.encode()
    assert story.headers[b"x-agcore-attempts"] == b"2"
    assert b"FIRST" not in story.body + repr(story.head).encode(), story.text()
    if second is not RESPONSES:  # whose dialogue is too short to be translated: there is no item that has the text
        assert b"hello SECOND" in story.body
    usage: Any = story.row.get("usage")
    if stream or second is not GEMINI:  # whose whole answer has none
        assert usage["fresh"] == 77
    shown = [repr(effect) for effect in story.effects if not isinstance(effect, OpenUpstream)]
    assert not any(secret in text for text in shown for secret in (FIRST, SECOND))
    assert story.gateway.buffered == 0
    saved = story.gateway.unsaved_state(now=story.now) or b""
    assert FIRST.encode() not in saved


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", CLIENTS, ids=ids)
@pytest.mark.parametrize("first", UPSTREAMS, ids=ids)
def test_whatever_the_first_says_the_client_gets_the_second_ones_answer_and_nothing_else(
    first: Dialogue, client: Dialogue, stream: bool
) -> None:
    following = UPSTREAMS[UPSTREAMS.index(first) - 1]
    for second in (first, following):
        for answer in failures(first, stream=stream):
            story = asked(client, first, second, stream=stream)
            fail(story, answer)
            check(story, second, stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", CLIENTS, ids=ids)
@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.TLS, Stage.SEND, Stage.HEAD])
def test_a_connection_that_breaks_before_an_answer_leaves_nothing_behind(
    stage: Stage, client: Dialogue, stream: bool
) -> None:
    story = asked(client, CHAT, ANTHROPIC, stream=stream)
    if stage in (Stage.SEND, Stage.HEAD):
        story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamFailed(1, stage, Sent.NONE, False, "broken"))
    check(story, ANTHROPIC, stream=stream)
