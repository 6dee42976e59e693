"""The official SDKs where no way is left: streams that die after content, and keys that are all limited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, GEMINI, RESPONSES, Dialogue
from tests.support.dialogues import ids
from tests.support.scripted_vendors import CLIENT, OTHER, World, dies, fails, limited, running

HELLO: Final[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module", params=["trio", "uvicorn"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with running(request.param) as world:
        yield world


def chat(world: World, model: str, said: list[str], *, stream: bool) -> None:
    with openai.OpenAI(base_url=f"{world.url}/v1", api_key=CLIENT, max_retries=0) as client:
        answer: Any = client.chat.completions.create(model=model, messages=HELLO, stream=stream)
        if stream:
            for chunk in answer:
                said += [choice.delta.content or "" for choice in chunk.choices]
        else:
            said.append(answer.choices[0].message.content)


def completions(world: World, model: str, said: list[str], *, stream: bool) -> None:
    with openai.OpenAI(base_url=f"{world.url}/v1", api_key=CLIENT, max_retries=0) as client:
        answer: Any = client.completions.create(model=model, prompt="hi", stream=stream)
        for chunk in answer if stream else [answer]:
            said += [choice.text for choice in chunk.choices]


def responses(world: World, model: str, said: list[str], *, stream: bool) -> None:
    with openai.OpenAI(base_url=f"{world.url}/v1", api_key=CLIENT, max_retries=0) as client:
        answer: Any = client.responses.create(model=model, input="hi", store=False, stream=stream)
        if stream:
            said.extend(event.delta for event in answer if event.type == "response.output_text.delta")
        else:
            said.append(answer.output_text)


def messages(world: World, model: str, said: list[str], *, stream: bool) -> None:
    with anthropic.Anthropic(base_url=world.url, api_key=CLIENT, max_retries=0) as client:
        if stream:
            with client.messages.stream(model=model, max_tokens=9, messages=HELLO) as answer:
                said.extend(answer.text_stream)
        else:
            whole: Any = client.messages.create(model=model, max_tokens=9, messages=HELLO)
            said.append(whole.content[0].text)


def contents(world: World, model: str, said: list[str], *, stream: bool) -> None:
    with genai.Client(api_key=CLIENT, http_options=types.HttpOptions(base_url=world.url)) as client:
        if stream:
            said.extend(each.text or "" for each in client.models.generate_content_stream(model=model, contents="hi"))
        else:
            said.append(client.models.generate_content(model=model, contents="hi").text or "")


Ask = Callable[..., None]
ERRORS: Final = (openai.APIError, anthropic.APIError, errors.APIError)
LIMITS: Final = (openai.RateLimitError, anthropic.RateLimitError, errors.ClientError)
RAISING: Final = [(CHAT, chat), (COMPLETIONS, completions), (ANTHROPIC, messages), (GEMINI, contents)]
SDKS: Final = pytest.mark.parametrize(
    ("dialogue", "ask"), [*RAISING, (RESPONSES, responses)], ids=[*(ids(each) for each, _ in RAISING), "responses"]
)
WHOLE_OR_STREAM: Final = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


TRANSLATED: Final = pytest.mark.parametrize("translated", [False, True], ids=["passed", "translated"])


@pytest.mark.parametrize(("dialogue", "ask"), RAISING, ids=[ids(each) for each, _ in RAISING])
@TRANSLATED
def test_a_stream_that_dies_after_content_raises_once_what_came_was_read(
    world: World, dialogue: Dialogue, ask: Ask, translated: bool
) -> None:
    vendor = OTHER[dialogue.dialect] if translated else dialogue
    model, said = f"dies-{dialogue.dialect}-{translated}", list[str]()
    world.script.acts[model, vendor.dialect] = [dies]
    with pytest.raises(ERRORS, match="the connection closed within the answer"):
        ask(world, f"duo-{vendor.dialect}/{model}", said, stream=True)
    assert "".join(said) == "hello"
    assert len(world.asked(model)) == 1


@TRANSLATED
def test_a_response_that_dies_after_content_has_failed(world: World, translated: bool) -> None:
    """In this dialect a failure is an event, which the SDK hands on like any other."""
    vendor = OTHER["openai_responses"] if translated else RESPONSES
    model = f"dies-response-{translated}"
    world.script.acts[model, vendor.dialect] = [dies]
    with openai.OpenAI(base_url=f"{world.url}/v1", api_key=CLIENT, max_retries=0) as client:
        name = f"duo-{vendor.dialect}/{model}"
        events: list[Any] = list(client.responses.create(model=name, input="hi", store=False, stream=True))
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["hello"]
    assert (events[-1].type, events[-1].response.status) == ("response.failed", "failed")
    assert "the connection closed within the answer" in events[-1].response.error.message
    assert len(world.asked(model)) == 1


@SDKS
@WHOLE_OR_STREAM
def test_where_all_keys_are_limited_the_sdk_knows_it_and_when_to_come_back(
    world: World, dialogue: Dialogue, ask: Ask, stream: bool
) -> None:
    model = f"limited-{dialogue.dialect}-{stream}"
    world.script.acts[model, dialogue.dialect] = [limited] * 2
    with pytest.raises(LIMITS) as caught:
        ask(world, f"duo-{dialogue.dialect}/{model}", [], stream=stream)
    error: Any = caught.value
    assert error.response.status_code == 429
    assert 28 <= int(error.response.headers["retry-after"]) <= 30
    assert len(world.asked(model)) == 2


@SDKS
@WHOLE_OR_STREAM
def test_a_vendor_that_fails_is_nothing_that_the_sdk_sees(
    world: World, dialogue: Dialogue, ask: Ask, stream: bool
) -> None:
    model, said = f"chain-{dialogue.dialect}-sdk-{stream}", list[str]()
    world.script.acts[model, dialogue.dialect] = [fails]
    ask(world, model, said, stream=stream)
    assert "".join(said) == "hello"
    assert len(world.asked(model)) == 2
