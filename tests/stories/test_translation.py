"""Clients of one dialect at upstreams of another: whole exchanges, as stories."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from agcore import UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamFailed, UpstreamHead
from agcore.codecs.sse import Decoder
from agcore.config.values import Endpoint, Provider, Proxy, Secret, Timeouts
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Signature
from agcore.protocol.http import Headers, Origin
from agcore.protocol.inputs import Sent, Stage
from agcore_sim.dialogues import (
    ANTHROPIC,
    CHAT,
    COMPLETIONS,
    DIALOGUES,
    GEMINI,
    GEMINI_ARRAY,
    RESPONSES,
    STREAMS,
    Dialogue,
)
from agcore_sim.story import JSON, SSE, Story, gateway, rows
from tests.support import grammar_anthropic, grammar_gemini, grammar_openai_chat, grammar_openai_responses
from tests.support.dialogues import PROVIDER_KEY, config, ids, provider

# The dialogue's answer of Responses has no output: here it says what the others say.
_TALK = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
_HELLO = {**_TALK, "content": [{"type": "output_text", "text": "hello", "annotations": []}]}
TALKING = msgspec.structs.replace(
    RESPONSES,
    answer=json.dumps({**json.loads(RESPONSES.answer), "output": [_HELLO]}).encode(),
    content=b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {
                "type": "response.output_item.added",
                "sequence_number": 2,
                "output_index": 0,
                "item": {**_TALK, "status": "in_progress", "content": []},
            },
            {
                "type": "response.output_text.delta",
                "sequence_number": 3,
                "output_index": 0,
                "content_index": 0,
                "item_id": "msg_1",
                "delta": "hello",
            },
            {"type": "response.output_item.done", "sequence_number": 4, "output_index": 0, "item": _HELLO},
        )
    ),
)
UPSTREAMS = (CHAT, TALKING, ANTHROPIC, GEMINI)
PAIRS = [(client, up) for client in DIALOGUES for up in UPSTREAMS if client.dialect != up.dialect]
STREAM_PAIRS = [(client, up) for client in STREAMS for up in UPSTREAMS if client.dialect != up.dialect]


def pair_ids(pairs: list[tuple[Dialogue, Dialogue]]) -> list[str]:
    return [f"{ids(client)}-to-{up.dialect}" for client, up in pairs]


EVERY_PAIR = pytest.mark.parametrize(("client", "up"), PAIRS, ids=pair_ids(PAIRS))
EVERY_STREAM_PAIR = pytest.mark.parametrize(("client", "up"), STREAM_PAIRS, ids=pair_ids(STREAM_PAIRS))
FROM_CHAT = [(each, CHAT) for each in STREAMS if each is not CHAT]
FROM_CHAT[1:1] = [(CHAT, ANTHROPIC)]
ONE_PAIR_PER_CLIENT = pytest.mark.parametrize(("client", "up"), FROM_CHAT, ids=pair_ids(FROM_CHAT))


def asked(
    client: Dialogue,
    up: Dialogue,
    *,
    stream: bool = False,
    headers: Headers = (),
    proxy: Proxy | None = None,
    timeouts: Timeouts | None = None,
    **more: Any,
) -> Story:
    """A story up to what comes of the request at once."""
    story = Story(gateway(config(proxy=proxy, timeouts=timeouts)))
    body = {**json.loads(client.request(up.model, stream=stream)), **more}
    body = {name: value for name, value in body.items() if value is not None}
    story.open("POST", client.target(up.model, stream=stream), headers=headers, body=json.dumps(body).encode())
    return story


def streaming(client: Dialogue, up: Dialogue, **more: Any) -> Story:
    """A story up to the head of the upstream's event stream."""
    story = asked(client, up, stream=True, **more)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    return story


def feed(story: Story, *pieces: bytes) -> Story:
    for piece in pieces:
        if story.exchange.wants(1):
            story.tell(UpstreamData(1, piece))
    return story


def end(story: Story) -> Story:
    if story.exchange.wants(1):
        story.tell(UpstreamEnd(1))
    return story


def sent(story: Story) -> dict[str, Any]:
    """The body of the request that went up."""
    raw = story.requests[1].body
    assert isinstance(raw, bytes)
    body: dict[str, Any] = json.loads(raw)
    return body


def events(client: Dialogue, body: bytes) -> list[dict[str, Any]]:
    """The events of a client's stream."""
    if client is GEMINI_ARRAY:
        array: list[dict[str, Any]] = json.loads(body)
        return array
    frames = [frame.data for frame in Decoder().feed(body) if frame.data is not None]
    return [json.loads(data) for data in frames if data != b"[DONE]"]


def said(client: Dialogue, body: bytes) -> str:
    """The text that a client's stream says."""
    out = []
    for event in events(client, body):
        match client.dialect:
            case "openai":
                out += [choice["delta"].get("content") or "" for choice in event["choices"]]
            case "openai_completions":
                out += [choice["text"] for choice in event["choices"]]
            case "openai_responses":
                out += [event["delta"]] if event["type"] == "response.output_text.delta" else []
            case "anthropic":
                out += [event["delta"]["text"]] if event["type"] == "content_block_delta" else []
            case _:
                parts = [
                    part for each in event.get("candidates", []) for part in each.get("content", {}).get("parts", [])
                ]
                out += [part["text"] for part in parts]
    return "".join(out)


def text_of(client: Dialogue, answer: dict[str, Any]) -> str:
    """What a whole answer says."""
    match client.dialect:
        case "openai":
            return str(answer["choices"][0]["message"]["content"])
        case "openai_completions":
            return str(answer["choices"][0]["text"])
        case "openai_responses":
            return str(answer["output"][0]["content"][0]["text"])
        case "anthropic":
            return str(answer["content"][0]["text"])
        case _:
            return str(answer["candidates"][0]["content"]["parts"][0]["text"])


# Whole answers.


@EVERY_PAIR
def test_a_client_gets_a_whole_answer_in_its_own_dialect(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    told = json.loads(up.answer)
    if up is GEMINI:
        told["usageMetadata"] = {"promptTokenCount": 5, "candidatesTokenCount": 2}
    story.upstream_answers(200, json.dumps(told).encode())
    assert story.status == 200, story.text()
    assert story.finished
    answer = json.loads(story.body)
    assert text_of(client, answer) == "hello"
    assert answer["modelVersion" if client is GEMINI else "model"] == up.model
    assert story.headers[b"content-type"].startswith(b"application/json")
    assert story.headers[b"x-agcore-provider"] == up.dialect.encode()
    usage: Any = story.row["usage"]
    assert (usage["fresh"], usage["output"]) == (5, 2)


@EVERY_PAIR
def test_a_request_goes_to_the_upstreams_own_endpoint_with_its_key(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    request = story.requests[1]
    path = up.path.replace("MODEL", up.model).encode()
    assert request.target == path
    headers = dict(request.headers)
    key = headers.get({"bearer": b"authorization", "x-api-key": b"x-api-key"}.get(up.auth, b"x-goog-api-key"))
    assert key is not None
    assert key.endswith(PROVIDER_KEY.encode())
    assert sent(story).get("model", up.model) == up.model
    assert not sent(story).get("stream")


def test_an_alias_is_shown_as_the_client_called_it() -> None:
    story = Story(gateway(config()))
    story.open("POST", "/v1/messages", body=ANTHROPIC.request("my-openai", stream=False))
    assert sent(story)["model"] == "up-openai"
    story.upstream_answers(200, CHAT.answer)
    assert json.loads(story.body)["model"] == "my-openai"


# Streams.


@EVERY_STREAM_PAIR
def test_a_client_gets_a_stream_in_its_own_dialect(client: Dialogue, up: Dialogue) -> None:
    story = end(feed(streaming(client, up), up.stream))
    assert story.status == 200, story.text()
    assert story.finished
    assert story.ended
    assert said(client, story.body) == "hello"
    kind = b"application/json" if client is GEMINI_ARRAY else b"text/event-stream"
    assert story.headers[b"content-type"].startswith(kind)
    assert client.terminal == b"" or client is RESPONSES or story.body.endswith(client.terminal)
    usage: Any = story.row["usage"]
    assert (usage["fresh"], usage["output"]) == (5, 2)


GRAMMARS: dict[str, Callable[[bytes], object]] = {
    "openai": partial(grammar_openai_chat.check, include_usage=False),
    "openai_responses": grammar_openai_responses.check,
    "anthropic": grammar_anthropic.message,
    "gemini": grammar_gemini.check_stream,
}


@pytest.mark.parametrize(
    ("client", "up"), [(client, up) for client, up in STREAM_PAIRS if client in (CHAT, RESPONSES, ANTHROPIC, GEMINI)]
)
def test_a_translated_stream_is_well_formed(client: Dialogue, up: Dialogue) -> None:
    GRAMMARS[client.dialect](end(feed(streaming(client, up), up.stream)).body)


@EVERY_STREAM_PAIR
def test_a_stream_cut_anywhere_is_the_same_stream(client: Dialogue, up: Dialogue) -> None:
    whole = end(feed(streaming(client, up), up.stream)).body
    for size in (1, 7, 50):
        pieces = [up.stream[at : at + size] for at in range(0, len(up.stream), size)]
        assert end(feed(streaming(client, up), *pieces)).body == whole


@EVERY_STREAM_PAIR
def test_text_goes_on_as_it_comes(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.announcements)
    assert story.body == b"", "announcements wait for content"
    feed(story, up.content)
    assert b"hello" in story.body
    assert not story.finished


@EVERY_STREAM_PAIR
def test_a_whole_answer_to_a_stream_request_is_told_as_a_stream(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up, stream=True)
    story.upstream_answers(200, up.answer)
    assert story.status == 200
    assert said(client, story.body) == "hello"
    assert story.ended
    kind = b"application/json" if client is GEMINI_ARRAY else b"text/event-stream"
    assert story.headers[b"content-type"].startswith(kind)


@pytest.mark.parametrize("up", [CHAT, TALKING, ANTHROPIC], ids=ids)
def test_a_gemini_array_is_json_at_any_end(up: Dialogue) -> None:
    story = end(feed(streaming(GEMINI_ARRAY, up), up.stream))
    assert isinstance(json.loads(story.body), list)
    silent = end(feed(streaming(GEMINI_ARRAY, up), up.announcements, up.closing, up.terminal))
    assert isinstance(json.loads(silent.body), list)
    broken = feed(streaming(GEMINI_ARRAY, up), up.announcements, up.content, up.error)
    assert json.loads(broken.body)[-1]["error"]["status"] == "UNAVAILABLE"


# Streams that do not end well.


@EVERY_STREAM_PAIR
def test_an_error_before_content_is_a_real_error(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.announcements, up.error)
    assert story.status in (500, 502, 503, 529), story.text()
    error = json.loads(story.body)
    error = error[0] if isinstance(error, list) else error
    assert error["error"]["message"] == "busy"
    assert story.finished


@EVERY_STREAM_PAIR
def test_an_error_after_content_ends_the_stream_in_the_clients_words(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.announcements, up.content, up.error)
    assert story.status == 200
    assert story.finished
    last = events(client, story.body)[-1]
    if client is RESPONSES:
        assert last["type"] == "response.failed"
        assert last["response"]["error"]["message"] == "busy"
    else:
        assert last["error"]["message"] == "busy"
    assert b"[DONE]" not in story.body


@EVERY_STREAM_PAIR
def test_a_stream_that_breaks_off_is_told_from_one_that_ends(client: Dialogue, up: Dialogue) -> None:
    for ending in (UpstreamEnd(1), UpstreamFailed(1, Stage.BODY, Sent.ALL, reused=False, cause="reset")):
        story = feed(streaming(client, up), up.announcements, up.content)
        story.tell(ending)
        last = events(client, story.body)[-1]
        assert "error" in last or last["type"] == "response.failed", story.text()
        assert story.finished


@EVERY_STREAM_PAIR
def test_a_stream_that_ends_before_content_is_a_502(client: Dialogue, up: Dialogue) -> None:
    story = end(feed(streaming(client, up), up.announcements))
    assert story.status == 502
    assert story.finished


@ONE_PAIR_PER_CLIENT
def test_a_connection_that_breaks_after_the_finish_takes_nothing_away(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.announcements, up.content, up.closing)
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, reused=False, cause="reset"))
    assert story.ended
    assert said(client, story.body) == "hello"
    assert story.body == end(feed(streaming(client, up), up.stream)).body


@ONE_PAIR_PER_CLIENT
def test_what_is_no_answer_is_a_502(client: Dialogue, up: Dialogue) -> None:
    for stream, body in itertools.product((False, True), (b"<html>", b"[]", b"")):
        story = asked(client, up, stream=stream)
        story.upstream_answers(200, body)
        assert story.status == 502, story.text()


@ONE_PAIR_PER_CLIENT
def test_a_stream_out_of_bounds_is_a_502(client: Dialogue, up: Dialogue) -> None:
    story = streaming(client, up)
    feed(story, *[b"data: " + b"x" * 1_000_000] * 40)
    assert story.status == 502
    assert b"out of bounds" in story.body


@ONE_PAIR_PER_CLIENT
def test_a_silent_upstream_is_covered_by_keepalives_of_the_clients_dialect(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up, stream=True, timeouts=Timeouts(open_after=10, ping=15, first_byte=600))
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(9)
    assert story.effects == story.effects[:1], "an answer may still be a real error"
    story.wait(91)
    assert story.status == 200, story.text()
    assert story.headers[b"x-agcore-provider"] == up.dialect.encode()
    quiet = story.body
    alive = b"\r\n" if client.dialect == "gemini" else client.keepalive
    assert quiet == alive * quiet.count(alive)
    assert quiet.count(alive) >= 5
    story.tell(UpstreamHead(1, 200, SSE))
    end(feed(story, up.stream))
    assert story.ended
    assert said(client, story.body.removeprefix(quiet)) == "hello"


@ONE_PAIR_PER_CLIENT
def test_announcements_are_not_held_for_ever(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.announcements)
    story.wait(60)
    assert story.status == 200
    end(feed(story, up.content, up.closing, up.terminal))
    assert story.ended
    if client is not GEMINI_ARRAY:
        assert said(client, story.body) == "hello"
    else:
        assert text_of(GEMINI, json.loads(story.body)[0]) == "hello"


@pytest.mark.parametrize("client", [CHAT, RESPONSES, ANTHROPIC], ids=ids)
def test_the_last_event_of_a_stream_may_lack_its_blank_line(client: Dialogue) -> None:
    story = end(feed(streaming(client, GEMINI), GEMINI.stream.rstrip(b"\r\n")))
    assert story.ended
    assert story.body == end(feed(streaming(client, GEMINI), GEMINI.stream)).body


@ONE_PAIR_PER_CLIENT
def test_what_follows_the_end_of_a_stream_is_not_read(client: Dialogue, up: Dialogue) -> None:
    story = feed(streaming(client, up), up.stream + up.content + up.error)
    whole = end(feed(streaming(client, up), up.stream)).body
    assert end(story).body == whole


# Errors of the upstream.


@EVERY_PAIR
def test_an_upstreams_error_reaches_the_client_in_its_own_shape(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    story.upstream_answers(429, up.error_answer, headers=(*JSON, (b"retry-after", b"34")))
    assert story.status == 429
    assert story.headers[b"retry-after"] == b"34"
    body = json.loads(story.body)
    assert body["error"]["message"] == "slow down"
    if client is ANTHROPIC:
        assert body["type"] == "error"
        assert body["error"]["type"] == "rate_limit_error"
        assert body["request_id"].encode() == story.headers[b"request-id"]
    elif client is GEMINI:
        assert body["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"} in body["error"]["details"]
    else:
        assert body["error"].keys() >= {"message", "type", "param", "code"}
    assert story.headers[b"request-id" if client is ANTHROPIC else b"x-request-id"]


@EVERY_PAIR
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_an_error_is_one_whatever_its_status_says(
    client: Dialogue, up: Dialogue, stream: bool
) -> None:
    story = asked(client, up, stream=stream)
    story.upstream_answers(200, b'{"error": {"message": "no such luck", "type": "server_error", "code": 500}}')
    assert story.status >= 500, story.text()
    assert json.loads(story.body)["error"]["message"] == "no such luck"


@EVERY_PAIR
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_answers_nothing_is_a_502(client: Dialogue, up: Dialogue, stream: bool) -> None:
    story = asked(client, up, stream=stream)
    story.upstream_answers(200, b'{"hello": "world"}')
    assert story.status == 502, story.text()
    assert json.loads(story.body)["error"]["message"]


# Losses.


@pytest.mark.parametrize(
    ("client", "up", "more"),
    [
        (CHAT, ANTHROPIC, {"seed": 7, "logit_bias": {"1": 1}}),
        (COMPLETIONS, ANTHROPIC, {"seed": 7}),
        (RESPONSES, CHAT, {"truncation": "auto"}),
        (ANTHROPIC, CHAT, {"top_k": 3}),
        (GEMINI, CHAT, {"generationConfig": {"topK": 3}}),
        (GEMINI_ARRAY, CHAT, {"generationConfig": {"topK": 3}}),
    ],
)
def test_losses_are_told_in_a_header_and_in_the_access_row(
    client: Dialogue, up: Dialogue, more: dict[str, Any]
) -> None:
    for stream in (False, True):
        story = asked(client, up, stream=stream, **more)
        if stream:
            story.tell(UpstreamConnected(1, reused=False))
            story.tell(UpstreamHead(1, 200, SSE))
            end(feed(story, up.stream))
        else:
            story.upstream_answers(200, up.answer)
        assert story.status == 200, story.text()
        assert b"=dropped" in story.headers[b"x-agcore-losses"]
        losses: Any = story.row["losses"]
        assert {loss["path"] for loss in losses} == {
            item.partition("=")[0] for item in story.headers[b"x-agcore-losses"].decode().split("; ")
        }
        assert all(loss["why"] and loss["weight"] in ("note", "warn") for loss in losses)
        assert [row.kind for row in rows(story.effects)].count("access") == 1


def test_without_losses_there_is_no_header() -> None:
    story = asked(ANTHROPIC, CHAT)
    story.upstream_answers(200, CHAT.answer)
    assert b"x-agcore-losses" not in story.headers
    assert "losses" not in story.row


def test_losses_can_be_refused_by_configuration() -> None:
    story = asked(ANTHROPIC, CHAT, top_k=3, proxy=Proxy(on_loss="reject"))
    assert story.status == 400
    assert not story.requests
    error = json.loads(story.body)["error"]
    assert error["type"] == "invalid_request_error"
    assert "top_k" in error["message"]


def test_what_nobody_misses_is_no_reason_to_refuse() -> None:
    content = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    story = asked(ANTHROPIC, CHAT, messages=[{"role": "user", "content": content}], proxy=Proxy(on_loss="reject"))
    story.upstream_answers(200, CHAT.answer)
    assert story.status == 200
    assert b"cache_control" in story.headers[b"x-agcore-losses"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_makes_the_request_meaningless_is_refused_always(stream: bool) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    story = asked(CHAT, ANTHROPIC, stream=stream, messages=[{"role": "user", "content": [sound]}])
    assert story.status == 400
    assert not story.requests
    error = json.loads(story.body)["error"]
    assert error["code"] == "not_translatable"
    assert "audio" in error["message"]
    assert "up-anthropic" in error["message"]


# Bad requests.


@pytest.mark.parametrize(
    ("client", "up", "more", "param"),
    [
        (CHAT, ANTHROPIC, {"messages": None}, "messages"),
        (CHAT, ANTHROPIC, {"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        (RESPONSES, ANTHROPIC, {"input": 7}, "input"),
        (COMPLETIONS, ANTHROPIC, {"prompt": [1, 2]}, "prompt"),
    ],
)
def test_a_request_that_its_own_dialect_refuses_is_a_400_without_a_call(
    client: Dialogue, up: Dialogue, more: dict[str, Any], param: str
) -> None:
    story = asked(client, up, **more)
    assert story.status == 400
    assert not story.requests
    assert json.loads(story.body)["error"]["param"] == param


def test_a_missing_limit_is_a_400_in_anthropics_shape() -> None:
    story = asked(ANTHROPIC, CHAT, max_tokens=None)
    assert story.status == 400
    body = json.loads(story.body)
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert "max_tokens" in body["error"]["message"]


def test_a_result_that_answers_no_call_is_googles_400() -> None:
    contents = [{"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {}}}]}]
    story = asked(GEMINI, CHAT, contents=contents)
    assert story.status == 400
    assert json.loads(story.body)["error"]["status"] == "INVALID_ARGUMENT"


def test_a_thread_is_refused_with_the_details_that_make_its_client_go_on_without() -> None:
    story = asked(ANTHROPIC, CHAT, thread={"id": "t"})
    assert story.status == 400
    error = json.loads(story.body)["error"]
    assert error["type"] == "invalid_request_error"
    assert error["details"]


@pytest.mark.parametrize("client", [CHAT, ANTHROPIC], ids=ids)
def test_a_request_nested_too_deeply_to_be_looked_into_is_a_400(client: Dialogue) -> None:
    up = ANTHROPIC if client is CHAT else CHAT
    schema = '{"type":"object","properties":{"a":' * 5000 + "{}" + "}}" * 5000
    tool = (
        '{"name": "t", "input_schema": %s}'
        if client is ANTHROPIC
        else ('{"type": "function", "function": {"name": "t", "parameters": %s}}')
    )
    body = client.request(up.model, stream=False)[:-1] + b', "tools": [' + (tool % schema).encode() + b"]}"
    story = Story(gateway(config()))
    story.open("POST", client.path, body=body)
    assert story.status == 400, story.text()[:2000]
    assert "nested" in json.loads(story.body)["error"]["message"]
    assert not story.requests


@ONE_PAIR_PER_CLIENT
def test_a_model_that_nobody_serves_is_not_found(client: Dialogue, up: Dialogue) -> None:
    story = Story(gateway(config()))
    story.open("POST", client.target("unknown", stream=False), body=client.request("unknown", stream=False))
    assert story.status == 404


# Which endpoint.


def both() -> Provider:
    """A provider that speaks Chat and Messages."""
    origin = Origin("https", "both.example", 443)
    endpoints = {
        dialogue.dialect: Endpoint(dialect=dialogue.dialect, origin=origin, prefix=dialogue.prefix, auth=dialogue.auth)
        for dialogue in (CHAT, ANTHROPIC)
    }
    return Provider(name="both", endpoints=endpoints, keys=(Secret(PROVIDER_KEY),), models=("up-both",))


@pytest.mark.parametrize(
    ("client", "target"),
    [(CHAT, b"/v1/chat/completions"), (ANTHROPIC, b"/v1/messages"), (GEMINI, b"/v1/chat/completions")],
)
def test_a_provider_of_several_dialects_is_asked_in_the_clients_own_if_it_speaks_that(
    client: Dialogue, target: bytes
) -> None:
    story = Story(gateway(config(providers=(both(),))))
    story.open("POST", client.target("up-both", stream=False), body=client.request("up-both", stream=False))
    assert story.requests[1].target == target


def test_a_provider_that_speaks_nothing_translatable_is_a_400_that_says_so() -> None:
    story = Story(gateway(config(providers=(provider(COMPLETIONS),))))
    story.open("POST", "/v1/messages", body=ANTHROPIC.request(COMPLETIONS.model, stream=False))
    assert story.status == 400
    message = json.loads(story.body)["error"]["message"]
    assert "openai_completions only" in message


# Headers.


@pytest.mark.parametrize("stream", [False, True])
def test_a_translated_request_takes_only_the_clients_name_along(stream: bool) -> None:
    headers: Headers = (
        (b"user-agent", b"claude-cli/9"),
        (b"anthropic-beta", b"x"),
        (b"anthropic-version", b"2026-10-21"),
        (b"x-stainless-lang", b"js"),
        (b"cookie", b"c"),
        (b"x-api-key", b"client"),
    )
    story = asked(ANTHROPIC, CHAT, stream=stream, headers=headers)
    names = dict(story.requests[1].headers)
    assert names.pop(b"user-agent") == b"claude-cli/9"
    assert names.pop(b"authorization") == b"Bearer " + PROVIDER_KEY.encode()
    assert names.pop(b"content-type") == b"application/json"
    assert names.pop(b"accept") == (b"text/event-stream" if stream else b"application/json")
    assert names.pop(b"accept-encoding") == b"identity"
    assert names.keys() <= {b"host", b"content-length", b"x-agcore-hop"}


def test_anthropic_upstreams_get_a_version_and_a_name_even_from_nameless_clients() -> None:
    headers = dict(asked(CHAT, ANTHROPIC).requests[1].headers)
    assert headers[b"anthropic-version"] == b"2023-06-01"
    assert headers[b"user-agent"] == b"agcore"


@EVERY_PAIR
def test_another_vendors_limits_and_ids_do_not_come_down(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    private = ((b"x-ratelimit-remaining", b"1"), (b"anthropic-ratelimit-x", b"1"), (b"request-id", b"theirs"))
    story.upstream_answers(200, up.answer, headers=(*JSON, *private, (b"set-cookie", b"c")))
    assert story.status == 200
    assert not {b"x-ratelimit-remaining", b"anthropic-ratelimit-x", b"set-cookie"} & story.headers.keys()
    assert b"theirs" not in story.headers.values()


# Tools.

CUSTOM: dict[str, list[dict[str, Any]]] = {
    "openai": [{"type": "custom", "custom": {"name": "patch"}}],
    "openai_responses": [{"type": "custom", "name": "patch"}],
}


def calling(up: Dialogue, name: str, arguments: dict[str, Any], *, id: str = "call_1") -> bytes:
    """A whole answer that calls a tool."""
    answer = json.loads(up.answer)
    if up is ANTHROPIC:
        answer["content"] = [{"type": "tool_use", "id": id, "name": name, "input": arguments}]
        answer["stop_reason"] = "tool_use"
    elif up is GEMINI:
        answer["candidates"][0]["content"]["parts"] = [{"functionCall": {"name": name, "args": arguments}}]
    else:
        call = {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        answer["choices"][0] = {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": [call]},
            "finish_reason": "tool_calls",
        }
    return json.dumps(answer).encode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("up", [ANTHROPIC, GEMINI], ids=ids)
def test_a_free_form_tool_comes_home_free_form(up: Dialogue, stream: bool) -> None:
    for client in (CHAT, RESPONSES):
        story = asked(client, up, stream=stream, tools=CUSTOM[client.dialect])
        assert "input" in json.dumps(sent(story)["tools"])
        story.upstream_answers(200, calling(up, "patch", {"input": '*** "Begin"\n'}))
        assert story.status == 200, story.text()
        if client is CHAT and not stream:
            (call,) = json.loads(story.body)["choices"][0]["message"]["tool_calls"]
            assert (call["type"], call["custom"]) == ("custom", {"name": "patch", "input": '*** "Begin"\n'})
        elif client is RESPONSES and not stream:
            (item,) = json.loads(story.body)["output"]
            assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "patch", '*** "Begin"\n')
        elif client is CHAT:
            deltas = [each["choices"][0]["delta"] for each in events(client, story.body) if each["choices"]]
            calls = [call["custom"] for delta in deltas for call in delta.get("tool_calls", [])]
            assert "".join(call.get("input", "") for call in calls) == '*** "Begin"\n'
        else:
            inputs = [each["input"] for each in events(client, story.body) if each["type"].endswith("input.done")]
            assert inputs == ['*** "Begin"\n']


@pytest.mark.parametrize("arguments", [{"text": "x"}, {"input": 7}, {}])
def test_a_free_form_call_that_is_not_wrapped_as_asked_comes_home_as_it_is(arguments: dict[str, Any]) -> None:
    story = asked(RESPONSES, ANTHROPIC, tools=CUSTOM["openai_responses"])
    story.upstream_answers(200, calling(ANTHROPIC, "patch", arguments))
    (item,) = json.loads(story.body)["output"]
    assert item["type"] == "custom_tool_call"
    assert json.loads(item["input"]) == arguments


def test_a_free_form_call_that_is_no_json_comes_home_as_text() -> None:
    story = asked(RESPONSES, CHAT, tools=CUSTOM["openai_responses"])
    answer = json.loads(calling(CHAT, "patch", {}))
    answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = "*** Begin"
    story.upstream_answers(200, json.dumps(answer).encode())
    (item,) = json.loads(story.body)["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin")


@pytest.mark.parametrize("up", [CHAT, ANTHROPIC], ids=ids)
def test_tools_go_up_under_legal_names_and_come_home_under_their_own(up: Dialogue) -> None:
    name = "files.read:all"
    tools = [{"functionDeclarations": [{"name": name, "description": "d"}]}]
    story = asked(GEMINI, up, tools=tools)
    assert name not in json.dumps(sent(story))
    story.upstream_answers(200, calling(up, "files_read_all", {"a": 1}))
    (part,) = json.loads(story.body)["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["name"] == name
    assert part["functionCall"]["args"] == {"a": 1}


def test_calls_without_an_id_get_one_that_is_unique_in_the_answer() -> None:
    answer = json.loads(calling(GEMINI, "get", {}))
    answer["candidates"][0]["content"]["parts"] *= 3
    minted = set()
    for _ in range(2):
        story = asked(CHAT, GEMINI)
        story.upstream_answers(200, json.dumps(answer).encode())
        calls = json.loads(story.body)["choices"][0]["message"]["tool_calls"]
        minted |= {call["id"] for call in calls}
    assert len(minted) >= 3
    assert all(len(id) <= 40 for id in minted)


def test_an_id_that_clients_could_not_send_back_is_replaced() -> None:
    story = asked(ANTHROPIC, CHAT)
    story.upstream_answers(200, calling(CHAT, "get", {}, id="call:" + "x" * 90))
    (block,) = json.loads(story.body)["content"]
    assert block["id"].startswith("call_")
    assert len(block["id"]) <= 40


# Signatures that the upstream refuses.

_REFUSED = (
    b'{"type":"error","error":{"type":"invalid_request_error","message":"Invalid `signature` in `thinking` block"}}'
)


def signed_history() -> list[dict[str, Any]]:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": carrier(Signature("anthropic", "thinking", "RXFRQg=="))}
    ]
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello", "reasoning_details": details},
        {"role": "user", "content": "and?"},
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_signature_that_its_signer_refuses_is_left_out_once(stream: bool) -> None:
    story = asked(CHAT, ANTHROPIC, stream=stream, messages=signed_history())
    assert "RXFRQg==" in json.dumps(sent(story))
    story.upstream_answers(400, _REFUSED)
    assert list(story.requests) == [1, 2], story.text()
    again = story.requests[2].body
    assert isinstance(again, bytes)
    assert b"RXFRQg==" not in again
    assert b'"thinking"' not in again
    story.upstream_answers(200, ANTHROPIC.stream if stream else ANTHROPIC.answer, headers=SSE if stream else JSON)
    assert story.status == 200
    assert b"hello" in story.body
    assert b"signatures=dropped" in story.headers[b"x-agcore-losses"]


def test_a_second_refusal_is_the_clients() -> None:
    story = asked(CHAT, ANTHROPIC, messages=signed_history())
    story.upstream_answers(400, _REFUSED)
    story.upstream_answers(400, _REFUSED)
    assert story.status == 400
    assert list(story.requests) == [1, 2]


def test_a_refusal_is_the_clients_where_nothing_was_signed_or_losses_are_not_accepted() -> None:
    plain = asked(CHAT, ANTHROPIC)
    plain.upstream_answers(400, _REFUSED)
    strict = asked(CHAT, ANTHROPIC, messages=signed_history(), proxy=Proxy(on_loss="reject"), x_unknown=None)
    strict.upstream_answers(400, _REFUSED)
    for story in (plain, strict):
        assert story.status == 400
        assert list(story.requests) == [1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_responses_request_on_chats_path_reaches_chat_as_one_of_its_own(stream: bool) -> None:
    story = Story(gateway(config()))
    body = {"model": CHAT.model, "input": "hi", "stream": stream}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    sent = story.requests[1].body
    assert isinstance(sent, bytes)
    assert "input" not in json.loads(sent)
    assert json.loads(sent)["messages"][-1]["role"] == "user"
    if stream:
        story.upstream_answers(200, CHAT.stream, headers=((b"content-type", b"text/event-stream"),))
    else:
        story.upstream_answers(200, CHAT.answer)
    assert (story.status, b"hello" in story.body) == (200, True)
