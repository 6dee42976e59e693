"""The OpenAI SDK, as a user runs it, through each frontend to upstreams that speak another dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import openai
import pydantic
import pytest

from tests.sdk.conftest import CLIENT_KEY, RETRY_AFTER

CHAT: Final = pytest.mark.parametrize("upstream_dialect", ["responses", "anthropic", "gemini"])
RESPONSES: Final = pytest.mark.parametrize("upstream_dialect", ["chat", "anthropic", "gemini"])
COMPLETIONS: Final = pytest.mark.parametrize("upstream_dialect", ["chat", "responses", "anthropic", "gemini"])

HELLO: Final[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hello there"},
]
PARAMETERS: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Final[Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": PARAMETERS},
}
FLAT_WEATHER: Final[Any] = {"type": "function", "strict": False, **WEATHER["function"]}


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


# Chat


@CHAT
def test_chat_answers_whole(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.chat.completions.create(model=f"{upstream_dialect}-x", messages=HELLO)
    (choice,) = answer.choices
    assert "You said: hello there" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert answer.model == f"{upstream_dialect}-x"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@CHAT
def test_the_chat_stream_helper_collects_text_and_usage(client: openai.OpenAI, upstream_dialect: str) -> None:
    with client.chat.completions.stream(
        model=f"{upstream_dialect}-x", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        events = list(stream)
        answer = stream.get_final_completion()
    text = "".join(event.delta for event in events if event.type == "content.delta")
    assert text == answer.choices[0].message.content
    assert "You said: hello there" in text
    assert sum(event.type == "content.delta" for event in events) > 1
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


@CHAT
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_chat_tool_loop_goes_round(client: openai.OpenAI, upstream_dialect: str, streamed: bool) -> None:
    model, tools = f"{upstream_dialect}-thinker", [WEATHER]
    messages: Any = [*HELLO, {"role": "user", "content": "please use the tool"}]
    answer: Any
    if streamed:
        with client.chat.completions.stream(
            model=model, messages=messages, tools=tools, reasoning_effort="high"
        ) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(model=model, messages=messages, tools=tools, reasoning_effort="high")
    (choice,) = answer.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"demo"}')
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "14 degrees"}]
    answer = client.chat.completions.create(model=model, messages=messages, tools=tools, reasoning_effort="high")
    assert "The tool returned:" in answer.choices[0].message.content
    assert "14 degrees" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


@CHAT
def test_chat_shows_reasoning(client: openai.OpenAI, upstream_dialect: str) -> None:
    model, wish = f"{upstream_dialect}-thinker", {"reasoning": {"effort": "high"}}  # OpenRouter's way to ask for it
    answer: Any = client.chat.completions.create(model=model, messages=HELLO, extra_body=wish)
    stream = client.chat.completions.create(model=model, messages=HELLO, extra_body=wish, stream=True)
    deltas: list[Any] = [chunk.choices[0].delta for chunk in stream]
    told = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert told.startswith("Reasoning was asked for.")
    assert answer.choices[0].message.reasoning_content == told


@CHAT
def test_chat_parses_structured_output(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.chat.completions.parse(model=f"{upstream_dialect}-x", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="demo", people=1)


@CHAT
def test_the_chat_stream_helper_parses_structured_output(client: openai.OpenAI, upstream_dialect: str) -> None:
    with client.chat.completions.stream(model=f"{upstream_dialect}-x", messages=HELLO, response_format=City) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.parsed == City(name="demo", people=1)


@CHAT
def test_chat_says_when_the_limit_ended_an_answer(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.chat.completions.create(model=f"{upstream_dialect}-x", messages=HELLO, max_completion_tokens=3)
    # The Responses upstream takes no less than 16, which the demo's answer may fit in.
    assert answer.choices[0].finish_reason == "length"


@CHAT
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_chat_gives_several_answers(client: openai.OpenAI, upstream_dialect: str, streamed: bool) -> None:
    asked: Any = {"model": f"{upstream_dialect}-x", "messages": HELLO, "n": 2}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            choices: Any = stream.get_final_completion().choices
    else:
        choices = client.chat.completions.create(**asked).choices
    assert [choice.index for choice in choices] == [0, 1]
    assert all("You said: hello there" in choice.message.content for choice in choices)
    assert all(choice.finish_reason == "stop" for choice in choices)


@CHAT
def test_chat_meets_a_busy_upstream(client: openai.OpenAI, upstream_dialect: str) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as caught:
        client.chat.completions.create(model=f"{upstream_dialect}-busy-chat", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)
    assert caught.value.request_id


@CHAT
def test_a_chat_stream_meets_a_busy_upstream(client: openai.OpenAI, upstream_dialect: str) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\."):
        client.chat.completions.create(model=f"{upstream_dialect}-busy-chat-stream", messages=HELLO, stream=True)


# Legacy Completions


@COMPLETIONS
def test_legacy_completions_answer_whole_and_as_a_stream(client: openai.OpenAI, upstream_dialect: str) -> None:
    model = f"{upstream_dialect}-x"
    whole = client.completions.create(model=model, prompt="once upon", max_tokens=200)
    streamed = client.completions.create(model=model, prompt="once upon", max_tokens=200, stream=True)
    assert "You said: once upon" in whole.choices[0].text
    assert "".join(chunk.choices[0].text for chunk in streamed) == whole.choices[0].text


@COMPLETIONS
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_legacy_completions_answer_several_prompts(
    client: openai.OpenAI, upstream_dialect: str, streamed: bool
) -> None:
    asked: Any = {"model": f"{upstream_dialect}-x", "prompt": ["one", "two"], "max_tokens": 200}
    texts = {0: "", 1: ""}
    for chunk in client.completions.create(stream=True, **asked) if streamed else [client.completions.create(**asked)]:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert ["You said: one" in texts[0], "You said: two" in texts[1]] == [True, True]


# Responses


@RESPONSES
def test_responses_answer_whole(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.responses.create(model=f"{upstream_dialect}-x", instructions="Be brief.", input="hello there")
    assert "You said: hello there" in answer.output_text
    assert (answer.status, answer.model) == ("completed", f"{upstream_dialect}-x")
    assert answer.instructions == "Be brief."
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@RESPONSES
def test_the_responses_stream_helper_reaches_the_final_response(client: openai.OpenAI, upstream_dialect: str) -> None:
    with client.responses.stream(model=f"{upstream_dialect}-x", input="hello there") as stream:
        events = list(stream)
        answer = stream.get_final_response()
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert "You said: hello there" in text
    assert answer.output_text == text
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


@RESPONSES
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_responses_tool_loop_goes_round(client: openai.OpenAI, upstream_dialect: str, streamed: bool) -> None:
    said: Any = [{"role": "user", "content": "please use the tool"}]
    asked: Any = {
        "model": f"{upstream_dialect}-thinker",
        "tools": [FLAT_WEATHER],
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    if streamed:
        with client.responses.stream(input=said, **asked) as stream:
            answer: Any = stream.get_final_response()
    else:
        answer = client.responses.create(input=said, **asked)
    # Gemini signs the call as well as the thought: its signature travels in a reasoning item without a summary.
    reasoning, *signed, call = answer.output
    assert [(item.type, item.summary) for item in signed] == [("reasoning", [])] * (upstream_dialect == "gemini")
    assert reasoning.summary[0].text.startswith("Reasoning was asked for.")
    assert (call.name, call.arguments) == ("get_weather", '{"city":"demo"}')
    said += answer.output
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": "14 degrees"})
    answer = client.responses.create(input=said, **asked)
    assert "The tool returned:" in answer.output_text
    assert "14 degrees" in answer.output_text


@RESPONSES
def test_responses_parse_structured_output(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.responses.parse(model=f"{upstream_dialect}-x", input="hello there", text_format=City)
    assert answer.output_parsed == City(name="demo", people=1)


@RESPONSES
def test_the_responses_stream_helper_parses_structured_output(client: openai.OpenAI, upstream_dialect: str) -> None:
    with client.responses.stream(model=f"{upstream_dialect}-x", input="hello there", text_format=City) as stream:
        answer = stream.get_final_response()
    assert answer.output_parsed == City(name="demo", people=1)


@RESPONSES
def test_responses_say_when_the_limit_ended_an_answer(client: openai.OpenAI, upstream_dialect: str) -> None:
    answer = client.responses.create(model=f"{upstream_dialect}-x", input="hello there", max_output_tokens=3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


@RESPONSES
def test_responses_count_input_tokens(client: openai.OpenAI, upstream_dialect: str) -> None:
    counted = client.responses.input_tokens.count(model=f"{upstream_dialect}-x", input="one two three")
    assert counted.input_tokens >= 3


@RESPONSES
def test_responses_meet_a_busy_upstream(client: openai.OpenAI, upstream_dialect: str) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as caught:
        client.responses.create(model=f"{upstream_dialect}-busy-response", input="hello there")
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)


def test_a_model_that_no_upstream_has_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="nobody-has-this", input="hello there")
    assert caught.value.code == "model_not_found"
