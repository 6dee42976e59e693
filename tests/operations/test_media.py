"""Images, audio, embeddings and moderations: what goes up, and every form in which answers come down."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any, Final

import pytest

from agcore import (
    AbortClient,
    AbortUpstream,
    ClientGone,
    RequestData,
    RequestEnd,
    SendHead,
    Sent,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.codecs.sse import Decoder
from agcore.config.values import Limits
from agcore.protocol.http import Headers
from agcore_sim.dialogues import CHAT
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import receiving
from tests.support.edges import FORM, MIB, PROVIDER_KEY, form, part, setup

AUDIO: Final[Headers] = ((b"content-type", b"audio/mpeg"),)
JSON_ROUTES: Final = ("/v1/images/generations", "/v1/embeddings", "/v1/moderations", "/v1/audio/speech")
FORM_ROUTES: Final = ("/v1/images/edits", "/v1/audio/transcriptions", "/v1/audio/translations")
GEMINI_ROUTES: Final = (
    "/v1beta/models/MODEL:embedContent",
    "/v1beta/models/MODEL:batchEmbedContents",
    "/v1/models/MODEL:embedContent",
    "/v1beta/models/MODEL:predict",
)
ROUTES: Final = (*JSON_ROUTES, *FORM_ROUTES, *GEMINI_ROUTES)

DELTA: Final = b'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"a"}\n\n'
DONE: Final = (
    b'event: transcript.text.done\ndata: {"type":"transcript.text.done","text":"a","usage":{"type":"tokens",'
    b'"input_tokens":14,"output_tokens":3,"total_tokens":17}}\n\n'
)
PARTIAL: Final = b'data: {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": "QQ=="}\n\n'
COMPLETED: Final = (
    b'data: {"type": "image_generation.completed", "b64_json": "QQ==", "usage": {"input_tokens": 9, '
    b'"output_tokens": 200, "total_tokens": 209}}\n\n'
)


def ask(
    target: str,
    *,
    model: str = "my-media",
    body: bytes | None = None,
    limits: Limits | None = None,
    accept: bytes = b"",
) -> Story:
    """A story up to the upstream's request."""
    story = Story(gateway(setup(limits=limits)))
    headers: Headers = ((b"accept", accept),) if accept else ()
    if target in FORM_ROUTES:
        body = body or form(part("model", model.encode()), part("file", b"\x00\xff", file=True))
        story.open("POST", target, headers=((b"content-type", FORM), *headers), body=body)
    else:
        default = b'{"content": {}}' if ":" in target else json.dumps({"model": model, "input": "hi"}).encode()
        body = default if body is None else body
        story.open("POST", target.replace("MODEL", model), headers=(*JSON, *headers), body=body)
    return story


def error(story: Story) -> Any:
    return json.loads(story.body)["error"]


def answering(target: str, headers: Headers, **more: Any) -> Story:
    """A story up to the answer's head."""
    story = ask(target, **more)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, headers))
    return story


# Requests on their way up.


@pytest.mark.parametrize("target", ROUTES)
def test_every_route_asks_the_same_path_of_its_provider_with_the_providers_key(target: str) -> None:
    story = ask(target)
    request = story.requests[1]
    assert request.target == target.replace("MODEL", "up-media").encode()
    fields = dict(request.headers)
    gemini = "MODEL" in target
    assert fields[b"host"] == (b"gemini.example" if gemini else b"openai.example")
    key = fields.get(b"x-goog-api-key") if gemini else fields[b"authorization"].removeprefix(b"Bearer ")
    assert key == PROVIDER_KEY.encode()
    assert fields[b"accept-encoding"] == b"identity"
    assert fields[b"content-type"] == (FORM if target in FORM_ROUTES else b"application/json")
    assert isinstance(request.body, bytes)
    assert int(fields[b"content-length"]) == len(request.body)


@pytest.mark.parametrize("target", JSON_ROUTES)
def test_an_alias_is_replaced_in_a_json_request_and_nothing_else_is(target: str) -> None:
    text = b'{ "input": "NAME", "x_new" :1.50, "model" :  "NAME", "deep": {"model": "NAME"}}\n'
    story = ask(target, body=text.replace(b"NAME", b"my-media"))
    edited = text.replace(b'"model" :  "NAME"', b'"model" :  "up-media"').replace(b"NAME", b"my-media")
    assert story.requests[1].body == edited
    plain = text.replace(b"NAME", b"up-media")
    assert ask(target, body=plain).requests[1].body == plain


def test_an_alias_is_replaced_wherever_a_gemini_embedding_names_it() -> None:
    one = b'{"model" : "models/NAME", "content": {"parts": [{"text": "models/NAME"}]}}'
    renamed = one.replace(b'"model" : "models/NAME"', b'"model" : "models/up-media"').replace(b"NAME", b"my-media")
    one = one.replace(b"NAME", b"my-media")
    assert ask("/v1beta/models/MODEL:embedContent", body=one).requests[1].body == renamed
    batch = ask("/v1beta/models/MODEL:batchEmbedContents", body=b'{ "requests" : [%b, {"content": {}}]}' % one)
    assert batch.requests[1].body == b'{ "requests" : [%b,{"content": {}}]}' % renamed


@pytest.mark.parametrize("requests", [b"{}", b'"x"', b"[1,[2]]", b"null"])
def test_a_batch_that_is_none_is_the_upstreams_business(requests: bytes) -> None:
    body = b'{"requests":%b}' % requests
    assert ask("/v1beta/models/MODEL:batchEmbedContents", body=body).requests[1].body == body


def test_moderations_know_which_model_is_meant_when_none_is_named() -> None:
    for body in (b'{"input": "hi"}', b'{"input": "hi", "model": null}'):
        story = ask("/v1/moderations", body=body)
        assert dict(story.requests[1].headers)[b"host"] == b"openai.example"
        expected = body.replace(b"null", b'"omni-moderation-latest"') if b"null" in body else body
        assert story.requests[1].body in (body, expected)
        story.upstream_answers(200, b'{"results": [{"flagged": false}], "model": "omni-moderation-latest"}')
        assert json.loads(story.body)["model"] == "omni-moderation-latest"
        assert story.row["model"] == "omni-moderation-latest"


@pytest.mark.parametrize("target", [each for each in JSON_ROUTES if each != "/v1/moderations"])
def test_elsewhere_a_missing_model_is_a_400(target: str) -> None:
    for body in (b"{}", b'{"model": ""}', b'{"model": 5}', b'{"model": null}'):
        story = ask(target, body=body)
        assert (story.status, error(story)["param"]) == (400, "model")
        assert story.requests == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": "a", "model": "b"}', b'{"model": "\xff"}'])
def test_a_body_without_one_meaning_is_a_400(body: bytes) -> None:
    for target in ("/v1/embeddings", "/v1beta/models/MODEL:embedContent"):
        story = ask(target, body=body)
        assert story.status == 400
        assert story.requests == {}


@pytest.mark.parametrize("target", ROUTES)
def test_a_model_that_nobody_serves_here_is_told_so(target: str) -> None:
    assert ask(target, model="nobody").status == 404
    words = ask(target, model="up-words")
    assert (words.status, "anthropic" in error(words)["message"]) == (400, True)


def test_the_client_says_what_answers_are_welcome() -> None:
    assert dict(ask("/v1/audio/speech", accept=b"audio/wav").requests[1].headers)[b"accept"] == b"audio/wav"
    assert dict(ask("/v1/audio/speech").requests[1].headers)[b"accept"] == b"*/*"


# Whole answers in JSON.


@pytest.mark.parametrize("target", ROUTES)
def test_a_json_answer_passes_byte_for_byte_on_every_route(target: str) -> None:
    body = b'{ "data" : [{"b64_json":"QQ==", "embedding":[0.50]}], "results":[{}], "x_new":1.50 }\n'
    story = ask(target)
    story.upstream_answers(200, (body[:9], body[9:]), headers=((b"content-type", b"application/json; charset=utf-8"),))
    assert (story.status, story.body) == (200, body)
    assert story.headers[b"content-type"] == b"application/json"
    assert story.headers[b"x-agcore-provider"] == b"media"
    assert story.row["outcome"] == "ok"
    assert story.gateway.buffered == 0


def test_an_answer_shows_the_name_that_was_asked_for() -> None:
    story = ask("/v1/embeddings")
    story.upstream_answers(200, b'{"object":"list", "model":"up-media-0613","data":[{"embedding":[1]}]}')
    assert story.body == b'{"object":"list", "model":"my-media","data":[{"embedding":[1]}]}'


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 8, "total_tokens": 8}, (8, 0)),
        ({"input_tokens": 9, "output_tokens": 200, "total_tokens": 209}, (9, 200)),
        ({"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}, (14, 3)),
        ({"type": "duration", "seconds": 9}, None),
        (None, None),
        ([1], None),
    ],
)
def test_usage_is_counted_in_whatever_words_the_route_has(usage: Any, counted: tuple[int, int] | None) -> None:
    story = ask("/v1/images/generations")
    story.upstream_answers(200, json.dumps({"data": [{"b64_json": "QQ=="}], "usage": usage}).encode())
    found: Any = story.row.get("usage")
    assert (found and (found["fresh"], found["output"])) == counted


@pytest.mark.parametrize("target", ROUTES)
def test_a_200_that_holds_an_error_is_an_error(target: str) -> None:
    story = ask(target)
    story.upstream_answers(200, b'{"error": {"message": "no such voice", "code": 422}}')
    assert story.status == 422
    assert error(story)["message"] == "no such voice"


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"null", b"<html>"])
def test_a_json_answer_that_is_none_is_a_502(body: bytes) -> None:
    story = ask("/v1/embeddings")
    story.upstream_answers(200, body)
    assert (story.status, error(story)["code"]) == (502, "upstream_invalid_answer")


@pytest.mark.parametrize("target", ROUTES)
@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_error_answer_keeps_its_status_on_every_route(target: str, status: int) -> None:
    story = ask(target)
    headers = (*JSON, (b"retry-after", b"7"))
    story.upstream_answers(status, b'{"error": {"message": "bad %b"}}' % PROVIDER_KEY.encode(), headers=headers)
    assert story.status == status
    assert "bad" in error(story)["message"]
    assert PROVIDER_KEY.encode() not in story.body
    assert story.headers.get(b"retry-after") == b"7"


def test_the_gateways_own_credential_is_no_business_of_the_client() -> None:
    story = ask("/v1/audio/speech")
    story.upstream_answers(401, b'{"error": {"message": "bad key"}}')
    assert (story.status, error(story)["type"]) == (424, "api_error")


# Answers that pass as they come.


@pytest.mark.parametrize("target", [*JSON_ROUTES, *FORM_ROUTES])
@pytest.mark.parametrize(
    "content_type",
    [
        b"audio/mpeg",
        b"text/plain; charset=utf-8",
        b"text/vtt",
        b"application/x-subrip",
        b"application/octet-stream",
        b"",
    ],
)
def test_bytes_pass_as_they_come_on_every_route(target: str, content_type: bytes) -> None:
    headers: Headers = ((b"content-type", content_type),) if content_type else ()
    length: Headers = ((b"content-length", b"6"),)
    secret: Headers = ((b"set-cookie", b"a=b"), (b"x-request-id", b"up_1"))
    story = answering(target, (*headers, *length, *secret))
    assert story.exchange.state is State.COMMITTED
    assert story.headers.get(b"content-type", b"") == content_type
    assert story.headers[b"content-length"] == b"6"
    assert story.headers[b"x-request-id"] == b"up_1"
    assert b"set-cookie" not in story.headers
    story.tell(UpstreamData(1, b"\x00\xff\r"))
    assert story.body == b"\x00\xff\r"
    story.tell(UpstreamData(1, b"\nab"))
    story.tell(UpstreamEnd(1))
    assert story.body == b"\x00\xff\r\nab"
    assert (story.ended, story.row["outcome"], story.row["bytes_out"]) == (True, "ok", 6)
    assert story.gateway.buffered == 0


def test_nothing_is_not_sent() -> None:
    story = answering("/v1/audio/speech", AUDIO)
    assert story.tell(UpstreamData(1, b"")) == []


def test_an_answer_of_no_known_length_has_none() -> None:
    story = answering("/v1/audio/speech", AUDIO)
    assert b"content-length" not in story.headers


def test_bytes_need_no_memory_however_many_there_are() -> None:
    story = answering("/v1/audio/speech", AUDIO, limits=Limits(max_json_mb=0.001))
    for _ in range(99):
        story.tell(UpstreamData(1, b"x" * 1000))
        assert story.gateway.buffered <= 100
    story.tell(UpstreamEnd(1))
    assert story.row["bytes_out"] == 99_000


@pytest.mark.parametrize("how", ["reset", "silence"])
def test_bytes_that_break_off_are_broken_off_visibly(how: str) -> None:
    story = answering("/v1/audio/speech", AUDIO)
    story.tell(UpstreamData(1, b"half"))
    if how == "reset":
        story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    else:
        story.wait(1000)
    assert AbortClient() in story.effects
    assert not story.ended
    assert (story.body, story.row["outcome"]) == (b"half", "error")


def test_a_client_that_leaves_takes_the_leg_along() -> None:
    story = answering("/v1/audio/speech", AUDIO)
    story.tell(ClientGone())
    assert AbortUpstream(1) in story.effects


# Event streams.


@pytest.mark.parametrize(
    ("target", "events"),
    [
        ("/v1/images/generations", (PARTIAL, COMPLETED)),
        ("/v1/images/generations", (PARTIAL, COMPLETED, PARTIAL, COMPLETED)),
        ("/v1/images/edits", (PARTIAL, COMPLETED.replace(b"generation", b"edit"))),
        ("/v1/audio/transcriptions", (DELTA, DELTA, DONE)),
        ("/v1/audio/transcriptions", (DELTA, b": ping\n\n", DONE, b"data: [DONE]\n\n")),
        ("/v1/audio/speech", (b'data: {"type":"speech.audio.delta"}\n\n', b'data: {"type":"speech.audio.done"}\n\n')),
    ],
)
def test_events_pass_byte_for_byte_each_at_once(target: str, events: tuple[bytes, ...]) -> None:
    story = answering(target, SSE)
    assert not any(isinstance(effect, SendHead) for effect in story.effects)
    for number, event in enumerate(events, 1):
        story.tell(UpstreamData(1, event[:20]))
        story.tell(UpstreamData(1, event[20:]))
        assert story.body == b"".join(events[:number])
    story.tell(UpstreamEnd(1))
    assert (story.status, story.ended, story.row["outcome"]) == (200, True, "ok")
    assert story.headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in story.headers


def test_usage_of_a_stream_is_in_its_last_event() -> None:
    story = answering("/v1/audio/transcriptions", SSE)
    story.tell(UpstreamData(1, DELTA + DONE + b"data: [DONE]\n\n"))
    story.tell(UpstreamEnd(1))
    usage: Any = story.row["usage"]
    assert (usage["fresh"], usage["output"]) == (14, 3)


@pytest.mark.parametrize("kind", [b"null", b"[]", b"{}"])
def test_an_event_of_no_known_type_passes(kind: bytes) -> None:
    story = answering("/v1/audio/transcriptions", SSE)
    event = b'data: {"type": %b}\n\n' % kind
    story.tell(UpstreamData(1, event + DONE))
    story.tell(UpstreamEnd(1))
    assert (story.body, story.row["outcome"]) == (event + DONE, "ok")


def test_a_last_event_without_its_blank_line_still_passes() -> None:
    story = answering("/v1/audio/transcriptions", SSE)
    story.tell(UpstreamData(1, DELTA + DONE.rstrip()))
    story.tell(UpstreamEnd(1))
    assert story.row["outcome"] == "ok"
    assert DONE.rstrip() in story.body


@pytest.mark.parametrize(
    "piece", [b'data: {"error": {"message": "busy"}}\n\n', b'event: error\ndata: {"type":"error","message":"busy"}\n\n']
)
def test_an_error_before_any_event_is_an_honest_error(piece: bytes) -> None:
    story = answering("/v1/images/generations", SSE)
    story.tell(UpstreamData(1, piece))
    assert (story.status, error(story)["message"]) == (502, "busy")
    assert story.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("pieces", [(), (b": ping\n\n",), (b"data: [DONE]\n\n",)], ids=repr)
def test_a_stream_of_nothing_is_a_502(pieces: tuple[bytes, ...]) -> None:
    story = answering("/v1/images/generations", SSE)
    for piece in pieces:
        story.tell(UpstreamData(1, piece))
    story.tell(UpstreamEnd(1))
    assert story.status == 502


@pytest.mark.parametrize("how", ["reset", "end", "silence", "error", "not JSON", "an array", "too long"])
def test_a_stream_that_breaks_off_ends_in_an_error_event(how: str) -> None:
    story = answering("/v1/images/generations", SSE)
    story.tell(UpstreamData(1, PARTIAL + PARTIAL[:9] * (how == "reset")))
    if how == "reset":
        story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    elif how == "end":
        story.tell(UpstreamEnd(1))
    elif how == "silence":
        story.wait(1000)
    elif how == "error":
        story.tell(UpstreamData(1, b'data: {"error": {"message": "busy"}}\n\n'))
    elif how == "not JSON":
        story.tell(UpstreamData(1, b"data: {\n\n"))
    elif how == "an array":
        story.tell(UpstreamData(1, b"data: [1]\n\n"))
    else:
        for _ in range(40):
            if story.exchange.wants(1):
                story.tell(UpstreamData(1, b"x" * MIB))
    assert (story.status, story.ended, story.row["outcome"]) == (200, True, "error")
    *passed, last = Decoder().feed(story.body)
    assert b"".join(frame.raw for frame in passed) == PARTIAL
    assert last.event == "error"
    assert last.data is not None
    assert json.loads(last.data)["error"]["message"]


def test_a_key_in_a_streams_error_is_not_shown() -> None:
    story = answering("/v1/images/generations", SSE)
    story.tell(UpstreamData(1, PARTIAL))
    story.tell(UpstreamData(1, b'data: {"error": {"message": "bad %b"}}\n\n' % PROVIDER_KEY.encode()))
    assert PROVIDER_KEY.encode() not in story.body


# Large bodies of JSON.


@pytest.mark.parametrize("filler", [b"QUJD", "é".encode(), "😀".encode()], ids=["base64", "two bytes", "four bytes"])
@pytest.mark.parametrize("size", [64 * 1024, 30 * MIB], ids=["in pieces", "at once"])
def test_a_large_json_body_is_in_memory_twice_at_most(filler: bytes, size: int) -> None:
    start, end = b'{"model":"my-openai","messages":[{"role":"user","content":"', b'"}]}'
    total = 30 * MIB // 12 * 12
    story = receiving(CHAT, stream=False)
    receive, now = story.exchange.receive, story.now
    tracemalloc.start()
    try:
        receive(RequestData(start), now=now)
        for at in range(0, total, size - size % 12):
            receive(RequestData(filler * (min(size - size % 12, total - at) // len(filler))), now=now)
        receive(RequestData(end), now=now)
        tracemalloc.reset_peak()
        (opened,) = receive(RequestEnd(), now=now)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(opened.request.body) == total + len(start) + len(end)  # type: ignore[union-attr]
    assert peak < 2.1 * total
