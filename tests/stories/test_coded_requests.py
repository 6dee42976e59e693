"""Request bodies in content codings: read everywhere, sent on plain, bounded by what they stand for."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from typing import Final

import pytest

from agcore import (
    RequestData,
    RequestEnd,
    Streamed,
)
from agcore.config.values import Limits
from agcore.operations.upload import BUFFERED
from agcore.protocol.http import Headers
from agcore_sim.dialogues import CHAT, DIALOGUES, RESPONSES, Dialogue
from agcore_sim.story import JSON, Story, gateway
from tests.support.coded import CODED, zstd
from tests.support.dialogues import config, ids
from tests.support.edges import FORM, KIB, MCP_AT, MIB, cut, ended, feed, form, length_up, part, put_aside, sent, setup

ZSTD: Final = (b"content-encoding", b"zstd")


def posted(target: str, body: bytes, *, coding: bytes, story: Story | None = None, kind: Headers = JSON) -> Story:
    """A story up to the end of a coded body."""
    story = story or Story(gateway(config()))
    length = (b"content-length", b"%d" % len(body))
    story.open("POST", target, headers=(*kind, (b"content-encoding", coding), length))
    if story.exchange.wants_request:
        story.tell(RequestData(body))
    if story.exchange.wants_request:
        story.tell(RequestEnd())
    return story


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_coded_body_goes_up_plain_and_byte_for_byte(dialogue: Dialogue, coding: str) -> None:
    plain = dialogue.request("up-" + dialogue.dialect, stream=False)
    target = dialogue.target("up-" + dialogue.dialect, stream=False)
    story = posted(target, CODED[coding](plain), coding=coding.encode())
    (request,) = story.requests.values()
    assert request.body == plain
    fields = dict(request.headers)
    assert fields[b"content-length"] == b"%d" % len(plain)
    assert b"content-encoding" not in fields
    story.upstream_answers(200, dialogue.answer)
    assert story.status == 200


def test_a_coded_body_is_translated_like_a_plain_one() -> None:
    plain = RESPONSES.request("up-anthropic", stream=True)
    coded = posted("/v1/responses", CODED["zstd"](plain), coding=b"zstd")
    story = posted("/v1/responses", plain, coding=b"identity")
    assert coded.requests[1].body == story.requests[1].body


def test_codex_sends_zstd_and_is_understood() -> None:
    # Signed in as ChatGPT it codes bodies at level 3, as one frame (https://github.com/openai/codex/pull/8767).
    body = {"model": "up-openai_responses", "stream": True, "store": False, "instructions": "You are Codex.\n" * 900}
    body["input"] = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
    plain = json.dumps(body).encode()
    story = posted("/v1/responses", zstd.compress(plain, 3), coding=b"zstd")
    assert story.requests[1].body == plain


@pytest.mark.parametrize("coding", [b"X-Gzip", b" GZIP ", b"identity, gzip", b"gzip,"])
def test_names_of_codings_are_read_as_the_rfc_has_them(coding: bytes) -> None:
    plain = CHAT.request("up-openai", stream=False)
    assert posted("/v1/chat/completions", gzip.compress(plain), coding=coding).requests[1].body == plain


def test_several_codings_are_undone_in_reverse() -> None:
    plain = CHAT.request("up-openai", stream=False)
    body = CODED["br"](CODED["zstd"](CODED["gzip"](plain)))
    assert posted("/v1/chat/completions", body, coding=b"gzip, zstd, br").requests[1].body == plain


@pytest.mark.parametrize(
    ("coding", "named"),
    [(b"compress", "'compress'"), (b"gzip, dcb", "'dcb'"), (b"gzip," * 6, "6 codings"), (b"\xff", "'ÿ'")],
)
def test_other_codings_are_refused_with_those_that_are_taken_and_codex_switch(coding: bytes, named: str) -> None:
    story = Story(gateway(config()))
    story.open("POST", "/v1/responses", headers=(*JSON, (b"content-encoding", coding)))
    assert (story.status, story.finished) == (415, True)
    assert story.headers[b"accept-encoding"] == b"gzip, deflate, zstd, br"
    error = json.loads(story.body)["error"]
    assert error["code"] == "unsupported_content_encoding"
    assert named in error["message"]
    assert "gzip, deflate, zstd, br" in error["message"]
    assert "features.enable_request_compression=false" in error["message"]


@pytest.mark.parametrize("coding", CODED)
def test_a_broken_body_is_a_400(coding: str) -> None:
    whole = CODED[coding](CHAT.request("up-openai", stream=False))
    for body, words in (
        (b'{"model": "up-openai"}', f"is no {coding}"),
        (whole[:-1], f"breaks off within its {coding}"),
    ):
        story = posted("/v1/chat/completions", body, coding=coding.encode())
        assert (story.status, story.requests) == (400, {})
        error = json.loads(story.body)["error"]
        assert error["code"] == "invalid_content_encoding"
        assert f"the request body {words}" in error["message"]


def test_a_coded_body_without_a_byte_is_an_empty_one() -> None:
    story = posted("/v1/chat/completions", b"", coding=b"gzip")
    assert (story.status, json.loads(story.body)["error"]["message"]) == (
        400,
        "the body is empty; it must be a JSON object",
    )


@pytest.mark.parametrize("coding", CODED)
def test_the_limit_holds_after_decoding(coding: str) -> None:
    setup = config(limits=Limits(max_json_mb=0.25))
    fits, over = (CODED[coding](b'{"model": "up-openai"' + b" " * size + b"}") for size in (250_000, 270_000))
    story = posted("/v1/chat/completions", fits, coding=coding.encode(), story=Story(gateway(setup)))
    assert len(story.requests) == 1
    story = posted("/v1/chat/completions", over, coding=coding.encode(), story=Story(gateway(setup)))
    assert story.status == 413
    error = json.loads(story.body)["error"]
    assert (error["code"], error["message"]) == (
        "request_too_large",
        "the request body decodes to more than 262144 bytes",
    )


@pytest.mark.parametrize("coding", CODED)
def test_a_bomb_costs_no_more_memory_than_the_limit(coding: str) -> None:
    bomb = CODED[coding](bytes(20 * MIB))
    story = Story(gateway(config(limits=Limits(max_json_mb=1))))
    tracemalloc.start()
    try:
        posted("/v1/chat/completions", bomb, coding=coding.encode(), story=story)
        assert tracemalloc.get_traced_memory()[1] < 3 * MIB
    finally:
        tracemalloc.stop()
    assert (story.status, story.gateway.buffered) == (413, 0)


def test_a_coded_body_counts_against_the_memory_of_the_gateway() -> None:
    story = Story(gateway(config(limits=Limits(max_json_mb=8, max_buffered_mb=1))))
    assert posted("/v1/chat/completions", CODED["gzip"](bytes(4 * MIB)), coding=b"gzip", story=story).status == 503
    assert story.gateway.buffered == 0


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_only_posts_have_bodies_to_decode(method: str) -> None:
    story = Story(gateway(config()))
    story.open(method, "/v1/responses/resp_1", headers=((b"content-encoding", b"lzma"),), body=b"")
    assert story.status == 404


def test_what_is_discarded_is_not_decoded() -> None:
    assert posted("/v1/api/event_logging", b"no gzip at all", coding=b"gzip").status == 200


def test_an_mcp_server_gets_the_message_plain() -> None:
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    story = posted(MCP_AT, CODED["br"](message), coding=b"br", story=Story(gateway(setup())))
    request = story.requests[1]
    assert request.body == message
    assert b"content-encoding" not in dict(request.headers)
    broken = posted(MCP_AT, b"not br", coding=b"br", story=Story(gateway(setup())))
    assert (broken.status, json.loads(broken.body)["jsonrpc"]) == (400, "2.0")


# Forms.

SMALL: Final = form(part("model", b"my-media"), part("file", b"RIFF" * 100, file=True))
RECORDING: Final = bytes(range(256)) * 4


def uploaded(body: bytes, *, limits: Limits | None = None, size: int = 16 * KIB, coding: str = "gzip") -> Story:
    """A story up to the end of a coded form."""
    story = Story(gateway(setup(limits=limits)))
    coded = CODED[coding](body)
    fields: Headers = ((b"content-type", FORM), (b"content-encoding", coding.encode()))
    story.open("POST", "/v1/audio/transcriptions", headers=(*fields, (b"content-length", b"%d" % len(coded))))
    return feed(story, cut(coded, size))


def renamed(body: bytes) -> bytes:
    return body.replace(b"my-media", b"up-media")


@pytest.mark.parametrize("coding", CODED)
def test_a_coded_form_goes_up_plain(coding: str) -> None:
    story = uploaded(SMALL, coding=coding)
    assert (sent(story), length_up(story)) == (renamed(SMALL), len(SMALL))
    assert b"content-encoding" not in dict(story.requests[1].headers)


def test_a_coded_form_that_passes_by_is_sent_without_a_length() -> None:
    story = Story(gateway(setup()))
    body = form(part("model", b"my-media"), part("input", RECORDING * (2 * BUFFERED // len(RECORDING)), file=True))
    coded = CODED["zstd"](body)
    fields: Headers = ((b"content-type", FORM), ZSTD, (b"content-length", b"%d" % len(coded)))
    # Of the known endpoints only this one's files go nowhere but to who takes them as they are.
    story.open("POST", "/v1/audio/translations", headers=fields)
    feed(story, cut(coded, 100))
    assert isinstance(story.requests[1].body, Streamed)
    assert (sent(story), length_up(story), ended(story)) == (renamed(body), None, 1)


def test_a_coded_form_is_put_aside_plain() -> None:
    body = form(part("file", RECORDING * (2 * BUFFERED // len(RECORDING)), file=True), part("model", b"my-media"))
    story = uploaded(body)
    assert put_aside(story) == body
    assert (sent(story), length_up(story)) == (renamed(body), len(body))


def test_a_form_that_is_a_bomb_is_refused_and_holds_nothing() -> None:
    bomb = form(part("model", b"my-media"), part("file", bytes(20 * MIB), file=True))
    story = uploaded(bomb, limits=Limits(max_body_mb=4), size=1 * MIB)
    assert (story.status, story.gateway.buffered) == (413, 0)
    # What one piece is decoded to waits for the driver, so there must be room for it.
    story = uploaded(bomb, limits=Limits(max_buffered_mb=2), size=1 * MIB)
    assert (story.status, story.gateway.buffered) == (503, 0)
    assert len(put_aside(story)) + len(sent(story) if story.requests else b"") <= 2 * MIB


def test_a_coded_form_that_breaks_off_is_a_400() -> None:
    story = Story(gateway(setup()))
    fields: Headers = ((b"content-type", FORM), (b"content-encoding", b"gzip"))
    story.open("POST", "/v1/audio/transcriptions", headers=fields)
    feed(story, [CODED["gzip"](SMALL)[:-4]])
    assert (story.status, story.requests) == (400, {})
    assert b"breaks off within its gzip" in story.body


def test_a_coded_form_that_is_no_form_is_refused_at_its_first_bad_piece() -> None:
    story = uploaded(b"no form at all, and long " * 100_000)
    assert story.status == 400
    assert b"does not begin with `--edge`" in story.body
