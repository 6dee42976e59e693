"""What a client is told when an upstream fails: in an answer, in the middle of a stream, or not reachable at all."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from agcore import (
    AbortUpstream,
    ClientGone,
    OpenUpstream,
    SendData,
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
from agcore.config.values import Secret
from agcore.dialects import DIALECTS, ERROR_SHAPES
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.whole_answer import fault_from_answer
from agcore.protocol.fault import Fault, Vendor
from agcore.protocol.http import Headers
from agcore.routing.candidates import Credential
from agcore.upstream.errors import presentable
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI, GEMINI_ARRAY, RESPONSES, STREAMS, Dialogue
from agcore_sim.story import EPOCH, JSON, SSE, Story
from tests.support.dialogues import PROVIDER_KEY, asked, ids, streaming

HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
DEEP = b"[" * 600 + b"]" * 600


def answered(
    dialogue: Dialogue, status: int, body: bytes, *, headers: Headers = JSON, stream: bool = False, model: str = ""
) -> Story:
    story = asked(dialogue, stream=stream, model=model)
    story.upstream_answers(status, body, headers=headers)
    assert story.finished
    return story


def error_of(story: Story) -> dict[str, Any]:
    error = json.loads(story.body)["error"]
    assert isinstance(error, dict)
    return error


def events_of(body: bytes) -> list[Any]:
    return [json.loads(line.removeprefix(b"data: ")) for line in body.splitlines() if line.startswith(b"data: {")]


# Error answers.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_vendors_error_is_kept_for_a_client_of_the_same_dialect(dialogue: Dialogue, stream: bool) -> None:
    story = answered(dialogue, 429, dialogue.error_answer, stream=stream, headers=(*JSON, (b"retry-after", b"3")))
    error, theirs = error_of(story), json.loads(dialogue.error_answer)["error"]
    assert {name: error[name] for name in theirs} == theirs
    assert (story.status, story.headers[b"retry-after"], story.row["outcome"]) == (429, b"3", "error")
    assert story.headers[b"content-type"] == b"application/json"
    assert (story.headers[b"x-agcore-provider"], story.row["error"]) == (dialogue.dialect.encode(), "slow down")
    assert b"x-should-retry" not in story.headers


def test_unknown_members_and_types_of_an_error_survive() -> None:
    body = b'{"error":{"message":"no","type":"tokens","code":"x","param":"messages[3]","x_new":{"a":[1]}}}'
    assert json.loads(answered(CHAT, 400, body).body) == json.loads(body)


@pytest.mark.parametrize(
    ("status", "shown"),
    [(400, 400), (404, 404), (409, 409), (413, 413), (422, 422), (500, 500), (503, 503), (504, 504)],
)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_errors_status_is_kept(dialogue: Dialogue, status: int, shown: int) -> None:
    assert answered(dialogue, status, dialogue.error_answer).status == shown


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_529_is_a_503_for_clients_that_do_not_know_it(dialogue: Dialogue) -> None:
    assert answered(dialogue, 529, dialogue.error_answer).status == (529 if dialogue is ANTHROPIC else 503)


@pytest.mark.parametrize("status", [300, 302, 304, 307])
def test_a_redirect_is_a_502_and_is_not_followed(status: int) -> None:
    story = answered(CHAT, status, b"", headers=((b"location", b"https://elsewhere.example/"),))
    assert (story.status, error_of(story)["code"]) == (502, "upstream_redirect")
    assert [type(effect) for effect in story.effects].count(OpenUpstream) == 1


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"<html>502 Bad Gateway</html>", HTML, "openai answered 502: 502 Bad Gateway"),
        (b"", (), "openai answered 502 without an error message (no content type)"),
        (b'{"failed":"x"}', JSON, "openai answered 502 without an error message (application/json)"),
        (b'{"error":null}', JSON, "openai answered 502 without an error message (application/json)"),
        (b"[1]", JSON, "openai answered 502 without an error message (application/json)"),
        (
            b'{"error":{"message":"' + b"x" * 300_000,
            JSON,
            "openai answered 502 without an error message (application/json)",
        ),
        (b'{"error":"just words"}', JSON, "just words"),
        (b"[]", JSON, "openai answered 502 without an error message (application/json)"),
        (b'{"message":"at the top"}', JSON, "at the top"),
        (b'{"detail":"Not found"}', JSON, "Not found"),
        (b'{"detail":[{"loc":["body"],"msg":"missing"},{"msg":"too long"},7]}', JSON, "missing; too long"),
        (b'{"detail":7}', JSON, "openai answered 502 without an error message (application/json)"),
    ],
    ids=[
        *("html", "nothing", "no error", "null", "array", "oversized", "words", "empty array", "top level"),
        *("detail", "list of details", "no detail"),
    ],
)
def test_an_error_body_of_any_kind_becomes_a_message(body: bytes, headers: Headers, words: str) -> None:
    assert error_of(answered(CHAT, 502, body, headers=headers))["message"] == words


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_errors_of_any_shape_are_read(dialogue: Dialogue) -> None:
    for body in (b'{"error":{"message":"m"}}', b'{"error":"m"}', b'{"message":"m"}', b'"m"'):
        assert error_of(answered(dialogue, 418, body))["message"] == "m"
    for body in (b"[]", b"7", b'{"error":7}', b'{"error":{"message":7}}'):
        words = f"{dialogue.dialect} answered 418 without an error message (application/json)"
        assert error_of(answered(dialogue, 418, body))["message"] == words


def test_an_oversized_error_body_is_not_read_to_its_end() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 500, JSON))
    story.tell(UpstreamData(1, b"x" * 262_144))
    assert not story.finished
    effects = story.tell(UpstreamData(1, b"x"))
    assert (story.finished, AbortUpstream(1) in effects) == (True, True)


def test_an_error_body_that_breaks_off_still_tells_its_status() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamHead(1, 429, (*JSON, (b"retry-after", b"3"))))
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, True, "reset"))
    assert (story.status, story.headers[b"retry-after"]) == (429, b"3")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_credential_is_a_424_that_names_it_by_its_label(dialogue: Dialogue, status: int) -> None:
    words = f"Incorrect API key provided: {PROVIDER_KEY}."
    body = json.dumps({"error": {"message": words, "type": "x", "code": "invalid_api_key", "status": "X"}}).encode()
    story = answered(dialogue, status, body)
    error = error_of(story)
    assert (story.status, story.headers[b"x-should-retry"]) == (424, b"false")
    assert error["message"] == (
        f"the provider refused the gateway's credential {dialogue.dialect}#1 ({status}): "
        f"Incorrect API key provided: {dialogue.dialect}#1."
    )
    assert error.get("type", "api_error") == "api_error"
    assert error.get("status", "FAILED_PRECONDITION") == "FAILED_PRECONDITION"
    assert PROVIDER_KEY not in story.text().replace(f"{PROVIDER_KEY}.", "", 1).split("OpenUpstream")[0]
    assert PROVIDER_KEY not in str(story.row)


@pytest.mark.parametrize("dialogue", [CHAT, GEMINI], ids=ids)
def test_a_bad_key_told_as_a_400_is_a_424_too(dialogue: Dialogue) -> None:
    error = {
        "message": "API key not valid",
        "code": "invalid_api_key",
        "status": "INVALID_ARGUMENT",
        "details": [7, {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
    story = answered(dialogue, 400, json.dumps({"error": error}).encode())
    assert (story.status, "credential" in error_of(story)["message"]) == (424, True)
    assert story.headers[b"x-should-retry"] == b"false"
    ((slot, _),) = story.exchange._services.outside.state.cooldowns.cooling(now=story.now)
    assert slot[2] == ""  # it is of no use for any model


def test_the_key_is_taken_out_of_every_part_of_an_error() -> None:
    details = [{"metadata": {PROVIDER_KEY: f"consumer {PROVIDER_KEY}", "n": [1, None, PROVIDER_KEY]}}]
    error = {"code": 429, "message": f"key {PROVIDER_KEY}", "status": "RESOURCE_EXHAUSTED", "details": details}
    shown = error_of(answered(GEMINI, 429, json.dumps({"error": error}).encode()))
    assert PROVIDER_KEY not in json.dumps(shown)
    assert shown["details"][0] == {"metadata": {"gemini#1": "consumer gemini#1", "n": [1, None, "gemini#1"]}}


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_the_key_is_taken_out_of_errors_in_streams(dialogue: Dialogue) -> None:
    error = dialogue.error.replace(b"busy", f"busy {PROVIDER_KEY}".encode())
    for before in (b"", dialogue.announcements + dialogue.content):
        story = streaming(dialogue)
        story.tell(UpstreamData(1, before + error))
        label = f"busy {dialogue.dialect}#1".encode()
        assert label in story.body
        assert PROVIDER_KEY.encode() not in story.body
        assert story.row["error"] == label.decode()


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_half_a_surrogate_pair_in_an_error_is_replaced(dialogue: Dialogue) -> None:
    body = b'{"error":{"message":"caf\\u00e9 \\ud83d!","code":"\\udc00","param":"\\ud83d","status":"\\ud83d"}}'
    story = answered(dialogue, 500, body)
    assert error_of(story)["message"] == "café \ufffd!"
    assert story.row["error"] == "café \ufffd!"


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("nested", [b"[" * depth + b"]" * depth for depth in (200, 600, 900, 960)], ids=len)
def test_a_deeply_nested_error_is_still_an_error(dialogue: Dialogue, nested: bytes) -> None:
    story = answered(dialogue, 500, b'{"error":{"message":"deep","details":' + nested + b"}}")
    assert story.status == 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"34"}, b"34"),
        ({b"retry-after": b"0.2"}, b"1"),
        ({b"retry-after-ms": b"1500", b"retry-after": b"9"}, b"2"),
        ({b"retry-after-ms": b"soon", b"retry-after": b"9"}, b"9"),
        ({b"retry-after": b"Mon, 21 Sep 2026 14:13:25 GMT"}, b"5"),
        ({b"retry-after": b"Sun, 20 Sep 2026 14:13:25 GMT"}, b"1"),
        ({b"retry-after": b"0"}, b"1"),
    ],
)
def test_a_named_wait_is_told_in_whole_seconds(headers: dict[bytes, bytes], seconds: bytes) -> None:
    assert EPOCH == 1_790_000_000  # Mon, 21 Sep 2026 14:13:20 GMT
    story = answered(CHAT, 429, CHAT.error_answer, headers=(*JSON, *headers.items()))
    assert story.headers[b"retry-after"] == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {b"retry-after": b"Sun, 20 Sep 99999999999999999999 14:13:25 GMT"},
        {b"retry-after": b"-3"},
        {b"retry-after": b"nan"},
        {b"retry-after": b"inf"},
        {b"retry-after": b"later"},
        {},
    ],
    ids=repr,
)
def test_a_limit_without_a_wait_that_can_be_believed_is_told_with_the_gateways_own(headers: dict[bytes, bytes]) -> None:
    story = answered(CHAT, 429, CHAT.error_answer, headers=(*JSON, *headers.items()))
    (cooldown,) = (each for _, each in story.exchange._services.outside.state.cooldowns.cooling(now=story.now))
    assert 3.75 <= cooldown.until - EPOCH <= 6.25
    assert story.headers[b"retry-after"] == b"%d" % math.ceil(cooldown.until - EPOCH)


@pytest.mark.parametrize(
    ("details", "headers", "wait", "shown"),
    [
        ([{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34.5s"}], {}, b"35", "34.5s"),
        ([{"retryDelay": "34.5s"}], {b"retry-after": b"3"}, b"3", "34.5s"),
        ([{"retryDelay": "xs"}, {"retryDelay": "-1s"}, {"retryDelay": 4}], {}, b"5", "5s"),
        ([{"reason": "QUOTA"}], {b"retry-after": b"3"}, b"3", "3s"),
        (None, {b"retry-after": b"3"}, b"3", "3s"),
    ],
)
def test_google_clients_find_the_wait_in_the_details_too(
    details: object, headers: dict[bytes, bytes], wait: bytes, shown: str
) -> None:
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"} | (
        {"details": details} if details else {}
    )
    story = answered(GEMINI, 429, json.dumps({"error": error}).encode(), headers=(*JSON, *headers.items()))
    assert story.headers[b"retry-after"] == wait
    assert error_of(story)["details"][-1]["retryDelay"] == shown


def test_a_streaming_calls_error_may_come_as_an_array_of_one() -> None:
    body = b'[{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]'
    assert error_of(answered(GEMINI, 429, body, stream=True))["message"] == "slow down"


# Answers that are no answers.


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("stream", [False, True])
def test_a_200_that_holds_an_error_is_that_error(dialogue: Dialogue, stream: bool) -> None:
    body = b'{"error": {"message": "quota", "code": 429, "type": "t"}}'
    story = answered(dialogue, 200, body, stream=stream, headers=(*JSON, (b"retry-after", b"8")))
    assert (story.status, error_of(story)["message"], story.headers[b"retry-after"]) == (429, "quota", b"8")
    unnamed = answered(dialogue, 200, b'{"error": "broken"}', stream=stream)
    assert (unnamed.status, error_of(unnamed)["message"]) == (502, "broken")
    refused = answered(dialogue, 200, b'{"error": {"message": "who?", "code": 401}}', stream=stream)
    assert (refused.status, refused.headers[b"x-should-retry"]) == (424, b"false")


def test_a_response_that_failed_with_something_to_show_is_that_dialects_own_answer() -> None:
    body = (
        b'{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"no"},'
        b'"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}'
    )
    story = answered(RESPONSES, 200, body)
    assert (story.status, story.body) == (200, body)
    for output in (b"null", b"[]"):
        story = answered(RESPONSES, 200, body[: body.index(b'[{"type":"message"')] + output + b"}")
        assert (story.status, error_of(story)["message"]) == (429, "no")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (200, b"<html>", HTML, "answered 200 without a JSON object (text/html)"),
        (200, b"", (), "answered 200 without a JSON object (no content type)"),
        (200, b"[]", JSON, "answered 200 without a JSON object (application/json)"),
        (204, b"", (), "answered 204 without a JSON object (no content type)"),
        (200, b"[" * 100_000, JSON, "answered 200 without a JSON object (application/json)"),
    ],
    ids=["html", "empty", "array", "no content", "deep"],
)
def test_a_success_that_is_not_an_answer_is_a_502(
    dialogue: Dialogue, stream: bool, status: int, body: bytes, headers: Headers, words: str
) -> None:
    story = answered(dialogue, status, body, headers=headers, stream=stream)
    assert (story.status, error_of(story)["message"]) == (502, f"{dialogue.dialect} {words}")


def test_an_answer_nested_to_the_very_limit_is_answered_or_refused() -> None:
    seen = set()
    for depth in range(880, 1000):
        nested = b"[" * depth + b"]" * depth
        choices = b'{"model":"m","choices":[{"message":{"content":"hi"}}],'
        for body in (choices + b'"x":' + nested + b"}", choices + b'"y":"\\ud83d","x":' + nested + b"}"):
            story = answered(CHAT, 200, body, model=CHAT.alias)
            seen.add(story.status)
    assert seen == {200, 502}


# Streams that fail.


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_that_begins_with_an_error_is_answered_with_it(dialogue: Dialogue) -> None:
    for before in (b"", dialogue.announcements):
        story = streaming(dialogue)
        effects = story.tell(UpstreamData(1, before + dialogue.error))
        assert story.status in (502, 503, 529)
        assert error_of(story)["message"] == "busy"
        assert AbortUpstream(1) in effects


@pytest.mark.parametrize(
    ("dialogue", "frame", "status"),
    [
        (CHAT, b'data: {"error":{"message":"m","code":429}}\n\n', 429),
        (CHAT, b'data: {"error":{"message":"m","status":503}}\n\n', 503),
        (CHAT, b'data: {"error":{"message":"m","type":"rate_limit_error"}}\n\n', 429),
        (CHAT, b'data: {"error":{"message":"m","code":"insufficient_quota"}}\n\n', 429),
        (CHAT, b'data: {"error":{"message":"m","type":"overloaded_error"}}\n\n', 503),
        (CHAT, b'data: {"error":{"message":"m","type":"invalid_request_error"}}\n\n', 400),
        (CHAT, b'data: {"error":{"message":"m","code":true}}\n\n', 502),
        (CHAT, b'data: {"error":"m"}\n\n', 502),
        (CHAT, b'data: {"error":{"message":"m","code":401}}\n\n', 424),
        (CHAT, b'data: {"error":{"message":"m","type":"invalid_request_error","code":"invalid_api_key"}}\n\n', 424),
        (RESPONSES, b'data: {"type":"error","code":"rate_limit_exceeded","message":"m"}\n\n', 429),
        (RESPONSES, b'data: {"type":"error","error":{"code":"invalid_prompt","message":"m"}}\n\n', 400),
        (RESPONSES, b'data: {"type":"error","error":null,"code":"x","message":"m"}\n\n', 502),
        (RESPONSES, b'data: {"error":{"message":"m"}}\n\n', 502),
        (
            RESPONSES,
            b'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}\n\n',
            502,
        ),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n', 529),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n', 500),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"timeout_error","message":"m"}}\n\n', 504),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":7,"message":"m"}}\n\n', 502),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"rate_limit_error","message":"m"}}\n\n', 429),
        (ANTHROPIC, b'event: error\ndata: {"error":{"type":"tomorrows_error","message":"m"}}\n\n', 502),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"authentication_error","message":"m"}}\n\n', 424),
        (ANTHROPIC, b'data: {"type":"error","error":{"type":"invalid_request_error","message":"m"}}\n\n', 400),
        (GEMINI, b'data: {"error":{"code":400,"message":"m"}}\n\n', 400),
        (GEMINI, b'data: {"error":{"code":403,"message":"m"}}\n\n', 424),
        (GEMINI, b'data: {"error":{"code":7,"message":"m"}}\n\n', 502),
        (GEMINI, b'data: {"error":"m"}\n\n', 502),
    ],
    ids=lambda value: ids(value) if isinstance(value, Dialogue) else None,
)
def test_an_error_in_a_stream_chooses_its_status_while_it_still_can(
    dialogue: Dialogue, frame: bytes, status: int
) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, frame))
    assert (story.status, error_of(story)["message"].endswith("m")) == (status, True)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_error_without_a_message_gets_one(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, b'event: error\ndata: {"type": "error", "error": {"x": 1}}\n\n'))
    assert error_of(story)["message"] == "the upstream reported an error without a message"


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_an_error_after_content_is_told_in_the_dialects_own_form(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, dialogue.announcements + dialogue.content))
    before = story.body
    story.tell(UpstreamData(1, dialogue.error + dialogue.content))
    check_error_form(dialogue, story, before, "busy")


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@pytest.mark.parametrize("how", ["end", "failure", "garbage"])
def test_a_stream_that_is_cut_after_content_ends_in_an_error(dialogue: Dialogue, how: str) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, dialogue.announcements + dialogue.content))
    before = story.body
    if how == "end":
        story.tell(UpstreamEnd(1))
        words = "the upstream ended its stream before it was complete"
    elif how == "failure":
        story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "connection reset"))
        words = f"{dialogue.dialect}: the connection closed within the answer"
    else:
        story.tell(UpstreamData(1, b"data: {oops\n\n"))
        words = "the upstream sent an event that is not JSON"
    check_error_form(dialogue, story, before, words)


def check_error_form(dialogue: Dialogue, story: Story, before: bytes, words: str) -> None:
    assert story.finished
    assert story.row["outcome"] == "error"
    assert story.row["error"] == words
    assert story.body.startswith(before)
    tail = story.body.removeprefix(before)
    assert b"[DONE]" not in tail
    if dialogue is GEMINI_ARRAY:
        assert json.loads(story.body)[-1]["error"]["message"] == words
        return
    (event,) = events_of(tail)
    if dialogue is RESPONSES:
        assert (event["type"], event["sequence_number"]) == ("response.failed", 3)
        assert event["response"]["status"] == "failed"
        assert event["response"]["error"]["message"] == words
        assert tail.startswith(b"event: response.failed\n")
    elif dialogue is ANTHROPIC:
        assert (event["type"], event["error"]["message"]) == ("error", words)
        assert event["request_id"] == story.exchange.request.id
        assert tail.startswith(b"event: error\n")
    else:
        assert event["error"]["message"] == words


def test_a_failure_of_a_renamed_response_shows_the_alias() -> None:
    story = streaming(RESPONSES, model=RESPONSES.alias)
    created = RESPONSES.announcements.replace(b'"output"', b'"x": "\\ud83d", "output"')
    story.tell(UpstreamData(1, created + RESPONSES.content))
    story.tell(UpstreamEnd(1))
    event = events_of(story.body)[-1]
    assert (event["type"], event["response"]["model"]) == ("response.failed", RESPONSES.alias)


def test_a_response_that_is_not_created_yet_fails_with_the_flat_event() -> None:
    story = asked(RESPONSES, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    story.tell(UpstreamHead(1, 503, JSON))
    story.tell(UpstreamData(1, b'{"error":{"message":"busy","code":"slow_down","param":"p"}}'))
    story.tell(UpstreamEnd(1))
    event = {"type": "error", "code": "slow_down", "message": "busy", "param": "p", "sequence_number": 0}
    assert events_of(story.body) == [event]
    assert b"event: error\n" in story.body


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_open_stream_that_fails_shows_its_announcements_before_the_error(dialogue: Dialogue) -> None:
    story = asked(dialogue, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, dialogue.announcements))
    assert story.exchange.state is State.OPENED
    story.tell(UpstreamEnd(1))
    assert story.body.startswith(dialogue.keepalive + dialogue.announcements)
    assert len(events_of(story.body.removeprefix(dialogue.keepalive + dialogue.announcements))) == 1


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("body", [b"", b": hi\n\n", b"data: [DONE]\n\n", b'{"error":'], ids=repr)
def test_a_stream_without_content_is_a_502(dialogue: Dialogue, body: bytes) -> None:
    story = answered(dialogue, 200, body, headers=SSE, stream=True)
    assert story.status == 502
    assert error_of(story)["message"] == "the upstream ended its stream without an answer"


@pytest.mark.parametrize(
    ("frame", "words"),
    [(b"data: {\n\n", ""), (b"data: [1]\n\n", ""), (b'data: "busy"\n\n', ": busy"), (b"data: \xff\n\n", ": \ufffd")],
)
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_event_that_is_no_json_object_is_a_502(dialogue: Dialogue, frame: bytes, words: str) -> None:
    story = answered(dialogue, 200, frame, headers=SSE, stream=True)
    assert error_of(story)["message"] == f"the upstream sent an event that is not JSON{words}"


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@pytest.mark.parametrize("how", ["end", "failure", "silence"])
def test_a_stream_that_is_cut_after_its_finish_reason_is_complete(dialogue: Dialogue, how: str) -> None:
    story = streaming(dialogue)
    ending = dialogue.closing if dialogue is not RESPONSES else dialogue.terminal
    story.tell(UpstreamData(1, dialogue.announcements + dialogue.content + ending))
    if how == "end":
        story.tell(UpstreamEnd(1))
    elif how == "failure":
        story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    else:
        story.wait(300)
    whole = streaming(dialogue)
    whole.tell(UpstreamData(1, dialogue.stream))
    whole.tell(UpstreamEnd(1))
    assert story.row["outcome"] == "ok"
    # Keepalives apart, which came while the upstream was silent.
    spaceless = story.body.replace(dialogue.keepalive, b"").replace(b" ", b"").replace(b"\r\n", b"")
    assert spaceless == whole.body.replace(dialogue.keepalive, b"").replace(b" ", b"").replace(b"\r\n", b"")


def test_a_frame_beyond_all_bounds_ends_the_stream_in_an_error() -> None:
    huge = b"data: " + b"x" * (33 * 1024 * 1024)
    story = streaming(CHAT)
    story.tell(UpstreamData(1, CHAT.content + huge))
    story.tell(UpstreamEnd(1))
    assert "out of bounds" in str(story.row["error"])
    first = answered(CHAT, 200, huge, headers=SSE, stream=True)
    assert (first.status, "out of bounds" in error_of(first)["message"]) == (502, True)
    after = streaming(CHAT)
    after.tell(UpstreamData(1, CHAT.stream + huge))
    after.tell(UpstreamData(1, huge))
    after.tell(UpstreamEnd(1))
    assert after.row["outcome"] == "ok"


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_events_nested_to_the_very_limit_pass_or_fail_the_stream(dialogue: Dialogue) -> None:
    outcomes = set()
    for depth in range(860, 1000, 2):
        nested = b"[" * depth + b"]" * depth
        event = json.loads(dialogue.announcements.partition(b"data: ")[2].splitlines()[0])
        for more in (b"", b'"y":"\\ud83d",'):
            text = json.dumps(event).encode()
            text = b"{" + more + b'"deep":' + nested + b"," + text[1:]
            if dialogue in (RESPONSES, ANTHROPIC):
                text = text.replace(b'"id"', b'"z":' + nested + b',"id"')
            story = streaming(dialogue, model=dialogue.alias)
            story.tell(UpstreamData(1, b"data: " + text + b"\n\n" + dialogue.content))
            if story.exchange.wants(1):
                story.tell(UpstreamEnd(1))
            outcomes.add(story.status)
    assert outcomes == {200, 502}


# No answer at all.


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.TLS])
def test_an_upstream_that_cannot_be_reached_is_a_502_with_the_cause(stage: Stage) -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamFailed(1, stage, Sent.NONE, False, "connection refused by openai.example:443"))
    assert story.status == 502
    assert error_of(story)["message"] == "openai: connection refused by openai.example:443"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.SEND, "the connection broke while the request was being sent"),
        (Stage.HEAD, "the connection closed before an answer came"),
    ],
)
def test_a_pooled_connection_that_went_stale_is_replaced_once(stage: Stage, words: str) -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=True))
    (effect,) = story.tell(UpstreamFailed(1, stage, Sent.ALL, True, "closed"))
    assert effect == OpenUpstream(2, story.requests[1])
    story.tell(UpstreamConnected(2, reused=True))
    story.tell(UpstreamFailed(2, stage, Sent.ALL, True, "closed again"))
    assert (story.status, error_of(story)["message"]) == (502, f"openai: {words}")
    assert (story.row["attempts"], b"x-should-retry" in story.headers) == (1, False)


def test_a_second_connection_that_works_answers() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
    story.upstream_answers(200, CHAT.answer)
    assert (story.status, story.headers[b"x-agcore-attempts"]) == (200, b"1")
    assert story.tell(UpstreamData(1, b"late")) == []


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("taken", [False, True])
def test_only_a_stale_pooled_connection_earns_a_free_attempt_and_once(stage: Stage, reused: bool, taken: bool) -> None:
    story, leg = asked(CHAT, stream=False), 1
    if taken:
        story.tell(UpstreamConnected(1, reused=True))
        story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
        leg = 2
    story.tell(UpstreamConnected(leg, reused=reused))
    story.tell(UpstreamFailed(leg, stage, Sent.ALL, reused, "closed"))
    free = reused and not taken and stage in (Stage.SEND, Stage.HEAD)
    assert (leg + 1 in story.requests) == free
    assert story.finished != free


@pytest.mark.parametrize("reused", [False, True])
def test_a_request_is_not_repeated_once_an_answer_has_begun_or_on_a_fresh_connection(reused: bool) -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=reused))
    if reused:
        story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, reused, "closed"))
    assert story.status == 502
    assert list(story.requests) == [1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_takes_the_upstream_along(stream: bool) -> None:
    story = asked(ANTHROPIC, stream=stream)
    story.tell(UpstreamConnected(1, reused=False))
    effects = story.tell(ClientGone())
    assert effects[0] == AbortUpstream(1)
    assert not any(isinstance(effect, SendHead | SendData) for effect in story.effects)
    assert story.row["outcome"] == "client gone"


# The pieces.


def test_every_status_has_a_name_in_every_dialect() -> None:
    for status in (*range(400, 432), 451, 499, *range(500, 506), 529):
        fault = Fault(status=status, message="m")
        for render in ERROR_SHAPES.values():
            assert "m" in json.dumps(json.loads(render(fault, "req_1")))
    anthropic = {
        s: json.loads(anthropic_error.render_error(Fault(s, "m"), "r"))["error"]["type"] for s in (418, 501, 599)
    }
    assert anthropic == {418: "invalid_request_error", 501: "invalid_request_error", 599: "api_error"}


def test_a_vendors_error_is_not_shown_to_clients_of_another() -> None:
    fault = Fault(status=429, message="m", vendor=Vendor(dialect="gemini", error={"secretive": 1}), retry_after=2.5)
    for name in ("openai_chat", "anthropic", "mcp"):
        assert b"secretive" not in ERROR_SHAPES[name](fault, "req_1")
    assert b"secretive" in ERROR_SHAPES["gemini"](fault, "req_1")
    plain = json.loads(ERROR_SHAPES["gemini"](Fault(status=429, message="m", retry_after=2.5), "req_1"))
    assert plain["error"]["details"][0]["retryDelay"] == "3s"


def test_without_a_key_nothing_is_redacted() -> None:
    body = b'{"error":{"message":"m","type":"t"}}'
    raw = fault_from_answer(DIALECTS["openai_chat"], provider="local", status=500, headers=(), body=body)
    fault = presentable(raw, Credential(label="local#1", secret=None))
    assert (fault.message, fault.vendor and fault.vendor.error["type"]) == ("m", "t")


def test_a_key_in_a_code_or_parameter_is_redacted() -> None:
    key = Credential(label="p#1", secret=Secret("hush-hush"))
    fault = presentable(Fault(status=500, message="a hush-hush b", code="hush-hush", param="x hush-hush"), key)
    assert (fault.message, fault.code, fault.param) == ("a p#1 b", "p#1", "x p#1")


def test_a_key_that_guards_nothing_may_stand_in_any_word() -> None:
    key = Credential(label="local#1", secret=Secret("ollama"))
    assert presentable(Fault(status=500, message="ollama is not there"), key).message == "ollama is not there"


# Bodies of servers that are no vendors.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_the_words_of_any_error_body_reach_the_client_and_the_log(dialogue: Dialogue, stream: bool) -> None:
    text: Headers = ((b"content-type", b"text/plain; charset=utf-8"),)
    for body, headers in (
        (b"no healthy upstream", text),
        (b'{"errors":[{"message":"no healthy upstream"}]}', JSON),
        (b'{"msg":"no healthy upstream","code":1}', JSON),
        (b'{"error":null,"message":"no healthy upstream"}', JSON),
        (b"<html><title>no healthy upstream</title>", HTML),
    ):
        story = answered(dialogue, 400, body, headers=headers, stream=stream)
        assert "no healthy upstream" in error_of(story)["message"]
        assert "no healthy upstream" in str(story.row["error"])


def test_a_text_that_repeats_the_key_does_not_show_it() -> None:
    text: Headers = ((b"content-type", b"text/plain"),)
    story = answered(CHAT, 400, b"bad key " + PROVIDER_KEY.encode(), headers=text)
    assert PROVIDER_KEY.encode() not in story.body
    assert "bad key" in error_of(story)["message"]


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_404_names_the_url_that_was_asked(dialogue: Dialogue) -> None:
    story = answered(dialogue, 404, b"404 page not found", headers=((b"content-type", b"text/plain"),))
    target = story.requests[1].target.decode()
    host = f"{dialogue.dialect.replace('_', '-')}.example"
    words = f"{dialogue.dialect} answered 404: 404 page not found (asked POST https://{host}{target})"
    assert error_of(story)["message"] == words
    assert str(story.row["error"]).endswith(words)


def test_a_404_of_a_server_without_codes_names_it_too_and_a_vendors_own_does_not() -> None:
    story = answered(CHAT, 404, b'{"detail":"Not Found"}')
    assert error_of(story)["message"] == "Not Found (asked POST https://openai.example/v1/chat/completions)"
    own = b'{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}'
    story = answered(CHAT, 404, own)
    assert error_of(story)["message"] == "no such model"
    assert str(story.row["error"]).endswith("(asked POST https://openai.example/v1/chat/completions)")
