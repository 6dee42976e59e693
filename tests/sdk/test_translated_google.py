"""The Google SDK, as a user runs it, through each frontend to upstreams that speak another dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pydantic
import pytest
from google import genai
from google.genai import errors, types

from tests.sdk.conftest import CLIENT_KEY, RETRY_AFTER

pytestmark = pytest.mark.parametrize("upstream_dialect", ["chat", "responses", "anthropic"])

WEATHER: Final = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Weather of a city",
            parameters=types.Schema(
                type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]
            ),
        )
    ]
)
BY_HAND: Final = types.AutomaticFunctionCallingConfig(disable=True)
THINKING: Final = types.ThinkingConfig(thinking_budget=2000, include_thoughts=True)


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def client(gateway_url: str) -> Iterator[genai.Client]:
    with genai.Client(api_key=CLIENT_KEY, http_options=types.HttpOptions(base_url=gateway_url)) as client:
        yield client


def test_content_is_generated_whole(client: genai.Client, upstream_dialect: str) -> None:
    config = types.GenerateContentConfig(system_instruction="Be brief.")
    answer: Any = client.models.generate_content(model=f"{upstream_dialect}-x", contents="hello there", config=config)
    assert "You said: hello there" in answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == f"{upstream_dialect}-x"
    usage = answer.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count > 0


def test_content_is_streamed(client: genai.Client, upstream_dialect: str) -> None:
    chunks: list[Any] = list(
        client.models.generate_content_stream(model=f"{upstream_dialect}-x", contents="hello there")
    )
    assert len(chunks) > 2
    assert "You said: hello there" in "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count > 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_loop_with_thoughts_goes_round(client: genai.Client, upstream_dialect: str, streamed: bool) -> None:
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND, thinking_config=THINKING)
    chat: Any = client.chats.create(model=f"{upstream_dialect}-thinker", config=config)
    asking = "please use the tool"
    answers = list(chat.send_message_stream(asking)) if streamed else [chat.send_message(asking)]
    parts = [part for answer in answers for part in answer.parts or ()]
    thought = "".join(part.text for part in parts if part.thought and part.text)
    assert thought.startswith("Reasoning was asked for.")
    (call,) = [part.function_call for part in parts if part.function_call]
    assert (call.name, call.args) == ("get_weather", {"city": "demo"})
    result = types.FunctionResponse(id=call.id, name=call.name, response={"result": "14 degrees"})
    answer = chat.send_message(types.Part(function_response=result))
    assert "14 degrees" in answer.text
    assert "The tool returned:" in answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP


def test_functions_are_called_automatically(client: genai.Client, upstream_dialect: str) -> None:
    asked_for = []

    def get_weather(city: str) -> str:
        """Weather of a city."""
        asked_for.append(city)
        return f"14 degrees in {city}"

    config = types.GenerateContentConfig(tools=[get_weather])
    answer = client.models.generate_content(
        model=f"{upstream_dialect}-x", contents="please use the tool", config=config
    )
    assert asked_for == ["demo"]
    assert "14 degrees in demo" in (answer.text or "")


def test_structured_output_is_parsed(client: genai.Client, upstream_dialect: str) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    answer = client.models.generate_content(model=f"{upstream_dialect}-x", contents="hello there", config=config)
    assert answer.parsed == City(name="demo", people=1)


def test_the_limit_that_ended_an_answer_is_told(client: genai.Client, upstream_dialect: str) -> None:
    config = types.GenerateContentConfig(max_output_tokens=3)
    answer: Any = client.models.generate_content(model=f"{upstream_dialect}-x", contents="hello there", config=config)
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_several_candidates_are_given(client: genai.Client, upstream_dialect: str) -> None:
    config = types.GenerateContentConfig(candidate_count=2)
    answer: Any = client.models.generate_content(model=f"{upstream_dialect}-x", contents="hello there", config=config)
    assert [candidate.index for candidate in answer.candidates] == [0, 1]
    assert all("hello there" in candidate.content.parts[0].text for candidate in answer.candidates)


def test_tokens_are_counted(client: genai.Client, upstream_dialect: str) -> None:
    counted = client.models.count_tokens(model=f"{upstream_dialect}-x", contents="one two three")
    assert counted.total_tokens is not None
    assert counted.total_tokens >= 3


def test_a_busy_upstream_is_an_error_with_its_time(client: genai.Client, upstream_dialect: str) -> None:
    with pytest.raises(errors.ClientError, match=r"Slow down\.") as caught:
        client.models.generate_content(model=f"{upstream_dialect}-busy-content", contents="hello there")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.response is not None
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)


def test_a_stream_meets_a_busy_upstream(client: genai.Client, upstream_dialect: str) -> None:
    with pytest.raises(errors.ClientError, match=r"Slow down\."):
        list(client.models.generate_content_stream(model=f"{upstream_dialect}-busy-stream", contents="hello there"))
