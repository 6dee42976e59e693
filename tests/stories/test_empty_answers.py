"""`max_tokens: 0` fills a prompt cache at Anthropic's, and wants no answer (docs/wire/anthropic-messages.md#request)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

import agcore
from agcore.config.values import ModelRule
from agcore.convert import ConversionError
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import Story, gateway
from tests.support import grammar_anthropic, grammar_openai_responses
from tests.support.dialogues import config

OTHERS = pytest.mark.parametrize("up", [CHAT, RESPONSES, GEMINI], ids=lambda up: up.dialect)


def asked(up: Dialogue, *, stream: bool = False, **more: Any) -> Story:
    body = {**json.loads(ANTHROPIC.request(up.model, stream=stream)), "max_tokens": 0, **more}
    story = Story(gateway(config()))
    story.open("POST", "/v1/messages", body=json.dumps(body).encode())
    return story


@OTHERS
def test_elsewhere_it_is_answered_with_nothing_and_nobody_is_asked(up: Dialogue) -> None:
    story = asked(up)
    assert not story.requests
    assert story.status == 200
    message = json.loads(story.body)
    assert message["type"] == "message"
    assert message["model"] == up.model
    assert message["id"].startswith("msg_")
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (0, 0)


@OTHERS
def test_elsewhere_its_stream_says_nothing_and_ends_well(up: Dialogue) -> None:
    story = asked(up, stream=True)
    assert not story.requests
    assert story.status == 200
    assert story.headers[b"content-type"].startswith(b"text/event-stream")
    message = grammar_anthropic.message(story.body)
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")


@pytest.mark.parametrize("wish", [{"generate": False}, {"prompt_cache_options": {"prewarm": True}}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_is_only_prepared_is_empty_elsewhere(wish: dict[str, Any], stream: bool) -> None:
    body = {**json.loads(RESPONSES.request(ANTHROPIC.model, stream=stream)), **wish}
    story = Story(gateway(config()))
    story.open("POST", "/v1/responses", body=json.dumps(body).encode())
    assert not story.requests
    assert story.status == 200
    answer = grammar_openai_responses.check(story.body) if stream else json.loads(story.body)
    assert (answer["status"], answer["output"]) == ("completed", [])


def test_where_some_upstreams_fill_caches_no_other_one_is_asked_after_them() -> None:
    both = ModelRule("chain", ((("anthropic", "up"),), (("openai", "up"),)))
    story = Story(gateway(msgspec.structs.replace(config(), models=(both,)), attempts=2))
    body = {**json.loads(ANTHROPIC.request("chain", stream=False)), "max_tokens": 0}
    story.open("POST", "/v1/messages", body=json.dumps(body).encode())
    story.upstream_answers(404, b"{}")
    assert len(story.requests) == 1
    assert story.status >= 400


def test_at_anthropics_it_passes() -> None:
    story = asked(ANTHROPIC)
    raw = story.requests[1].body
    assert isinstance(raw, bytes)
    assert json.loads(raw)["max_tokens"] == 0


def test_what_is_no_request_is_refused_all_the_same() -> None:
    assert asked(CHAT, messages=[]).status == 400
    assert asked(CHAT, metadata={"user_id": 1}).status == 400


def test_a_program_that_converts_is_told_that_there_is_nothing_to_ask() -> None:
    body = {"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(ConversionError) as caught:
        agcore.convert(body, source="anthropic", target="openai", model="gpt-5.2")
    assert caught.value.fault.code == "not_translatable"
