"""Pictures by the official SDKs through each frontend, drawn by models that speak Gemini's dialect."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any, Final

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import types
from openai.types import ImagesResponse

from tests.sdk.conftest import CLIENT_KEY, RETRY_AFTER, UPSTREAM_KEY
from tests.support.patience import PATIENCE
from tests.support.pictures import jpeg, png
from tests.support.upstreams import Recorded, Upstream

NANO: Final = "gemini-3-pro-image"
IMAGEN: Final = "gemini/imagen-4.0-generate-001"
ASKED: Final[Any] = [{"role": "user", "content": "a cat"}]
DRAWN: Final = png(64, 48)
"""How a picture of the Gemini model begins."""


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropics(gateway_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway_url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def googles(gateway_url: str) -> Iterator[genai.Client]:
    with genai.Client(api_key=CLIENT_KEY, http_options=types.HttpOptions(base_url=gateway_url)) as client:
        yield client


def named(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = name
    return file


def pictures(answer: ImagesResponse) -> list[bytes]:
    return [base64.b64decode(each.b64_json or "") for each in answer.data or ()]


def body(request: Recorded) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(request.body)
    return decoded


# Generations


def test_a_gemini_model_draws_a_picture(client: openai.OpenAI, upstream: Upstream) -> None:
    raw = client.images.with_raw_response.generate(
        model=NANO, prompt="a cat", size="1536x1024", quality="high", background="transparent"
    )
    answer = raw.parse()
    assert pictures(answer) == [DRAWN + b"a cat"]
    assert (answer.size, answer.output_format, answer.background) == ("64x48", "png", "opaque")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (7, 100, 107)
    assert raw.headers["x-agcore-losses"].startswith("background=dropped")
    received = upstream.requests[-1]
    assert received.target == b"/v1beta/models/gemini-3-pro-image:generateContent"
    assert received.fields[b"x-goog-api-key"] == UPSTREAM_KEY.encode()
    assert body(received)["contents"][0]["parts"] == [{"text": "a cat"}]
    assert body(received)["generationConfig"]["imageConfig"]["aspectRatio"] == "3:2"


def test_three_pictures_are_three_calls(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    answer = client.images.generate(model=NANO, prompt="cats", n=3, response_format="b64_json")
    assert pictures(answer) == [DRAWN + b"cats"] * 3
    assert len(upstream.requests) == seen + 3
    assert answer.usage is not None
    assert answer.usage.total_tokens == 3 * 107


def test_pictures_come_as_urls(client: openai.OpenAI) -> None:
    answer = client.images.generate(model=NANO, prompt="a cat", response_format="url")
    (image,) = answer.data or ()
    assert image.url is not None
    assert base64.b64decode(image.url.removeprefix("data:image/png;base64,")) == DRAWN + b"a cat"


@pytest.mark.parametrize("n", [1, 2])
def test_pictures_come_in_a_stream(client: openai.OpenAI, n: int) -> None:
    stream = client.images.generate(model=NANO, prompt="a cat", n=n, stream=True, partial_images=1)
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.completed"] * n
    for event in events:
        assert event.type == "image_generation.completed"
        assert base64.b64decode(event.b64_json) == DRAWN + b"a cat"
        assert (event.size, event.usage.total_tokens) == ("64x48", 107)
    assert "partial_images=dropped" in stream.response.headers["x-agcore-losses"]


def test_imagen_draws_four_pictures_a_call(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    answer = client.images.generate(model=IMAGEN, prompt="cat", n=6, size="1024x1024")
    assert pictures(answer) == [png(32, 32) + b"cat %d" % each for each in (0, 1, 2, 3, 0, 1)]
    assert sorted(body(each)["parameters"]["sampleCount"] for each in upstream.requests[seen:]) == [2, 4]
    assert {each.target for each in upstream.requests[seen:]} == {b"/v1beta/models/imagen-4.0-generate-001:predict"}


def test_what_is_out_of_bounds_is_refused(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    with pytest.raises(openai.BadRequestError, match="`n` must be between 1 and 10") as caught:
        client.images.generate(model=NANO, prompt="a cat", n=11)
    assert caught.value.param == "n"
    with pytest.raises(openai.BadRequestError, match="draws no pictures"):
        client.images.generate(model="gemini-3-pro", prompt="a cat")
    with pytest.raises(openai.BadRequestError, match="anthropic only"):
        client.images.generate(model="anthropic-x", prompt="a cat")
    assert len(upstream.requests) == seen


@pytest.mark.parametrize("stream", [False, True])
def test_a_busy_model_is_told_so(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as caught:
        client.images.generate(model=f"gemini-3-pro-image-busy-{stream}".lower(), prompt="a cat", stream=stream)
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)


# Edits


def test_a_picture_is_edited(client: openai.OpenAI, upstream: Upstream) -> None:
    picture = png(9, 9) + bytes(range(256)) * 9000
    answer = client.images.edit(model=NANO, prompt="more ☀", image=named(picture, "cat.png"), n=2)
    assert pictures(answer) == [DRAWN + "more ☀".encode() + picture] * 2
    assert upstream.requests[-1].fields[b"content-type"] == b"application/json"


def test_several_pictures_are_edited_in_their_order(client: openai.OpenAI) -> None:
    files = [png(1, 1), jpeg(2, 2), png(3, 3)]
    answer = client.images.edit(
        model=NANO, prompt="merge", image=[named(data, f"{index}.bin") for index, data in enumerate(files)]
    )
    assert pictures(answer) == [DRAWN + b"merge" + b"".join(files)]


def test_an_edit_comes_in_a_stream(client: openai.OpenAI) -> None:
    (event,) = client.images.edit(model=NANO, prompt="more", image=named(png(1, 1), "cat.png"), stream=True)
    assert event.type == "image_edit.completed"
    assert base64.b64decode(event.b64_json) == DRAWN + b"more" + png(1, 1)


def test_an_edit_is_asked_for_in_json(client: openai.OpenAI) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png(5, 5)).decode()}"
    asked = {"model": NANO, "prompt": "more", "images": [{"image_url": url}]}
    answer = client.post("/images/edits", body=asked, cast_to=ImagesResponse)
    assert pictures(answer) == [DRAWN + b"more" + png(5, 5)]


def test_a_mask_is_refused_where_nobody_can_keep_to_it(client: openai.OpenAI, upstream: Upstream) -> None:
    seen = len(upstream.requests)
    with pytest.raises(openai.BadRequestError, match="say in the prompt what is to change") as caught:
        client.images.edit(
            model=NANO, prompt="more", image=named(png(1, 1), "a.png"), mask=named(png(1, 1), "mask.png")
        )
    assert caught.value.param == "mask"
    with pytest.raises(openai.BadRequestError, match="Imagen draws from the prompt alone"):
        client.images.edit(model=IMAGEN, prompt="more", image=named(png(1, 1), "a.png"))
    assert len(upstream.requests) == seen


def test_what_is_no_picture_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="a PNG, JPEG or WebP image"):
        client.images.edit(model=NANO, prompt="more", image=named(b"<svg/>", "cat.png"))


# Google's own dialect


def test_imagen_is_asked_as_google_documents_it(gateway_url: str, upstream: Upstream) -> None:
    # Google's SDK no longer asks for it here: it has `generate_images` for another platform of Google's only.
    asked = {"instances": [{"prompt": "cat"}], "parameters": {"sampleCount": 2, "aspectRatio": "16:9"}}
    url = f"{gateway_url}/v1beta/models/{IMAGEN}:predict"
    answer = httpx.post(url, json=asked, headers={"x-goog-api-key": CLIENT_KEY}, timeout=PATIENCE)
    assert answer.status_code == 200
    made = [base64.b64decode(each["bytesBase64Encoded"]) for each in answer.json()["predictions"]]
    assert made == [png(32, 32) + b"cat 0", png(32, 32) + b"cat 1"]
    received = upstream.requests[-1]
    assert received.target == b"/v1beta/models/imagen-4.0-generate-001:predict"
    assert (body(received), received.fields[b"x-goog-api-key"]) == (asked, UPSTREAM_KEY.encode())


def test_googles_sdk_gets_pictures_in_content(googles: genai.Client) -> None:
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    sent = types.Part.from_bytes(data=png(1, 1), mime_type="image/png")
    answer = googles.models.generate_content(model=NANO, contents=["more", sent], config=config)
    text, picture = answer.parts or ()
    assert text.text == "Here: "
    assert picture.inline_data is not None
    assert picture.inline_data.data == DRAWN + b"more" + png(1, 1)


# Conversations with models that draw


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_answer_has_its_pictures(client: openai.OpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"model": NANO, "messages": ASKED, "extra_body": {"modalities": ["text", "image"]}}
    if stream:
        deltas = [
            chunk.choices[0].delta for chunk in client.chat.completions.create(stream=True, **asked) if chunk.choices
        ]
        text = "".join(delta.content or "" for delta in deltas)
        images = [image for delta in deltas for image in (delta.model_extra or {}).get("images") or ()]
    else:
        message = client.chat.completions.create(**asked).choices[0].message
        text, images = message.content or "", (message.model_extra or {})["images"]
    assert text == "Here: "
    (image,) = images
    url = image["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")) == DRAWN + b"a cat"


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_has_its_pictures(client: openai.OpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"model": NANO, "input": "a cat", "tools": [{"type": "image_generation"}]}
    if stream:
        (answer,) = (
            event.response
            for event in client.responses.create(stream=True, **asked)
            if event.type == "response.completed"
        )
    else:
        answer = client.responses.create(**asked)
    (drawn,) = (item for item in answer.output if item.type == "image_generation_call")
    assert base64.b64decode(drawn.result or "") == DRAWN + b"a cat"
    assert answer.output_text == "Here: "


@pytest.mark.parametrize("stream", [False, True])
def test_a_messages_answer_says_where_a_picture_was(anthropics: anthropic.Anthropic, stream: bool) -> None:
    if stream:
        with anthropics.messages.stream(model=NANO, max_tokens=99, messages=ASKED) as events:
            answer, headers = events.get_final_message(), events.response.headers
    else:
        raw = anthropics.messages.with_raw_response.create(model=NANO, max_tokens=99, messages=ASKED)
        answer, headers = raw.parse(), raw.headers
    assert "".join(block.text for block in answer.content if block.type == "text") == "Here: [image]"
    assert 'answer=shown as "[image]"' in headers["x-agcore-losses"]
