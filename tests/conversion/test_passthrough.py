"""What passes between a client and an upstream of the same dialect: everything, but for a short list of edits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agcore import SendData, SendHead, State, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.codecs.sse import Decoder
from agcore.config.values import Endpoint, Limits, ModelRule, Provider, Secret
from agcore.dialects.openai_responses.stream_tap import MAX_KEPT
from agcore.protocol.http import Headers, Origin
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
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import CLIENT_KEY, PROVIDER_KEY, asked, config, ids, provider, streaming, with_client_key

OPENAI_STREAMS = (CHAT, COMPLETIONS)


def streamed(dialogue: Dialogue, *pieces: bytes, model: str = "") -> Story:
    """A stream of these pieces, ended."""
    story = streaming(dialogue, model=model)
    for piece in pieces:
        if story.exchange.wants(1):
            story.tell(UpstreamData(1, piece))
    if story.exchange.wants(1):
        story.tell(UpstreamEnd(1))
    return story


def posted(dialogue: Dialogue, body: bytes, *, headers: Headers = (), target: str = "") -> Story:
    story = Story(gateway(config()))
    story.open("POST", target or dialogue.target(dialogue.model, stream=False), headers=headers, body=body)
    return story


# Requests on their way up.


@pytest.mark.parametrize("dialogue", [each for each in DIALOGUES if each is not GEMINI], ids=ids)
def test_a_request_body_goes_up_byte_for_byte(dialogue: Dialogue) -> None:
    body = b'{ "x-new" : [1.50, 1e2, "\\u00e9"],\n\t"model":"' + dialogue.model.encode() + b'" , "a":{"b" :null}}\n'
    assert posted(dialogue, body).requests[1].body == body


def test_a_gemini_body_goes_up_byte_for_byte() -> None:
    body = b'{ "contents" : [], "x_new":1.50 , "model":"whatever"}'
    assert posted(GEMINI, body).requests[1].body == body


@pytest.mark.parametrize("dialogue", [each for each in DIALOGUES if each is not GEMINI], ids=ids)
def test_an_alias_is_replaced_in_the_request_and_nothing_else_is(dialogue: Dialogue) -> None:
    text = '{ "a" : 1.0, "model" :"NAME", "messages":[{"model":"NAME"}] }'
    story = posted(dialogue, text.replace("NAME", dialogue.alias).encode())
    assert story.requests[1].body == text.replace("NAME", dialogue.model, 1).replace("NAME", dialogue.alias).encode()
    assert (
        story.requests[1].target
        == dialogue.prefix + dialogue.path.removeprefix("/v1" if dialogue.prefix else "").encode()
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_gemini_alias_is_replaced_in_the_path(stream: bool) -> None:
    story = asked(GEMINI_ARRAY, stream=stream, model=GEMINI.alias)
    action = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert story.requests[1].target == f"/v1beta/models/up-gemini:{action}".encode()
    assert story.requests[1].body == GEMINI.request("", stream=stream)


@pytest.mark.parametrize("target", ["/v1beta/models/NAME:countTokens", "/v1/models/NAME/countTokens"])
def test_a_gemini_alias_is_replaced_inside_a_token_count(target: str) -> None:
    text = '{"model":"models/NAME","generateContentRequest":{"model" : "models/NAME","contents":[]}}'
    story = posted(GEMINI, text.replace("NAME", "my-gemini").encode(), target=target.replace("NAME", "my-gemini"))
    assert story.requests[1].body == text.replace("NAME", "up-gemini").encode()
    assert story.requests[1].target.endswith(b"/models/up-gemini:countTokens")
    story.upstream_answers(200, b'{"totalTokens": 31}')
    assert (story.status, story.body) == (200, b'{"totalTokens": 31}')


def test_a_token_count_without_an_inner_model_is_left_alone() -> None:
    body = b'{"generateContentRequest": {"contents": []}}'
    assert posted(GEMINI, body, target="/v1beta/models/my-gemini:countTokens").requests[1].body == body


@pytest.mark.parametrize(
    ("dialogue", "target", "up"),
    [
        (ANTHROPIC, "/v1/messages/count_tokens?beta=true", b"/v1/messages/count_tokens"),
        (RESPONSES, "/v1/responses/input_tokens", b"/v1/responses/input_tokens"),
    ],
    ids=["anthropic", "openai_responses"],
)
def test_tokens_are_counted_by_the_provider(dialogue: Dialogue, target: str, up: bytes) -> None:
    story = posted(dialogue, dialogue.request(dialogue.alias, stream=False), target=target)
    assert story.requests[1].target == up
    assert json.loads(story.requests[1].body)["model"] == dialogue.model
    story.upstream_answers(200, b'{ "input_tokens":14 }')
    assert story.body == b'{ "input_tokens":14 }'


def test_a_gemini_model_is_quoted_in_the_path() -> None:
    origin = Origin("http", "::1", 8080)
    endpoint = Endpoint(dialect="gemini", origin=origin, prefix=b"/proxy", auth="none")
    only = Provider(name="g", endpoints={"gemini": endpoint})
    story = Story(gateway(config(providers=(only,))))
    story.open("POST", "/v1alpha/tunedModels/a%20b/c%3Fd:generateContent", body=b"{}")
    request = story.requests[1]
    assert request.target == b"/proxy/v1alpha/tunedModels/a%20b/c%3Fd:generateContent"
    assert dict(request.headers)[b"host"] == b"[::1]:8080"


def test_only_listed_headers_go_up_and_no_credential_of_the_client() -> None:
    headers: Headers = (
        *JSON,
        (b"authorization", b"Bearer " + CLIENT_KEY.encode()),
        (b"cookie", b"a=b"),
        (b"origin", b"http://localhost:8045"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-stainless-lang", b"python"),
        (b"anthropic-beta", b"one"),
        (b"anthropic-beta", b"two"),
        (b"anthropic-version", b"2026-10-21"),
        (b"user-agent", b"claude-cli/2"),
        (b"x-claude-code-session-id", b"s"),
        (b"accept-encoding", b"zstd"),
    )
    story = Story(gateway(config(proxy=with_client_key())))
    body = ANTHROPIC.request(ANTHROPIC.model, stream=True)
    story.open("POST", "/v1/messages?beta=true", headers=headers, body=body)
    hop = (b"x-agcore-hop", dict(story.requests[1].headers)[b"x-agcore-hop"])
    assert story.requests[1].headers == (
        (b"host", b"anthropic.example"),
        (b"x-api-key", PROVIDER_KEY.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream"),
        (b"accept-encoding", b"identity"),
        (b"anthropic-beta", b"one"),
        (b"anthropic-beta", b"two"),
        (b"anthropic-version", b"2026-10-21"),
        (b"user-agent", b"claude-cli/2"),
        (b"x-claude-code-session-id", b"s"),
        hop,
        (b"content-length", b"%d" % len(body)),
    )


def test_what_a_vendor_insists_on_is_added() -> None:
    fields = dict(asked(ANTHROPIC, stream=False).requests[1].headers)
    assert (fields[b"anthropic-version"], fields[b"user-agent"]) == (b"2023-06-01", b"agcore")


def test_configured_headers_go_up_and_no_credential_where_none_is_needed() -> None:
    endpoint = Endpoint(dialect="openai_chat", origin=Origin("http", "local.example", 80), prefix=b"/v1", auth="none")
    only = Provider(
        name="local", endpoints={"openai_chat": endpoint}, keys=(Secret("unused-key"),), headers=((b"x-team", b"blue"),)
    )
    story = asked(CHAT, stream=False, setup=config(providers=(only,)))
    fields = dict(story.requests[1].headers)
    assert (fields[b"host"], fields[b"x-team"]) == (b"local.example", b"blue")
    assert not any(b"unused-key" in value for value in fields.values())


@pytest.mark.parametrize("dialogue", OPENAI_STREAMS, ids=ids)
def test_a_stream_is_asked_for_its_usage(dialogue: Dialogue) -> None:
    body = dialogue.request(dialogue.model, stream=True)
    assert asked(dialogue, stream=True).requests[1].body == body[:-1] + b',"stream_options":{"include_usage":true}}'


@pytest.mark.parametrize("options", [{"include_usage": False, "x": 1}, {"x": 1}, None])
def test_further_stream_options_survive(options: dict[str, Any] | None) -> None:
    body = {"model": CHAT.model, "stream": True, "stream_options": options, "messages": []}
    sent = json.loads(posted(CHAT, json.dumps(body).encode()).requests[1].body)
    assert sent["stream_options"] == {**(options or {}), "include_usage": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b"[]", "must be a JSON object, not an array"),
        (b'{"model":', "not valid JSON"),
        (b'{"model":"a","model":"b"}', "`model` stands twice"),
        (b'{"messages":[]}', "`model` is required"),
        (b'{"model":""}', "`model` is required"),
        (b'{"model":1e999}', "`model` cannot be read"),
        (b'{"model":"up-openai","stream":"yes"}', "`stream` must be true or false"),
        (b'{"model":"up-openai","stream":true,"stream_options":1e999}', "`stream_options` cannot be read"),
        (b"\xff", "not UTF-8"),
        (b'{"model":"up-openai","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_understood_is_a_400_without_a_call(body: bytes, words: str) -> None:
    story = posted(CHAT, body)
    assert (story.status, story.requests) == (400, {})
    assert words in json.loads(story.body)["error"]["message"]


def test_an_unknown_model_is_a_404_with_near_names() -> None:
    story = posted(CHAT, b'{"model":"up-opneai"}')
    error = json.loads(story.body)["error"]
    assert (story.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "up-openai" in error["message"]


def test_a_model_that_the_key_may_not_use_is_a_403() -> None:
    story = Story(gateway(config(proxy=with_client_key(models=("my-*",)))))
    headers = (*JSON, (b"x-api-key", CLIENT_KEY.encode()))
    story.open("POST", "/v1/messages", headers=headers, body=ANTHROPIC.request(ANTHROPIC.model, stream=False))
    error = json.loads(story.body)["error"]
    assert (story.status, error["type"]) == (403, "permission_error")
    assert "'alice' may not use model 'up-anthropic'" in error["message"]


def test_a_provider_that_nothing_translates_to_is_named_in_the_refusal() -> None:
    story = posted(CHAT, b'{"model":"up-openai_completions","messages":[]}')
    error = json.loads(story.body)["error"]
    assert (story.status, error["code"]) == (400, "translation_not_available")
    assert "'openai_completions', which speaks openai_completions only" in error["message"]


def test_of_several_targets_the_first_is_asked_whatever_it_speaks() -> None:
    setup = config()
    for first, second in (("anthropic", "openai"), ("openai", "anthropic")):
        rule = ModelRule("best", (((first, "a"),), ((second, "b"),)))
        story = Story(gateway(type(setup)(providers=setup.providers, models=(rule,))))
        story.open("POST", "/v1/chat/completions", body=CHAT.request("best", stream=False))
        assert story.requests[1].origin.host == f"{first}.example"
        assert json.loads(story.requests[1].body)["model"] == "a"


# Whole answers on their way down.


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_whole_answer_comes_down_byte_for_byte(dialogue: Dialogue) -> None:
    story = asked(dialogue, stream=False)
    story.upstream_answers(201, (dialogue.answer[:9], dialogue.answer[9:]))
    assert (story.status, story.body) == (201, dialogue.answer)
    assert story.headers[b"content-length"] == b"%d" % len(dialogue.answer)
    assert story.row["outcome"] == "ok"


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_whole_answer_shows_the_alias_and_nothing_else_changes(dialogue: Dialogue) -> None:
    story = asked(dialogue, stream=False, model=dialogue.alias)
    story.upstream_answers(200, dialogue.answer)
    assert story.body == dialogue.answer.replace(dialogue.model.encode(), dialogue.alias.encode())


def test_a_whole_answer_without_a_model_gets_none() -> None:
    story = asked(CHAT, stream=False, model=CHAT.alias)
    story.upstream_answers(200, b'{"choices":[{"message":{"content":"hi"}}]}')
    assert story.body == b'{"choices":[{"message":{"content":"hi"}}]}'


def test_a_whole_answer_that_only_the_lenient_reader_reads_shows_the_alias_too() -> None:
    story = asked(CHAT, stream=False, model=CHAT.alias)
    story.upstream_answers(200, b'{"model": "up-openai", "choices": [{"message": {"content": "hi"}}], "x": NaN}')
    assert story.body == b'{"choices":[{"message":{"content":"hi"}}],"x":null,"model":"my-openai"}'


def test_calls_of_a_whole_answer_are_mended_under_the_clients_name_of_the_model() -> None:
    said = {"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {"p": 1}}}]}
    answer = {"model": "up-openai", "choices": [{"index": 0, "message": said, "finish_reason": "tool_calls"}]}
    story = asked(CHAT, stream=False, model=CHAT.alias)
    story.upstream_answers(200, json.dumps(answer).encode())
    shown = json.loads(story.body)
    (call,) = shown["choices"][0]["message"]["tool_calls"]
    assert re.fullmatch("call_[0-9a-f]{24}", call.pop("id"))
    assert call == {"type": "function", "function": {"name": "f", "arguments": '{"p":1}'}}
    assert shown["model"] == CHAT.alias


def test_an_answer_that_is_too_deep_to_be_written_anew_passes_as_it_is() -> None:
    server, kept = gateway(config()), set[bool]()
    for depth in range(700, 1000):
        deep = b'{"choices":[{"message":{"content":"hi","tool_calls":[{"x":' + b"[" * depth + b"]" * depth + b"}]}}]}"
        story = Story(server)
        story.open("POST", CHAT.target(CHAT.model, stream=False), body=CHAT.request(CHAT.model, stream=False))
        story.upstream_answers(200, deep)
        if story.status == 200:
            kept.add(story.body == deep)
    assert kept == {True, False}


def test_listed_headers_come_down_with_the_answers_origin() -> None:
    story = asked(CHAT, stream=False)
    headers = (
        *JSON,
        (b"set-cookie", b"a=b"),
        (b"server", b"cloudflare"),
        (b"openai-organization", b"acme"),
        (b"x-request-id", b"req_theirs"),
        (b"x-ratelimit-remaining-requests", b"9"),
        (b"content-length", b"1"),
        (b"transfer-encoding", b"chunked"),
    )
    story.upstream_answers(200, CHAT.answer, headers=headers)
    assert story.head.headers == (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(CHAT.answer)),
        (b"x-request-id", b"req_theirs"),
        (b"x-ratelimit-remaining-requests", b"9"),
        (b"x-agcore-provider", b"openai"),
        (b"x-agcore-model", b"up-openai"),
        (b"x-agcore-attempts", b"1"),
        (b"x-agcore-request-id", dict(story.head.headers)[b"x-agcore-request-id"]),
    )


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("stream", [False, True])
def test_usage_is_read_in_passing(dialogue: Dialogue, stream: bool) -> None:
    story = asked(dialogue, stream=stream)
    if stream:
        story.upstream_answers(200, dialogue.stream, headers=SSE)
    else:
        story.upstream_answers(200, dialogue.answer)
    row = story.row
    if dialogue is GEMINI and not stream:
        assert "usage" not in row
    else:
        usage = {"fresh": 5, "cache_read": 0, "cache_write": 0, "output": 2, "reasoning": 0}
        assert row["usage"] == usage
    assert (row["model"], row.get("stream", False)) == (dialogue.model, stream)


def test_an_answer_beyond_the_limit_is_a_502() -> None:
    story = asked(CHAT, stream=False, setup=config(limits=Limits(max_json_mb=0.001)))
    story.upstream_answers(200, b'{"x":"' + b"x" * 1100 + b'"}')
    assert story.status == 502
    assert b"larger than 1048 bytes" in story.body
    assert story.gateway.buffered == 0


def test_an_answer_without_room_to_hold_it_is_a_503() -> None:
    story = asked(CHAT, stream=False, setup=config(limits=Limits(max_buffered_mb=0.0005)))
    story.upstream_answers(200, b'{"x":"' + b"x" * 500 + b'"}')
    assert (story.status, story.headers[b"retry-after"]) == (503, b"1")
    assert story.gateway.buffered == 0


# Streams on their way down.


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_comes_down_byte_for_byte(dialogue: Dialogue) -> None:
    story = streamed(dialogue, dialogue.stream)
    usage_frame = re.compile(rb'data: \{[^\n]*"choices": \[\][^\n]*\n\n')
    assert story.body == usage_frame.sub(b"", dialogue.stream)
    assert (usage_frame.search(dialogue.stream) is not None) == (dialogue in OPENAI_STREAMS)
    assert story.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert (story.headers[b"cache-control"], story.headers[b"x-accel-buffering"]) == (b"no-cache, no-transform", b"no")
    assert b"content-length" not in story.headers
    assert story.row["outcome"] == "ok"


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_shows_the_alias_and_nothing_else_changes(dialogue: Dialogue) -> None:
    plain, named = streamed(dialogue, dialogue.stream), streamed(dialogue, dialogue.stream, model=dialogue.alias)
    assert named.body == plain.body.replace(dialogue.model.encode(), dialogue.alias.encode())
    assert dialogue.alias.encode() in named.body


def test_a_gemini_stream_without_alt_is_one_json_array() -> None:
    story = streamed(GEMINI_ARRAY, GEMINI_ARRAY.stream)
    assert story.headers[b"content-type"] == b"application/json; charset=utf-8"
    events = [json.loads(frame.data or b"") for frame in Decoder().feed(GEMINI_ARRAY.stream)]
    assert json.loads(story.body) == events


@pytest.mark.parametrize("dialogue", OPENAI_STREAMS, ids=ids)
def test_usage_that_the_client_asked_for_is_not_hidden(dialogue: Dialogue) -> None:
    body = {**json.loads(dialogue.request(dialogue.model, stream=True)), "stream_options": {"include_usage": True}}
    story = posted(dialogue, json.dumps(body).encode())
    assert story.requests[1].body == json.dumps(body).encode()
    story.upstream_answers(200, dialogue.stream, headers=SSE)
    assert story.body == dialogue.stream


def test_usage_that_nobody_asked_for_is_taken_out_of_chunks_that_say_more() -> None:
    chunk = b'data: {"choices": [{"delta":{"content":"a"}}], "usage": null, "x":1.0}\n\n'
    leading = b'data: {"choices": [], "prompt_filter_results": [1], "usage": null}\n\n'
    story = streamed(CHAT, leading, chunk, CHAT.terminal)
    assert story.body == (
        b'data: {"choices": [], "prompt_filter_results": [1]}\n\n'
        b'data: {"choices": [{"delta":{"content":"a"}}], "x":1.0}\n\ndata: [DONE]\n\n'
    )


@pytest.mark.parametrize("dialogue", [CHAT, COMPLETIONS, RESPONSES], ids=ids)
def test_openai_clients_get_no_ids_and_no_frames_without_data_but_comments(dialogue: Dialogue) -> None:
    with_id = dialogue.content.replace(b"data: ", b"id: 7\ndata: ")
    noise = b"id: 3\n\nevent: ping\n\nretry: 100\n\n: hello\n\n\n"
    story = streamed(dialogue, dialogue.content, noise, with_id, dialogue.closing, dialogue.terminal)
    assert story.body.startswith(dialogue.content + b": hello\n\n\n" + dialogue.content)


def test_anthropic_events_get_their_event_line_and_others_keep_theirs() -> None:
    bare = b"".join(b"data: " + (frame.data or b"") + b"\n\n" for frame in Decoder().feed(ANTHROPIC.stream))
    assert streamed(ANTHROPIC, bare).body == ANTHROPIC.stream
    odd = b'event: ping\n\ndata: {"type":7}\n\ndata: {"type":"a\\nb"}\n\ndata: {"type":"\\ud83d"}\n\ndata: [DONE]\n\n: c\n\n'
    story = streamed(ANTHROPIC, ANTHROPIC.announcements + ANTHROPIC.content + odd + ANTHROPIC.closing)
    assert odd in story.body


def test_google_clients_get_data_lines_only() -> None:
    noisy = (
        b': comment\n\nevent: x\ndata: {"candidates":\ndata:[{"content":{"parts":[{"text":"a"}]}}]}\nretry: 5\n\n'
        b'data:{"candidates":[{"finishReason":"STOP"}]}\n\ndata: [DONE]\n\n'
    )
    story = streamed(GEMINI, noisy)
    assert story.body == (
        b'data: {"candidates": [{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n'
        b'data: {"candidates":[{"finishReason":"STOP"}]}\r\n\r\n'
    )
    assert json.loads(streamed(GEMINI_ARRAY, noisy).body)[1] == {"candidates": [{"finishReason": "STOP"}]}


def test_a_retry_line_does_not_get_into_an_array() -> None:
    frame = b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}\nretry: 5\n\n'
    assert len(json.loads(streamed(GEMINI_ARRAY, frame).body)) == 1
    assert b"retry" not in streamed(GEMINI, frame).body


@pytest.mark.parametrize(
    ("dialogue", "event"),
    [
        (CHAT, {"choices": [5, {"delta": 5}, {"delta": {"content": "a"}}]}),
        (CHAT, {"choices": {"0": 1}, "x": []}),
        (GEMINI, {"candidates": [5, {"content": 5}, {"content": {"parts": [1]}}]}),
        (GEMINI, {"candidates": 5, "promptFeedback": 5}),
    ],
)
def test_oddly_shaped_events_pass_as_they_are(dialogue: Dialogue, event: dict[str, Any]) -> None:
    frame = b"data: " + json.dumps(event).encode() + b"\r\n\r\n"
    assert frame in streamed(dialogue, frame + dialogue.content + dialogue.closing).body


def test_a_blocked_prompt_is_a_whole_gemini_answer() -> None:
    frame = b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\r\n\r\n'
    story = streamed(GEMINI, frame)
    assert (story.body, story.row["outcome"]) == (frame, "ok")


@pytest.mark.parametrize("dialogue", [*OPENAI_STREAMS, ANTHROPIC], ids=ids)
def test_a_missing_last_event_is_supplied_after_a_finish_reason(dialogue: Dialogue) -> None:
    whole = streamed(dialogue, dialogue.stream)
    short = streamed(dialogue, dialogue.announcements + dialogue.content + dialogue.closing)
    assert short.body.replace(b" ", b"") == whole.body.replace(b" ", b"")
    assert short.row["outcome"] == "ok"


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_a_last_frame_that_lacks_its_blank_line_counts(dialogue: Dialogue) -> None:
    story = streamed(dialogue, dialogue.stream.rstrip(b"\r\n"))
    assert story.row["outcome"] == "ok"
    assert story.body.rstrip() == streamed(dialogue, dialogue.stream).body.rstrip()


def test_nothing_follows_the_last_event() -> None:
    story = streamed(CHAT, CHAT.stream + CHAT.content, CHAT.error)
    assert story.body.endswith(b"data: [DONE]\n\n")
    assert story.row["outcome"] == "ok"


@pytest.mark.parametrize(
    ("dialogue", "frame", "shown"),
    [
        (
            CHAT,
            b'data: {"model":"up-openai","choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"\\ud83d"}}],"model":"my-openai"}\n\n',
        ),
        (
            RESPONSES,
            b'event: response.completed\ndata: {"type":"response.completed","response":{"model":"m","x":"\\ud83d"}}\n\n',
            (
                b"event: response.completed\n"
                b'data: {"type":"response.completed","response":{"model":"my-openai_responses","x":"\\ud83d"}}\n\n'
            ),
        ),
        (
            ANTHROPIC,
            b'data: {"type":"message_start","message":{"model":"m","x":"\\ud83d"}}\n\n' + ANTHROPIC.content,
            b'event: message_start\ndata: {"type":"message_start","message":{"model":"my-anthropic","x":"\\ud83d"}}\n\n',
        ),
        (
            GEMINI,
            b'data: {"modelVersion":"m","candidates":[{"finishReason":"\\ud83d"}]}\n\n',
            b'data: {"candidates":[{"finishReason":"\\ud83d"}],"modelVersion":"my-gemini"}\r\n\r\n',
        ),
    ],
    ids=lambda value: ids(value) if isinstance(value, Dialogue) else "",
)
def test_half_a_surrogate_pair_hides_no_alias(dialogue: Dialogue, frame: bytes, shown: bytes) -> None:
    story = streamed(dialogue, frame, model=dialogue.alias)
    assert story.body.startswith(shown)
    # Without an alias there is nothing to edit, and the bytes are the upstream's.
    if dialogue is not ANTHROPIC:
        assert streamed(dialogue, frame).body.startswith(frame)


def test_a_responses_stream_may_end_in_its_own_failure_after_content() -> None:
    failed = b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"x"}}}\n\n'
    story = streamed(RESPONSES, RESPONSES.announcements + RESPONSES.content + failed)
    assert story.body.endswith(failed)
    assert story.row["outcome"] == "ok"


def test_the_last_event_of_a_stream_does_not_show_the_key_that_it_quotes() -> None:
    failed = b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"message":"no KEY"}}}\n\n'
    quoted = failed.replace(b"KEY", PROVIDER_KEY.encode())
    story = streamed(RESPONSES, RESPONSES.announcements + RESPONSES.content + quoted)
    assert story.body.endswith(failed.replace(b"KEY", b"openai_responses#1"))


def test_responses_events_of_no_known_kind_are_no_content() -> None:
    unknown = b'data: {"type":"keepalive"}\n\ndata: {"sequence_number":"x"}\n\ndata: [DONE]\n\n'
    story = streaming(RESPONSES)
    story.tell(UpstreamData(1, unknown))
    assert not story.body
    story.tell(UpstreamData(1, RESPONSES.content))
    assert story.body == unknown + RESPONSES.content


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_lifecycle_events_wait_for_content(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, dialogue.announcements))
    assert not any(isinstance(effect, SendHead | SendData) for effect in story.effects)
    story.tell(UpstreamData(1, dialogue.content))
    assert story.body == dialogue.announcements + dialogue.content
    assert story.exchange.state is State.COMMITTED


def test_the_upstreams_headers_come_down_with_a_stream_that_was_not_open_yet() -> None:
    story = asked(ANTHROPIC, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, ((b"content-type", b"Text/Event-Stream;x=y"), (b"request-id", b"req_theirs"))))
    story.tell(UpstreamData(1, ANTHROPIC.announcements + ANTHROPIC.content))
    assert story.headers[b"request-id"] == b"req_theirs"


@pytest.mark.parametrize("model", [" spaced", "new\nline", "naïve", "tab\t", "a%0d%0ab", "x\r\nset-cookie: a=b"])
def test_no_model_name_breaks_a_header(model: str) -> None:
    story = Story(gateway(config()))
    story.open("POST", "/v1/chat/completions", body=json.dumps({"model": f"openai/{model}"}).encode())
    story.upstream_answers(200, CHAT.answer)
    value = story.headers[b"x-agcore-model"]
    assert re.fullmatch(rb"[!-~]([ -~]*[!-~])?", value)
    assert json.loads(story.body)["model"] == f"openai/{model}"


def test_a_failed_response_of_a_provider_without_a_key_passes_byte_for_byte() -> None:
    answer = (
        b'{"object": "response", "status": "failed", "error": {"code": "server_error", "message": "no"}, '
        b'"output": [{"type": "message"}]}'
    )
    story = asked(RESPONSES, stream=False, setup=config(providers=(provider(RESPONSES, keys=()),)))
    story.upstream_answers(200, answer)
    assert (story.status, story.body) == (200, answer)


def responses_events(*items: Any, output: Any) -> bytes:
    """A stream of Responses that tells of items and ends with an output."""
    done = [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(items)]
    end = {"type": "response.completed", "response": {"id": "resp_1", "model": "up-openai_responses", "output": output}}
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (*done, end))


@pytest.mark.parametrize("model", [RESPONSES.model, RESPONSES.alias])
def test_an_end_of_responses_without_output_gets_the_items_of_its_stream(model: str) -> None:
    story = streaming(RESPONSES, model=model)
    story.tell(UpstreamData(1, RESPONSES.announcements + responses_events({"id": "a"}, {"id": "b"}, output=[])))
    frames = [json.loads(frame.data or b"") for frame in Decoder().feed(story.body)]
    assert frames[-1]["response"] == {"id": "resp_1", "model": model, "output": [{"id": "a"}, {"id": "b"}]}


@pytest.mark.parametrize(
    "events",
    [
        responses_events({"id": "a"}, output=[{"id": "c"}]),
        responses_events({"id": "a"}, output=None),
        responses_events(output=[]),
        responses_events({"id": "a" * MAX_KEPT}, {"id": "b"}, output=[]),
    ],
    ids=["told", "absent", "nothing", "too much"],
)
def test_any_other_end_of_responses_passes_as_it_is(events: bytes) -> None:
    story = streaming(RESPONSES)
    story.tell(UpstreamData(1, RESPONSES.announcements + events))
    assert story.body == RESPONSES.announcements + events
