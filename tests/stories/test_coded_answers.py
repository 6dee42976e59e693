"""Answers in content codings that nobody asked for: they mean what they say, or what cannot be read is named."""

from __future__ import annotations

import json
import zlib
from typing import Final

import pytest

from agcore import (
    AbortUpstream,
    Headers,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.config.values import Limits
from agcore.protocol.inputs import Sent
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.coded import CODED
from tests.support.dialogues import asked, config, ids
from tests.support.edges import MCP_AT, MIB, setup


def field(coding: str) -> Headers:
    return ((b"content-encoding", coding.encode()),)


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_coded_answer_passes_as_the_plain_one_that_it_is(dialogue: Dialogue, coding: str) -> None:
    plain, story = (asked(dialogue, stream=False) for _ in range(2))
    plain.upstream_answers(200, dialogue.answer)
    packed = CODED[coding](dialogue.answer)
    length = (b"content-length", b"%d" % len(packed))
    story.upstream_answers(200, (packed[:9], packed[9:]), headers=(*JSON, *field(coding), length))
    assert (story.status, story.body, story.headers) == (plain.status, plain.body, plain.headers)


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_coded_stream_passes_as_it_comes(dialogue: Dialogue, coding: str) -> None:
    plain, story = (asked(dialogue, stream=True) for _ in range(2))
    plain.upstream_answers(200, dialogue.stream, headers=SSE)
    packed = CODED[coding](dialogue.stream)
    story.upstream_answers(
        200, [packed[at : at + 7] for at in range(0, len(packed), 7)], headers=(*SSE, *field(coding))
    )
    assert (story.status, story.body, story.ended) == (200, plain.body, True)


def test_what_was_flushed_is_shown_at_once() -> None:
    story = asked(CHAT, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, (*SSE, *field("gzip"))))
    packer = zlib.compressobj(wbits=31)
    for frame in (CHAT.content, CHAT.content):
        before = len(story.body)
        story.tell(UpstreamData(1, packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)))
        assert len(story.body) > before


def test_a_coded_answer_is_translated_like_a_plain_one() -> None:
    for stream, answer, kind in ((False, ANTHROPIC.answer, JSON), (True, ANTHROPIC.stream, SSE)):
        plain, story = (asked(CHAT, stream=stream, model="up-anthropic") for _ in range(2))
        plain.upstream_answers(200, answer, headers=kind)
        story.upstream_answers(200, CODED["br"](answer), headers=(*kind, *field("br")))
        assert story.body == plain.body


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_coded_error_keeps_its_words(dialogue: Dialogue, coding: str) -> None:
    story = asked(dialogue, stream=False)
    story.upstream_answers(
        400, CODED[coding](b'{"error": {"message": "no such thing"}}'), headers=(*JSON, *field(coding))
    )
    assert story.status == 400
    assert "no such thing" in json.loads(story.body)["error"]["message"]


def test_a_broken_error_keeps_its_status() -> None:
    story = asked(CHAT, stream=False)
    story.upstream_answers(422, b"no gzip", headers=(*JSON, *field("gzip")))
    assert story.status == 422


@pytest.mark.parametrize(
    ("names", "body"),
    [
        (b"x-gzip", CODED["gzip"](CHAT.answer)),
        (b"gzip, br", CODED["br"](CODED["gzip"](CHAT.answer))),
        (b"", CHAT.answer),
    ],
)
def test_codings_go_by_any_of_their_names(names: bytes, body: bytes) -> None:
    story = asked(CHAT, stream=False)
    story.upstream_answers(200, body, headers=(*JSON, (b"content-encoding", names)))
    assert story.status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_coding_that_is_not_known_is_named_and_asked_for_once(dialogue: Dialogue, stream: bool) -> None:
    story = asked(dialogue, stream=stream, attempts=4)
    story.upstream_answers(200, b"\0\1\2", headers=(*(SSE if stream else JSON), *field("dcz")))
    story.wait(60)
    assert (story.status, len(story.requests)) == (502, 1)
    message = json.loads(story.body)["error"]["message"]
    assert "answered 200 in the coding 'dcz', which was not asked for and is not known here" in message


def test_an_error_in_a_coding_that_is_not_known_says_so() -> None:
    story = asked(CHAT, stream=False)
    story.upstream_answers(400, b"\0\1\2", headers=(*JSON, *field("dcz")))
    assert story.status == 400
    assert "(application/json, in the unknown coding 'dcz')" in json.loads(story.body)["error"]["message"]


def test_json_that_is_called_coded_and_is_not_is_read_all_the_same() -> None:
    story = asked(CHAT, stream=False)
    story.upstream_answers(200, CHAT.answer, headers=(*JSON, *field("dcz")))
    assert story.status == 200


@pytest.mark.parametrize("coding", CODED)
def test_a_broken_body_is_a_failed_attempt(coding: str) -> None:
    story = asked(CHAT, stream=False, attempts=2)
    story.upstream_answers(200, b"nothing that is coded", headers=(*JSON, *field(coding)))
    assert AbortUpstream(1) in story.effects
    story.wait(5)
    story.upstream_answers(200, CODED[coding](CHAT.answer)[:-1], headers=(*JSON, *field(coding)))
    assert story.status == 502
    assert "tried" in json.loads(story.body)["error"]["message"]


def test_a_stream_that_said_all_may_break_off() -> None:
    plain, story = (asked(CHAT, stream=True) for _ in range(2))
    plain.upstream_answers(200, CHAT.stream, headers=SSE)
    packer = zlib.compressobj(wbits=31)
    cut = packer.compress(CHAT.stream) + packer.flush(zlib.Z_SYNC_FLUSH)
    story.upstream_answers(200, cut, headers=(*SSE, *field("gzip")))
    assert (story.status, story.ended) == (200, True)
    assert story.body == plain.body


def test_a_connection_that_breaks_within_a_coded_answer_is_one_that_breaks() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, (*JSON, *field("gzip"))))
    story.tell(UpstreamData(1, CODED["gzip"](CHAT.answer)[:5]))
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, reused=False, cause="reset"))
    assert story.status == 502
    assert "the connection closed within the answer" in json.loads(story.body)["error"]["message"]


@pytest.mark.parametrize("coding", CODED)
def test_a_bomb_is_a_502(coding: str) -> None:
    story = asked(CHAT, stream=False, setup=config(limits=Limits(max_json_mb=1)))
    story.upstream_answers(200, CODED[coding](bytes(8 * MIB)), headers=(*JSON, *field(coding)))
    assert story.status == 502
    assert story.gateway.buffered == 0


def test_a_long_stream_may_be_longer_than_one_answer() -> None:
    story = asked(CHAT, stream=True, setup=config(limits=Limits(max_json_mb=0.1)))
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, (*SSE, *field("gzip"))))
    packer = zlib.compressobj(wbits=31)
    for _ in range(40):
        story.tell(UpstreamData(1, packer.compress(CHAT.content * 100) + packer.flush(zlib.Z_SYNC_FLUSH)))
    assert len(story.body) > 200_000
    assert not story.finished


def test_an_error_body_is_read_no_further_than_a_plain_one() -> None:
    story = asked(CHAT, stream=False)
    story.upstream_answers(400, CODED["gzip"](b"x" * MIB), headers=((b"content-type", b"text/plain"), *field("gzip")))
    assert (story.status, AbortUpstream(1) in story.effects) == (400, True)


# What passes as it comes.

SOUND: Final = b"RIFF" + bytes(range(256)) * 40
AUDIO: Final[Headers] = ((b"content-type", b"audio/wav"),)


def spoken(body: bytes, headers: Headers) -> Story:
    story = Story(gateway(setup()))
    story.open("POST", "/v1/audio/speech", body=b'{"model": "my-media", "input": "hi", "voice": "a"}')
    story.upstream_answers(200, body, headers=(*AUDIO, *headers, (b"content-length", b"%d" % len(body))))
    return story


@pytest.mark.parametrize("coding", CODED)
def test_sound_is_decoded_and_loses_the_length_of_what_was_coded(coding: str) -> None:
    story = spoken(CODED[coding](SOUND), field(coding))
    assert (story.body, story.ended) == (SOUND, True)
    assert b"content-encoding" not in story.headers
    assert b"content-length" not in story.headers


def test_sound_in_a_coding_that_is_not_known_passes_under_its_name() -> None:
    story = spoken(b"\0\1\2", field("dcz"))
    assert story.body == b"\0\1\2"
    assert (story.headers[b"content-encoding"], story.headers[b"content-length"]) == (b"dcz", b"3")


CALL: Final = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}'
RESULT: Final = b'{"jsonrpc":"2.0","id":7,"result":{}}'


def proxied(body: bytes, headers: Headers, *, status: int = 200, method: str = "POST") -> Story:
    story = Story(gateway(setup()))
    story.open(method, MCP_AT, body=CALL if method == "POST" else b"", headers=JSON)
    story.upstream_answers(status, body, headers=headers)
    return story


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize(
    ("status", "kind", "said"), [(200, JSON, RESULT), (200, SSE, b"data: {}\n\n"), (404, JSON, b"no")]
)
def test_an_mcp_servers_answer_is_decoded(coding: str, status: int, kind: Headers, said: bytes) -> None:
    story = proxied(CODED[coding](said), (*kind, *field(coding)), status=status)
    assert (story.status, story.body) == (status, said)
    assert b"content-encoding" not in story.headers


def test_an_mcp_servers_answer_in_a_coding_that_is_not_known_passes_under_its_name() -> None:
    for method, kind in (("POST", JSON), ("POST", SSE), ("GET", SSE)):
        story = proxied(b"\0\1", (*kind, *field("dcz")), method=method)
        assert (story.body, story.headers[b"content-encoding"]) == (b"\0\1", b"dcz")
