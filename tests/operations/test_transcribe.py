"""Recordings through the gateway: to Gemini as JSON, to OpenAI's dialect as they are, and from one to the other."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from agcore import (
    ClientGone,
    FileRead,
    FileRefused,
    ReadSpool,
    RequestEnd,
    SendData,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.config.values import Config, Endpoint, Limits, ModelRule, Provider, Proxy, Secret
from agcore.dialects.gemini.transcripts import MAX_AUDIO
from agcore.operations.media_tasks import ROOM, max_audio
from agcore.operations.upload import BUFFERED
from agcore.protocol.effects import AbortUpstream
from agcore.protocol.http import Headers, Origin, Spooled, Streamed
from agcore.protocol.inputs import Sent, Stage
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.edges import FORM, KIB, MIB, cut, dropped, feed, form, length_up, part, read_back, sent
from tests.support.recordings import chunk, wav

KEYS: Final = (Secret("sk-ears-0123456789abcdef"), Secret("sk-ears-fedcba9876543210"))
HEARING: Final = "/v1/audio/transcriptions"
ENGLISH: Final = "/v1/audio/translations"
PIECE: Final = 64 * KIB
MAX_FORM: Final = max_audio() + ROOM


def _provider(name: str, *dialects: str) -> Provider:
    def endpoint(dialect: str) -> Endpoint:
        prefix, auth = (b"/v1", "bearer") if dialect == "openai" else (b"", "x-goog-api-key")
        return Endpoint(dialect, Origin("https", f"{dialect}.example", 443), prefix, auth)

    return Provider(name=name, endpoints={each: endpoint(each) for each in dialects}, keys=KEYS, models=(f"{name}-*",))


def setup(*, on_loss: str = "report", limits: Limits | None = None) -> Config:
    return Config(
        proxy=Proxy(on_loss=on_loss),
        limits=limits or Limits(),
        providers=(
            _provider("google", "gemini"),
            _provider("open", "openai"),
            _provider("both", "gemini", "openai"),
            _provider("words", "anthropic"),
        ),
        models=(
            ModelRule("ears", ((("google", "google-ears"),),)),
            ModelRule("google-first", ((("google", "google-ears"),), (("open", "open-ears"),))),
            ModelRule("open-first", ((("open", "open-ears"),), (("google", "google-ears"),))),
        ),
    )


def recording(size: int) -> bytes:
    """A file part with a recording of `size` bytes."""
    return part("file", wav(0) + bytes(size - len(wav(0))), file=True)


SHORT: Final = part("file", wav(2), file=True)


def whole(
    *parts: bytes,
    model: str = "ears",
    last: bool = False,
    target: str = HEARING,
    declared: bool = True,
    config: Config | None = None,
    attempts: int = 1,
) -> Story:
    """A story with a whole upload; `last` puts the model behind the other parts."""
    story = coming(*parts, model=model, last=last, target=target, declared=declared, config=config, attempts=attempts)
    return feed(story, ())


def coming(
    *parts: bytes,
    model: str = "ears",
    last: bool = False,
    target: str = HEARING,
    declared: bool = True,
    config: Config | None = None,
    attempts: int = 1,
    held: int | None = None,
) -> Story:
    """A story up to the end of an upload's body, of which no more than `held` bytes are in memory at any time."""
    named = part("model", model.encode())
    body = form(*parts, named) if last else form(named, *parts)
    story = Story(gateway(config or setup(), attempts=attempts))
    length: Headers = ((b"content-length", b"%d" % len(body)),) if declared else ()
    story.open("POST", target, headers=((b"content-type", FORM), *length))
    for piece in cut(body, PIECE):
        feed(story, [piece], end=False)
        assert held is None or story.gateway.buffered <= held
    return story


def asked(story: Story) -> Any:
    """The newest request, which is JSON."""
    request = story.requests[max(story.requests)]
    assert isinstance(request.body, bytes)
    fields = dict(request.headers)
    assert fields[b"content-type"] == b"application/json"
    assert int(fields[b"content-length"]) == len(request.body)
    return json.loads(request.body)


def row(story: Story) -> Any:
    return story.row


def error(story: Story) -> Any:
    return json.loads(story.body)["error"]


def answer(text: str, **more: Any) -> bytes:
    return json.dumps(chunk(text, last=True, **more)).encode()


def frame(text: str, *, last: bool = False, **more: Any) -> bytes:
    return b"data: " + json.dumps(chunk(text, last=last, **more)).encode() + b"\r\n\r\n"


# To Gemini and back.


def test_a_recording_goes_to_gemini_as_json() -> None:
    story = whole(SHORT, part("language", b"de"))
    request = story.requests[1]
    assert request.target == b"/v1beta/models/google-ears:generateContent"
    assert dict(request.headers)[b"x-goog-api-key"] == KEYS[0].reveal().encode()
    data = asked(story)["contents"][0]["parts"][0]["inlineData"]["data"]
    assert base64.b64decode(data) == wav(2)
    story.upstream_answers(200, answer("Guten Tag."))
    assert (story.status, story.headers[b"content-type"]) == (200, b"application/json")
    assert json.loads(story.body)["text"] == "Guten Tag."
    assert story.headers[b"x-agcore-provider"] == b"google"
    assert b"x-agcore-losses" not in story.headers
    assert (story.row["model"], story.row["upstream_model"]) == ("ears", "google-ears")
    assert row(story)["usage"]["output"] == 7
    assert story.gateway.buffered == 0


@pytest.mark.parametrize(
    ("format", "content_type", "body"),
    [
        ("srt", b"text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:01,000\nTag.\n\n"),
        ("vtt", b"text/plain; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nTag.\n\n"),
        ("text", b"text/plain; charset=utf-8", "Tag.\n"),
    ],
)
def test_plain_forms_are_answered_as_text(format: str, content_type: bytes, body: str) -> None:
    story = whole(SHORT, part("response_format", format.encode()))
    structured = {"segments": [{"start": "00:00", "end": "00:01", "text": "Tag."}]}
    story.upstream_answers(200, answer("Tag." if format == "text" else json.dumps(structured)))
    assert (story.status, story.headers[b"content-type"], story.body.decode()) == (200, content_type, body)


def test_losses_are_told() -> None:
    story = whole(SHORT, part("response_format", b"srt"), part("include[]", b"logprobs"))
    story.upstream_answers(200, answer('{"segments": []}'))
    assert story.headers[b"x-agcore-losses"] == b"include=dropped; response_format=srt with estimated times"
    assert [loss["path"] for loss in row(story)["losses"]] == ["include", "response_format"]


def test_losses_are_refused_where_the_configuration_says_so() -> None:
    story = whole(SHORT, part("include[]", b"logprobs"), config=setup(on_loss="reject"))
    assert (story.status, error(story)["code"], error(story)["param"]) == (400, "not_translatable", "include")
    assert story.requests == {}


def test_a_translation_is_asked_for_and_has_its_text_only() -> None:
    story = whole(SHORT, target=ENGLISH)
    assert "into English" in asked(story)["systemInstruction"]["parts"][0]["text"]
    story.upstream_answers(200, answer("Good day."))
    assert json.loads(story.body) == {"text": "Good day."}


def test_a_provider_that_takes_recordings_itself_gets_the_form() -> None:
    story = whole(SHORT, model="both-ears")
    assert sent(story) == form(part("model", b"both-ears"), SHORT)
    assert story.requests[1].target == HEARING.encode()


def test_a_provider_that_takes_no_recordings_is_named() -> None:
    story = whole(SHORT, model="words-x")
    assert (story.status, error(story)["param"]) == (400, "model")
    assert "anthropic only" in error(story)["message"]


# What is refused before anything is asked.


@pytest.mark.parametrize(
    ("parts", "param", "message"),
    [
        ((), "file", "`file` is required"),
        ((SHORT, SHORT), "file", "twice"),
        ((part("file", b"hello", file=True),), "file", "WAV, MP3"),
        ((SHORT, part("temperature", b"9")), "temperature", "between 0 and 1"),
        ((SHORT, part("prompt", b"\xff")), "prompt", "not UTF-8"),
        ((SHORT, part("response_format", b"diarized_json")), "response_format", "speakers"),
    ],
)
def test_a_form_that_cannot_be_translated_is_a_bad_request(parts: tuple[bytes, ...], param: str, message: str) -> None:
    story = whole(*parts)
    assert (story.status, error(story)["param"]) == (400, param)
    assert message in error(story)["message"]
    assert story.requests == {}
    assert story.gateway.buffered == 0


def test_a_prompt_over_the_limit_of_a_field_is_refused() -> None:
    story = whole(SHORT, part("prompt", b"x" * (65 * KIB)))
    assert (story.status, error(story)["param"]) == (413, "prompt")


@pytest.mark.parametrize("last", [False, True])
def test_ten_thousand_parts_are_refused_while_they_come(last: bool) -> None:
    story = whole(*[part("n", b"1")] * 10_000, last=last)
    assert (story.status, "more than 1000 parts" in error(story)["message"]) == (413, True)


def test_a_megabyte_of_part_headers_is_refused_while_it_comes() -> None:
    bad = SHORT.replace(b"Content-Type", b"X-Long: " + b"x" * MIB + b"\r\nContent-Type")
    story = whole(bad)
    assert (story.status, "bytes of headers" in error(story)["message"]) == (413, True)
    assert int(str(story.row["bytes_in"])) < 200 * KIB


def test_a_part_that_lies_about_its_length_is_refused() -> None:
    bad = SHORT.replace(b"Content-Type", b"Content-Length: 7\r\nContent-Type")
    story = whole(bad)
    assert (story.status, "Content-Length" in error(story)["message"]) == (400, True)


def test_a_wrong_boundary_is_refused() -> None:
    story = whole(SHORT.replace(b"--edge", b"--ende"), last=True)
    assert (story.status, "`--edge`" in error(story)["message"]) == (400, True)


# How much of a form is held.


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_large_recording_for_gemini_is_in_memory_only_once_it_is_complete(last: bool, declared: bool) -> None:
    story = coming(recording(9 * MIB), last=last, declared=declared)
    assert story.gateway.buffered == 0
    read_back(story, story.tell(RequestEnd()))
    assert len(base64.b64decode(asked(story)["contents"][0]["parts"][0]["inlineData"]["data"])) == 9 * MIB
    assert story.gateway.buffered >= 9 * MIB + 12 * MIB
    story.upstream_answers(200, answer("x"))
    assert (story.status, story.gateway.buffered, dropped(story)) == (200, 0, [1])


@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_recording_of_exactly_the_limit_is_taken(last: bool) -> None:
    assert asked(whole(recording(MAX_AUDIO), last=last))
    story = whole(recording(MAX_AUDIO + 1), last=last)
    assert (story.status, error(story)["param"]) == (413, "file")
    assert "at most 14 MiB" in error(story)["message"]
    assert story.requests == {}


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_recording_beyond_what_is_translated_is_refused_as_soon_as_that_is_known(last: bool, declared: bool) -> None:
    story = whole(recording(MAX_FORM + MIB), last=last, declared=declared)
    assert (story.status, error(story)["code"]) == (413, "request_too_large")
    assert (story.requests, story.gateway.buffered) == ({}, 0)
    if not last:
        assert int(str(story.row["bytes_in"])) <= (BUFFERED if declared else MAX_FORM) + PIECE


@pytest.mark.parametrize("model", ["ears", "open-ears", "google-first", "open-first"])
@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_form_that_is_too_large_to_be_translated_is_never_in_memory(last: bool, declared: bool, model: str) -> None:
    story = coming(recording(50 * MIB), model=model, last=last, declared=declared, held=BUFFERED + PIECE)
    if not story.finished:
        assert story.tell(RequestEnd())
    assert story.gateway.buffered <= BUFFERED + PIECE
    assert [request.target for request in story.requests.values()] == ([] if model == "ears" else [HEARING.encode()])
    if model == "ears":
        assert (story.status, error(story)["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_form_that_nobody_translates_is_not_read_back(last: bool) -> None:
    story = whole(recording(3 * MIB), model="open-ears", last=last, declared=False)
    expected = recording(3 * MIB)
    named = part("model", b"open-ears")
    assert sent(story) == (form(expected, named) if last else form(named, expected))
    assert isinstance(story.requests[1].body, Spooled if last else Streamed)
    assert length_up(story) == (len(sent(story)) if last else None)


@pytest.mark.parametrize("last", [False, True], ids=["model first", "model last"])
def test_a_form_that_may_go_either_way_is_read_back_for_both(last: bool) -> None:
    story = whole(recording(3 * MIB), model="open-first", last=last, declared=False, attempts=3)
    named = part("model", b"open-ears")
    assert sent(story) == (form(recording(3 * MIB), named) if last else form(named, recording(3 * MIB)))
    for _ in KEYS:
        story.upstream_answers(429, b'{"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}')
    assert len(base64.b64decode(asked(story)["contents"][0]["parts"][0]["inlineData"]["data"])) == 3 * MIB


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_form_that_cannot_be_read_back_is_a_507(how: str) -> None:
    story = coming(recording(3 * MIB), last=True, declared=False)
    (wanted,) = story.tell(RequestEnd())
    assert wanted == ReadSpool(1, 1)
    if how == "refused":
        story.tell(FileRefused(1, "cannot be read"))
    else:
        story.wait(30)
    assert (story.status, "upload" in error(story)["message"]) == (507, True)
    assert (story.requests, story.gateway.buffered, dropped(story)) == ({}, 0, [1])


def test_a_client_that_leaves_while_its_form_is_read_back_leaves_nothing() -> None:
    story = coming(recording(3 * MIB), last=True, declared=False)
    story.tell(RequestEnd())
    assert story.gateway.buffered >= 3 * MIB
    story.tell(ClientGone())
    assert (story.requests, story.gateway.buffered, dropped(story), story.finished) == ({}, 0, [1], True)
    assert story.tell(FileRead(1, b"x")) == []


def test_there_may_be_no_room_to_read_a_form_back() -> None:
    story = coming(recording(3 * MIB), last=True, declared=False, config=setup(limits=Limits(max_buffered_mb=2)))
    story.tell(RequestEnd())
    assert (story.status, story.requests, story.gateway.buffered) == (503, {}, 0)


def test_a_form_too_large_for_gemini_still_goes_elsewhere() -> None:
    for last in (False, True):
        story = whole(recording(MAX_FORM + MIB), model="google-first", last=last)
        assert story.requests[1].target == HEARING.encode()
        named = part("model", b"open-ears")
        body = recording(MAX_FORM + MIB)
        assert sent(story) == (form(body, named) if last else form(named, body))


def test_there_may_be_no_room_for_the_request_beside_the_form() -> None:
    story = whole(recording(3 * MIB), config=setup(limits=Limits(max_buffered_mb=5)))
    assert (story.status, story.headers[b"retry-after"]) == (503, b"1")
    assert story.requests == {}
    assert story.gateway.buffered == 0


# Failover.


def test_what_gemini_refuses_is_asked_elsewhere_with_the_form() -> None:
    story = whole(SHORT, model="google-first", attempts=3)
    for _ in KEYS:
        assert b":generateContent" in story.requests[max(story.requests)].target
        story.upstream_answers(
            429, b'{"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}'
        )
    assert story.requests[3].target == HEARING.encode()
    assert sent(story) == form(part("model", b"open-ears"), SHORT)
    story.upstream_answers(200, b'{"text": "Guten Tag."}')
    assert (story.status, json.loads(story.body)) == (200, {"text": "Guten Tag."})
    assert story.gateway.buffered == 0


def test_what_openai_refuses_is_asked_of_gemini() -> None:
    story = whole(SHORT, model="open-first", attempts=3)
    for _ in KEYS:
        story.upstream_answers(429, b'{"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}')
    assert story.requests[3].target == b"/v1beta/models/google-ears:generateContent"
    story.upstream_answers(200, answer("Guten Tag."))
    assert (story.status, json.loads(story.body)["text"]) == (200, "Guten Tag.")


def test_a_refusal_within_an_answer_leaves_nothing_of_it() -> None:
    story = whole(SHORT, model="open-first", attempts=2)
    story.upstream_answers(200, b'{"error": {"message": "Slow down.", "code": 429}}')
    story.upstream_answers(200, b'{"text": "Guten Tag."}')
    assert (story.status, json.loads(story.body)) == (200, {"text": "Guten Tag."})


def test_what_gemini_could_not_be_told_is_no_reason_not_to_ask_elsewhere() -> None:
    story = whole(part("file", b"an unknown format", file=True), model="google-first")
    assert story.requests[1].target == HEARING.encode()


def test_a_recording_that_was_heard_and_lost_is_not_heard_again() -> None:
    story = whole(SHORT, attempts=3)
    story.tell(UpstreamConnected(1, reused=False))
    story.upstream_breaks(stage=Stage.HEAD)
    assert story.status == 502
    assert list(story.requests) == [1]


@pytest.mark.parametrize("stop", ["MAX_TOKENS", "SAFETY"])
def test_an_answer_that_broke_off_is_the_clients_to_change(stop: str) -> None:
    story = whole(SHORT, attempts=3)
    story.upstream_answers(200, answer("Guten", stop=stop))
    assert story.status == 400
    assert list(story.requests) == [1]


def test_an_answer_that_is_no_json_is_an_error() -> None:
    story = whole(SHORT)
    story.upstream_answers(200, b"<html>", headers=((b"content-type", b"text/html"),))
    assert (story.status, error(story)["code"]) == (502, "upstream_invalid_answer")


# Streams.

STREAM: Final = part("stream", b"true")


def events(story: Story) -> list[Any]:
    text = story.body.decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n") if line.startswith("data: ")]


def test_a_stream_is_geminis_own() -> None:
    story = whole(SHORT, STREAM)
    assert story.requests[1].target == b"/v1beta/models/google-ears:streamGenerateContent?alt=sse"
    assert dict(story.requests[1].headers)[b"accept"] == b"text/event-stream"
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    assert story.exchange.state is State.WAITING
    first = story.tell(UpstreamData(1, frame("Guten")))
    assert any(isinstance(effect, SendData) for effect in first)
    assert story.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert story.headers[b"x-agcore-provider"] == b"google"
    story.tell(UpstreamData(1, frame(" Tag.", last=True)))
    story.tell(UpstreamEnd(1))
    *deltas, done = events(story)
    assert [each["delta"] for each in deltas] == ["Guten", " Tag."]
    assert (done["type"], done["text"]) == ("transcript.text.done", "Guten Tag.")
    assert (story.ended, story.row["outcome"], story.row["stream"]) == (True, "ok", True)
    assert row(story)["usage"]["output"] == 7


def test_a_whole_answer_to_a_stream_is_told_as_one() -> None:
    story = whole(SHORT, STREAM)
    story.upstream_answers(200, answer("Guten Tag."))
    assert [each["type"] for each in events(story)] == ["transcript.text.delta", "transcript.text.done"]
    assert (story.ended, story.row["outcome"]) == (True, "ok")


def test_a_whole_answer_that_was_blocked_is_no_stream() -> None:
    story = whole(SHORT, STREAM)
    story.upstream_answers(200, answer("Guten", stop="SAFETY"))
    assert (story.status, error(story)["code"]) == (400, "content_filter")


def test_a_stream_that_fails_at_once_is_an_honest_status() -> None:
    story = whole(SHORT, STREAM)
    failed = b'data: {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}\r\n\r\n'
    story.upstream_answers(200, failed, headers=SSE)
    assert story.status == 503


def test_a_stream_that_fails_later_ends_in_an_error() -> None:
    story = whole(SHORT, STREAM)
    story.upstream_answers(200, [frame("Guten"), frame("", last=True, stop="MAX_TOKENS")], headers=SSE)
    assert story.status == 200
    assert b"event: error\n" in story.body
    assert events(story)[-1]["error"]["code"] == "transcript_too_long"
    assert story.row["outcome"] == "error"


def test_a_connection_that_breaks_after_the_last_word_takes_nothing() -> None:
    story = whole(SHORT, STREAM)
    story.upstream_answers(200, [frame("Guten"), frame(" Tag.", last=True)], headers=SSE, end=False)
    story.upstream_breaks()
    assert events(story)[-1]["text"] == "Guten Tag."
    assert (story.ended, story.row["outcome"]) == (True, "ok")


def test_a_connection_that_breaks_within_ends_in_an_error() -> None:
    story = whole(SHORT, STREAM)
    story.upstream_answers(200, [frame("Guten")], headers=SSE, end=False)
    story.upstream_breaks()
    assert b"event: error\n" in story.body


def test_a_stream_is_opened_and_kept_alive_while_gemini_listens() -> None:
    story = whole(SHORT, STREAM)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(60)
    assert (story.exchange.state, story.status) == (State.OPENED, 200)
    assert story.body.startswith(b": keepalive\n\n")
    assert story.headers[b"x-agcore-provider"] == b"google"
    story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamData(1, answer("Guten Tag.")))
    story.tell(UpstreamEnd(1))
    assert events(story)[-1]["text"] == "Guten Tag."


def test_a_stream_that_was_opened_ends_in_an_error() -> None:
    story = whole(SHORT, STREAM)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(60)
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, reused=False, cause="closed"))
    assert events(story)[-1]["error"]["message"].startswith("google:")


def test_a_stream_is_not_opened_ahead_of_an_upstream_that_may_not_stream() -> None:
    story = whole(SHORT, STREAM, model="google-first", attempts=3)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(60)
    assert story.exchange.state is State.WAITING
    story.tell(UpstreamHead(1, 429, JSON))
    story.tell(UpstreamEnd(1))
    story.upstream_answers(429, b"{}")
    story.upstream_answers(200, b'{"text": "Guten Tag."}')
    assert (story.status, json.loads(story.body)) == (200, {"text": "Guten Tag."})


def test_a_client_that_leaves_takes_everything_with_it() -> None:
    story = whole(recording(2 * MIB), STREAM)
    assert story.gateway.buffered > 4 * MIB
    story.tell(ClientGone())
    assert AbortUpstream(1) in story.effects
    assert story.gateway.buffered == 0


def test_the_end_may_come_without_a_last_piece() -> None:
    story = Story(gateway(setup()))
    story.open("POST", HEARING, headers=((b"content-type", FORM),))
    story.tell(RequestEnd())
    assert story.status == 400
