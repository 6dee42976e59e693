"""The Anthropic SDK, as a user runs it, through each frontend to an upstream of its own dialect."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from tests.sdk.conftest import CLIENT_KEY
from tests.support.upstreams import Upstream

HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(gateway_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway_url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def test_messages_answer_whole(client: anthropic.Anthropic, upstream: Upstream) -> None:
    answer = client.messages.create(model="alias", max_tokens=200, messages=HELLO)
    assert "hello there" in answer.content[0].text
    assert answer.model == "alias"
    assert answer._request_id
    assert upstream.requests[-1].fields[b"anthropic-version"]


def test_messages_stream_helper_collects_text(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="alias", max_tokens=200, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "hello there" in text
    assert final.stop_reason == "end_turn"
    assert final.model == "alias"
    assert final.usage.output_tokens > 0


def test_messages_stream_helper_collects_thinking_and_a_tool_call(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="vendor-x",
        max_tokens=4000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        tools=[WEATHER],
        messages=[{"role": "user", "content": "please use the tool"}],
    ) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "tool_use"]
    assert final.stop_reason == "tool_use"


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model="alias", messages=HELLO).input_tokens > 0


def test_models_are_listed_in_anthropics_shape(client: anthropic.Anthropic) -> None:
    page = client.models.list(limit=1)
    assert page.data[0].id == "alias"
    assert page.data[0].type == "model"


def test_a_wrong_key_is_an_authentication_error(gateway_url: str) -> None:
    with (
        anthropic.Anthropic(base_url=gateway_url, api_key="sk-wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(model="alias", max_tokens=10, messages=HELLO)


def test_an_unknown_model_is_not_found_in_anthropics_shape(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nobody-has-this", max_tokens=10, messages=HELLO)
    assert caught.value.type == "not_found_error"
    assert caught.value.request_id
