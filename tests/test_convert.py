"""`agcore.convert`: a request, its answer and its stream between two dialects, without a gateway.

What is carried is tested where it is done, in dialects and conversion; the demo provider answers here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import pytest

import agcore
from agcore import Loss, convert
from agcore.convert import ConversionError
from agcore.dialects import ClientDialect as Source
from agcore.dialects import UpstreamDialect as Target
from docs.conversion_corpus import BASE
from tests.support import grammar_anthropic, grammar_gemini, grammar_openai_chat, grammar_openai_responses

MODELS = {
    "openai_chat": "mistral-small-latest",
    "openai_responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-flash",
}
PAIRS = [
    pytest.param(source, target, id=f"{source}-{target}")
    for source, target in product(get_args(Source), get_args(Target))
    if "openai" not in (source, target) and source != target
]


def request(source: str, **members: Any) -> dict[str, Any]:
    named = {} if source == "gemini" else {"model": "asked-for"}
    return {**named, **BASE["openai_chat" if source == "openai" else source], **members}


BASES = {"openai_chat": "/v1", "openai": "/v1", "openai_responses": "/v1"}
"""The paths of base URLs."""


def demo(converted: agcore.ConvertedRequest) -> bytes:
    """What the demo provider answers."""
    target = BASES.get(converted.target, "") + converted.path
    answer = agcore.demo_answer("POST", target.encode(), (), converted.body)
    assert answer.status == 200
    return b"".join(chunk.data for chunk in answer.chunks)


TEXTS: dict[str, Callable[[Any], str]] = {
    "openai_chat": lambda answer: answer["choices"][0]["message"]["content"],
    "openai_completions": lambda answer: answer["choices"][0]["text"],
    "openai_responses": lambda answer: answer["output"][-1]["content"][0]["text"],
    "anthropic": lambda answer: answer["content"][-1]["text"],
    "gemini": lambda answer: answer["candidates"][0]["content"]["parts"][-1]["text"],
}
CHECKS: dict[str, Callable[[bytes], object]] = {
    "openai_chat": lambda stream: grammar_openai_chat.check(stream, include_usage=False),
    "openai_completions": lambda stream: grammar_openai_chat.check(stream, include_usage=False, kind="text_completion"),
    "openai_responses": grammar_openai_responses.check,
    "anthropic": grammar_anthropic.message,
    "gemini": grammar_gemini.check_stream,
}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_answer_comes_back_in_the_words_of_the_client(source: Source, target: Target) -> None:
    converted = convert(request(source), source=source, target=target, model=MODELS[target], id="x1", created=7)
    assert converted.body == json.dumps(converted.request, separators=(",", ":"), ensure_ascii=False).encode()
    answer = converted.answer(demo(converted))
    assert TEXTS[source](answer).startswith("[agcore demo]")
    assert answer == converted.answer(json.loads(demo(converted)))
    shown = "asked-for" if source != "gemini" else MODELS[target]
    assert answer.get("model", answer.get("modelVersion")) == shown
    assert "x1" in answer.get("id", answer.get("responseId"))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_stream_comes_back_in_the_words_of_the_client_however_it_is_cut(source: Source, target: Target) -> None:
    converted = convert(request(source), source=source, target=target, model=MODELS[target], stream=True)
    told = demo(converted)
    whole, cut = converted.stream(), converted.stream()
    expected = whole.feed(told) + whole.end()
    pieces = [cut.feed(told[at : at + 7]) for at in range(0, len(told), 7)]
    assert b"".join([*pieces, cut.end()]) == expected
    assert (whole.fault, whole.finished) == (cut.fault, cut.finished) == (None, True)
    assert whole.feed(told) == whole.end() == b""
    CHECKS[source](expected)
    assert b"[agcore" in expected


SAME: list[Any] = ["openai_chat", "openai_responses", "anthropic", "gemini"]


@pytest.mark.parametrize("dialect", SAME)
def test_within_one_dialect_all_passes_but_the_name_of_the_model(dialect: Any) -> None:
    spelled = b'{ "unknown":1.0e0, %b' % json.dumps(request(dialect)).encode()[1:]
    converted = convert(spelled, source=dialect, target=dialect, model=MODELS[dialect])
    assert converted.body == spelled.replace(b"asked-for", MODELS[dialect].encode())
    assert converted.losses == ()
    told = demo(converted)
    expected = json.loads(told)
    member = "modelVersion" if dialect == "gemini" else "model"
    expected[member] = "asked-for" if dialect != "gemini" else expected[member]
    assert converted.answer(told) == expected


@pytest.mark.parametrize("dialect", SAME)
def test_within_one_dialect_streams_pass(dialect: Any) -> None:
    converted = convert(request(dialect), source=dialect, target=dialect, model=MODELS[dialect], stream=True)
    assert converted.request.get("stream", dialect == "gemini") is True
    told = demo(converted)
    stream = converted.stream()
    out = stream.feed(told) + stream.end()
    assert (stream.fault, stream.finished) == (None, True)
    frames, passed = ([frame.event for frame in agcore.SSEDecoder().feed(data)] for data in (told, out))
    hidden = 1 if dialect == "openai_chat" else 0  # the usage that only the gateway asks for
    assert len(passed) == len(frames) - hidden
    assert (b'"model":"asked-for"' in out) == (dialect != "gemini")
    broken = converted.stream()
    broken.feed(told[: len(told) // 2])
    assert b"before it was complete" in broken.end()
    assert broken.fault is not None


def test_within_one_dialect_a_stream_can_be_declined() -> None:
    body = b'{"model":"m","stream":true,"messages":[]}'
    converted = convert(body, source="anthropic", target="anthropic", stream=False)
    assert converted.body == b'{"model":"m","stream":false,"messages":[]}'


def test_within_one_dialect_a_body_with_two_meanings_raises() -> None:
    with pytest.raises(ConversionError, match="twice"):
        convert(b'{"model":"m","model":"n","messages":[]}', source="anthropic", target="anthropic")


@pytest.mark.parametrize("source", get_args(Source))
def test_a_stream_that_breaks_off_ends_in_the_clients_own_error(source: Source) -> None:
    target: Target = "openai_responses" if source == "anthropic" else "anthropic"
    plain = "openai_chat" if source == "openai" else source
    converted = convert(request(plain), source=source, target=target, model=MODELS[target], stream=True)
    told = demo(converted)
    stream = converted.stream()
    out = stream.feed(told[: len(told) // 2]) + stream.end()
    assert stream.fault is not None
    assert (stream.fault.status, stream.finished) == (502, True)
    assert b"before it was complete" in out
    assert stream.feed(told) == stream.end() == b""


def test_a_stream_that_fails_at_once_tells_so_before_anything_else() -> None:
    converted = convert(request("openai_chat", stream=True), source="openai_chat", target="anthropic")
    stream = converted.stream()
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    out = stream.feed(error)
    assert (stream.fault and stream.fault.message) == "busy"
    assert re.findall(rb'"message":"(.*?)"', out) == [b"busy"]


@pytest.mark.parametrize(
    ("members", "stream", "asked"),
    [({}, None, False), ({"stream": True}, None, True), ({}, True, True), ({"stream": True}, False, False)],
)
def test_a_stream_is_asked_for_where_the_request_does_unless_told_otherwise(
    members: dict[str, Any], stream: bool | None, asked: bool
) -> None:
    converted = convert(request("openai_chat", **members), source="openai_chat", target="anthropic", stream=stream)
    assert converted.request.get("stream", False) is asked


def test_equal_arguments_give_equal_bytes_and_other_requests_other_ids() -> None:
    def ids(text: str) -> tuple[bytes, str]:
        messages = [{"role": "user", "content": text}]
        converted = convert(request("openai_chat", messages=messages), source="openai_chat", target="anthropic")
        return converted.body, converted.answer(demo(converted))["id"]

    assert ids("a") == ids("a")
    assert ids("a")[1] != ids("b")[1]


def test_openai_is_another_word_for_openai_chat() -> None:
    body = request("openai_chat")
    assert (
        convert(body, source="openai", target="anthropic").body
        == convert(body, source="openai_chat", target="anthropic").body
    )
    asked = request("anthropic")
    assert (
        convert(asked, source="anthropic", target="openai").body
        == convert(asked, source="anthropic", target="openai_chat").body
    )
    converted = convert(asked, source="anthropic", target="openai")
    assert TEXTS["anthropic"](converted.answer(demo(converted))).startswith("[agcore demo]")


def test_losses_are_listed_and_refused_where_that_is_asked_for() -> None:
    body = request("openai_chat", logit_bias={"50256": -100})
    lost = (Loss("logit_bias", "the upstream's API does not have it"),)
    assert convert(body, source="openai_chat", target="anthropic").losses == lost
    with pytest.raises(ConversionError, match="logit_bias: the upstream's API does not have it") as caught:
        convert(body, source="openai_chat", target="anthropic", strict=True)
    assert (caught.value.fault.status, caught.value.fault.code) == (400, "not_translatable")


def test_what_a_model_takes_can_be_said() -> None:
    body = request("openai_chat", temperature=0.5)
    plain = convert(body, source="openai_chat", target="anthropic", model="mine")
    said = convert(
        body, source="openai_chat", target="anthropic", model="mine", capabilities={"m*": {"sampling": False}}
    )
    assert (plain.request["temperature"], plain.losses) == (0.5, ())
    assert ("temperature" in said.request, [loss.path for loss in said.losses]) == (False, ["temperature"])


def test_signatures_go_to_their_signer_only() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    target: Target = "gemini"
    turns = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "Ho."}]},
        {"role": "user", "content": "So?"},
    ]
    body = request("anthropic", messages=turns)
    converted = convert(body, source="anthropic", target=target, model=MODELS[target])
    assert b"c2ln" not in converted.body
    assert convert(body, source="anthropic", target=target, model=MODELS[target], signer="me").body == converted.body


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[]", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b'{"messages":[]}', "names no model"),
        (b'{"model":"m","messages":7}', "messages"),
        (b'{"model":"m","messages":[{"role":"user","content":"Hi."}],"n":2}', "this one would take 2 requests"),
        (b'{"model":"m","messages":[{"role":"user","content":"Hi."}],"x":%b}' % (b"[" * 900 + b"]" * 900), None),
    ],
)
def test_a_request_that_cannot_be_converted_raises_with_the_clients_own_error(body: bytes, problem: str | None) -> None:
    if problem is None:
        assert convert(body, source="openai_chat", target="anthropic").losses
        return
    with pytest.raises(ConversionError, match=problem) as caught:
        convert(body, source="openai_chat", target="anthropic")
    assert caught.value.fault.status == 400
    assert caught.value.answer["error"]["message"] == str(caught.value)


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, 529, (529, "busy")),
        ({"type": "error", "error": {"type": "api_error", "message": "oh"}}, 200, (502, "oh")),
        (b"<html>", 200, (502, "the upstream answered 200 without a JSON object (no content type)")),
        (b"<html>", 503, (503, "the upstream answered 503 without an error message (no content type)")),
        (b"", 302, (502, "the upstream answered 302, which the gateway does not follow")),
    ],
)
def test_an_answer_that_is_none_raises_with_the_clients_own_error(
    answer: Any, status: int, problem: tuple[int, str]
) -> None:
    converted = convert(request("gemini"), source="gemini", target="anthropic", model="claude-sonnet-4-6")
    with pytest.raises(ConversionError) as caught:
        converted.answer(answer, status=status)
    assert (caught.value.fault.status, str(caught.value)) == problem
    assert caught.value.answer["error"]["message"] == problem[1]


def test_an_answer_that_says_it_failed_raises_too() -> None:
    converted = convert(request("anthropic"), source="anthropic", target="openai_responses")
    failed = {
        "object": "response",
        "status": "failed",
        "error": {"code": "server_error", "message": "oh"},
        "output": [],
    }
    with pytest.raises(ConversionError, match="oh"):
        converted.answer(failed)


@pytest.mark.parametrize(
    ("source", "target", "problem"),
    [
        ("latin", "anthropic", "'latin' is none of "),
        ("anthropic", "latin", "'latin' is none of "),
        ("anthropic", "openai_completions", "upstreams are not asked in 'openai_completions'"),
    ],
)
def test_dialects_that_are_none_are_a_value_error(source: Any, target: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        convert(request("anthropic"), source=source, target=target)
    assert not isinstance(caught.value, ConversionError)


def test_a_look_alike_gets_what_the_gateway_would_send_it() -> None:
    custom = {"type": "custom", "name": "apply_patch", "description": "d"}
    request = {"model": "m", "input": "q", "tools": [custom]}
    converted = agcore.convert(
        request, source="openai_responses", target="openai_responses", model="grok-4.5", vendor="xai"
    )
    assert [tool["type"] for tool in converted.request["tools"]] == ["function"]
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "apply_patch", "arguments": '{"input":"x"}'}
    answer = converted.answer({"id": "r", "object": "response", "status": "completed", "output": [call]})
    assert [(item["type"], item["input"]) for item in answer["output"]] == [("custom_tool_call", "x")]
    same = agcore.convert(request, source="openai_responses", target="openai_responses", model="gpt-5.6")
    assert same.request["tools"] == [custom]


def test_what_a_server_refuses_is_left_out_of_what_passes() -> None:
    request = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "q"}]}
    converted = agcore.convert(request, source="openai", target="openai", model="kimi-k2.6", vendor="moonshot")
    assert "temperature" not in converted.request
    assert [loss.path for loss in converted.losses] == ["temperature"]


def test_tools_are_told_in_words_to_who_takes_none() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "R"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    request = {"model": "m", "messages": history, "tools": tools}
    for vendor, model in (("perplexity", "sonar-pro"), ("openrouter", "perplexity/sonar-pro")):
        converted = agcore.convert(request, source="openai", target="openai", model=model, vendor=vendor)
        assert "tools" not in converted.request
        assert [message["role"] for message in converted.request["messages"]] == ["user", "assistant", "user"]
        assert "tools" in {loss.path for loss in converted.losses}
