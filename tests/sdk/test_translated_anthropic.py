"""The Anthropic SDK, as a user runs it, through each frontend to upstreams that speak another dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import anthropic
import pydantic
import pytest

from tests.sdk.conftest import CLIENT_KEY, RETRY_AFTER

pytestmark = pytest.mark.parametrize("upstream_dialect", ["chat", "responses", "gemini"])

HELLO: Final[Any] = [{"role": "user", "content": "hello there"}]
WEATHER: Final[Any] = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
THINKING: Final[Any] = {"type": "enabled", "budget_tokens": 2000}


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def client(gateway_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway_url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def test_messages_answer_whole(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    answer = client.messages.create(model=f"{upstream_dialect}-x", max_tokens=200, system="Be brief.", messages=HELLO)
    (block,) = answer.content
    assert block.type == "text"
    assert "You said: hello there" in block.text
    assert (answer.stop_reason, answer.model) == ("end_turn", f"{upstream_dialect}-x")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


def test_the_stream_helper_collects_text(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    with client.messages.stream(model=f"{upstream_dialect}-x", max_tokens=200, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1
    assert "You said: hello there" in "".join(pieces)
    assert stream.get_final_text() == "".join(pieces)
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_loop_with_thinking_goes_round(
    client: anthropic.Anthropic, upstream_dialect: str, streamed: bool
) -> None:
    messages: Any = [{"role": "user", "content": "please use the tool"}]
    asked: Any = {
        "model": f"{upstream_dialect}-thinker",
        "max_tokens": 4000,
        "thinking": THINKING,
        "tools": [WEATHER],
    }
    if streamed:
        with client.messages.stream(messages=messages, **asked) as stream:
            answer: Any = stream.get_final_message()
    else:
        answer = client.messages.create(messages=messages, **asked)
    # Gemini signs the call as well as the thought: its signature travels in a thinking block without text.
    thinking, *signed, call = answer.content
    assert [(block.type, block.thinking) for block in signed] == [("thinking", "")] * (upstream_dialect == "gemini")
    assert (thinking.type, call.type, answer.stop_reason) == ("thinking", "tool_use", "tool_use")
    assert thinking.thinking.startswith("Reasoning was asked for.")
    assert (call.name, call.input) == ("get_weather", {"city": "demo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "14 degrees"}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(messages=messages, **asked)
    assert "The tool returned:" in answer.content[-1].text
    assert "14 degrees" in answer.content[-1].text
    assert answer.stop_reason == "end_turn"


def test_the_tool_runner_runs_tools(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    asked_for = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Weather of a city."""
        asked_for.append(city)
        return f"14 degrees in {city}"

    asking: Any = [{"role": "user", "content": "please use the tool"}]
    runner = client.beta.messages.tool_runner(
        model=f"{upstream_dialect}-x", max_tokens=400, tools=[get_weather], messages=asking
    )
    answer: Any = runner.until_done()
    assert asked_for == ["demo"]
    assert "14 degrees in demo" in answer.content[0].text


def test_structured_output_is_parsed(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    answer = client.messages.parse(model=f"{upstream_dialect}-x", max_tokens=400, messages=HELLO, output_format=City)
    assert answer.parsed_output == City(name="demo", people=1)


def test_the_stream_helper_parses_structured_output(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    with client.messages.stream(
        model=f"{upstream_dialect}-x", max_tokens=400, messages=HELLO, output_format=City
    ) as stream:
        final = stream.get_final_message()
    assert final.parsed_output == City(name="demo", people=1)


def test_the_limit_that_ended_an_answer_is_told(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    answer = client.messages.create(model=f"{upstream_dialect}-x", max_tokens=3, messages=HELLO)
    assert answer.stop_reason == "max_tokens"


def test_tokens_are_counted(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    counted = client.messages.count_tokens(
        model=f"{upstream_dialect}-x", system="Be brief.", messages=HELLO, tools=[WEATHER]
    )
    assert counted.input_tokens >= 4


def test_a_busy_upstream_is_a_rate_limit_error(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    with pytest.raises(anthropic.RateLimitError, match=r"Slow down\.") as caught:
        client.messages.create(model=f"{upstream_dialect}-busy-message", max_tokens=10, messages=HELLO)
    assert caught.value.type == "rate_limit_error"
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)
    assert caught.value.request_id


def test_a_stream_meets_a_busy_upstream(client: anthropic.Anthropic, upstream_dialect: str) -> None:
    with (
        pytest.raises(anthropic.RateLimitError, match=r"Slow down\."),
        client.messages.stream(model=f"{upstream_dialect}-busy-message-stream", max_tokens=10, messages=HELLO),
    ):
        pass
