"""Pictures in conversations: asked for in every dialect, shown in the client's, and sent back to who drew them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs import json_text
from agcore.codecs.sse import Decoder
from agcore.conversation.losses import Losses
from agcore.conversation.values import Image, Invalid, Source, Text
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.dialects import DIALECTS
from agcore.dialects.gemini.contents_writer import SKIP_SIGNATURE
from agcore.models.known import profile
from tests.support import grammar_anthropic, grammar_openai_chat, grammar_openai_responses
from tests.support.pictures import coded, jpeg, png

NANO = "gemini-3-pro-image-preview"
UPSTREAMS = {"gemini": "gemini-3-pro-image", "openai_chat": "some/new-model", "openai_responses": "gpt-5.5",
             "anthropic": "claude-sonnet-4-6"}  # fmt: skip
PNG, JPEG = coded(png(2, 2)), coded(jpeg(2, 2))
URL = f"data:image/png;base64,{PNG}"
ANSWER = {
    "responseId": "r",
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "A draft.", "thought": True},
                    {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}, "thought": True},
                    {"text": "Here: ", "thoughtSignature": "dGV4dA=="},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "b25l"},
                    {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}, "thoughtSignature": "dHdv"},
                ],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7},
}


def translation(client: str, body: dict[str, Any], up: str = "gemini", model: str = "") -> Translation:
    model = model or UPSTREAMS[up]
    target = ModelTarget(dialect=up, model=model, profile=profile(model), signer=up)
    stream = bool(body.get("stream"))
    found = translate(client, json_text.encode(body), model="m", stream=stream, target=target)
    assert isinstance(found, Translation), found
    return found


def chat(**members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "a cat"}], **members}


def responses(**members: Any) -> dict[str, Any]:
    return {"model": "m", "input": "a cat", **members}


def messages(**members: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "a cat"}], **members}


def gemini(**config: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "a cat"}]}], "generationConfig": config}


def drawing(**members: Any) -> dict[str, Any]:
    return responses(tools=[{"type": "image_generation", **members}])


def lost(found: Translation) -> dict[str, str]:
    return {loss.path: loss.weight for loss in found.losses}


# Asking


@pytest.mark.parametrize(
    ("client", "body", "modalities", "image"),
    [
        ("openai_chat", chat(modalities=["image", "text"]), ["TEXT", "IMAGE"], None),
        ("openai_chat", chat(modalities=["image"]), ["IMAGE"], None),
        (
            "openai_chat",
            chat(image_config={"aspect_ratio": "16:9", "image_size": "4k"}),
            ["TEXT", "IMAGE"],
            {"aspectRatio": "16:9", "imageSize": "4K"},
        ),
        ("openai_responses", drawing(), ["TEXT", "IMAGE"], None),
        ("openai_responses", drawing(size="auto", quality="auto"), ["TEXT", "IMAGE"], None),
        ("openai_responses", drawing(quality="high"), ["TEXT", "IMAGE"], {"imageSize": "4K"}),
        (
            "openai_responses",
            drawing(size="1024x1024", quality="low"),
            ["TEXT", "IMAGE"],
            {"aspectRatio": "1:1", "imageSize": "1K"},
        ),
        (
            "openai_responses",
            responses(tools=[{"type": "image_generation"}], tool_choice={"type": "image_generation"}),
            ["IMAGE"],
            None,
        ),
    ],
)
def test_a_gemini_model_is_asked_for_pictures(
    client: str, body: dict[str, Any], modalities: list[str], image: dict[str, str] | None
) -> None:
    found = translation(client, body)
    config: Any = found.rendered["generationConfig"]
    assert config["responseModalities"] == modalities
    assert config.get("imageConfig") == image
    assert "tools" not in found.rendered
    assert not found.losses


def test_who_asks_for_no_pictures_leaves_it_to_the_model() -> None:
    for client, body in (("openai_chat", chat(modalities=["text"])), ("openai_responses", responses())):
        found = translation(client, body)
        assert "generationConfig" not in found.rendered
        assert not found.losses


def test_pictures_and_searches_go_together() -> None:
    found = translation("openai_responses", responses(tools=[{"type": "web_search"}, {"type": "image_generation"}]))
    assert found.rendered["tools"] == [{"googleSearch": {}}]
    assert found.rendered["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}
    assert not found.losses


def test_what_the_tool_for_pictures_says_besides_is_told() -> None:
    found = translation(
        "openai_responses",
        drawing(background="transparent", moderation="auto", input_image_mask={"image_url": URL}, partial_images=2),
    )
    assert lost(found) == {
        "tools.image_generation.background": "note",
        "tools.image_generation.input_image_mask": "refuse",
        "tools.image_generation.partial_images": "note",
    }


@pytest.mark.parametrize(
    ("up", "model", "weight"),
    [
        ("gemini", "gemini-2.5-flash", "warn"),
        ("openai_chat", "gpt-4.1", "warn"),
        ("openai_chat", "mistral-small-latest", "warn"),
        ("anthropic", "claude-sonnet-4-6", "warn"),
    ],
)
@pytest.mark.parametrize("only", [False, True])
def test_pictures_of_a_model_that_makes_none_are_lost_and_refused_where_there_was_nothing_else(
    up: str, model: str, weight: str, only: bool
) -> None:
    asked = {
        "openai_chat": chat(modalities=["image"] if only else ["text", "image"]),
        "openai_responses": responses(
            tools=[{"type": "image_generation"}], tool_choice={"type": "image_generation"} if only else "auto"
        ),
        "gemini": gemini(responseModalities=["IMAGE"] if only else ["IMAGE", "TEXT"]),
    }
    for client, body in asked.items():
        if client != up:
            assert lost(translation(client, body, up, model)) == {"modalities": "refuse" if only else weight}, client


def test_an_unknown_chat_model_is_asked_as_openrouter_is() -> None:
    found = translation(
        "gemini",
        gemini(responseModalities=["TEXT", "IMAGE"], imageConfig={"aspectRatio": "16:9", "imageSize": "2K"}),
        "openai_chat",
    )
    assert found.rendered["modalities"] == ["image", "text"]
    assert found.rendered["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K"}
    assert not found.losses
    only = translation("gemini", gemini(responseModalities=["IMAGE"]), "openai_chat")
    assert only.rendered["modalities"] == ["image"]
    assert "image_config" not in only.rendered
    pixels = translation("openai_responses", drawing(size="1536x1024", quality="high"), "openai_chat")
    assert pixels.rendered["modalities"] == ["image", "text"]
    assert lost(pixels) == {"size": "warn", "quality": "warn"}


def test_a_responses_model_gets_the_tool_for_pictures() -> None:
    found = translation("openai_chat", chat(modalities=["text", "image"]), "openai_responses")
    assert found.rendered["tools"] == [{"type": "image_generation"}]
    assert not found.losses
    shaped = translation(
        "gemini", gemini(imageConfig={"aspectRatio": "1:1", "imageSize": "1K", "personGeneration": "x"}),
        "openai_responses",
    )  # fmt: skip
    assert shaped.rendered["tools"] == [{"type": "image_generation"}]
    assert lost(shaped) == {
        "aspect_ratio": "warn",
        "image_size": "warn",
        "generationConfig.imageConfig.personGeneration": "note",
    }


def test_spoken_answers_are_refused_whatever_else_is_wanted() -> None:
    found = translation("gemini", gemini(responseModalities=["AUDIO", "IMAGE"]), "openai_chat")
    assert lost(found) == {"generationConfig.responseModalities": "refuse"}


@pytest.mark.parametrize(
    ("client", "body", "param"),
    [
        ("openai_chat", chat(image_config={"aspect_ratio": "wide"}), "image_config.aspect_ratio"),
        ("openai_chat", chat(image_config={"image_size": 4}), "image_config.image_size"),
        ("openai_chat", chat(image_config="4K"), "image_config"),
        ("openai_responses", drawing(size="big"), "tools.size"),
        ("gemini", gemini(imageConfig={"aspectRatio": "wide"}), "generationConfig.imageConfig.aspectRatio"),
        ("gemini", gemini(imageConfig={"imageSize": "3K"}), "generationConfig.imageConfig.imageSize"),
    ],
)
def test_a_shape_that_is_none_is_refused_with_its_field(client: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        DIALECTS[client].client.parse_request(body, model="m", stream=False, losses=Losses())
    assert caught.value.param == param


# Answers


def answered(found: Translation, answer: dict[str, Any] = ANSWER) -> Any:
    deltas = found.read(answer)
    assert isinstance(deltas, list)
    home = found.delta_mapper(id="0123456789abcdef").deltas(deltas)
    written, _ = found.written(home, id="0123456789abcdef", model="m", created=1)
    return json.loads(json_text.encode(written))


def streamed(found: Translation, answer: dict[str, Any] = ANSWER) -> bytes:
    """The client's stream where each part of the answer comes in a chunk of its own."""
    stream = found.stream(id="0123456789abcdef", model="m", created=1, framing="sse")
    [candidate] = answer["candidates"]
    parts = candidate["content"]["parts"]
    out = b""
    for number, part in enumerate(parts, 1):
        ended = {"finishReason": "STOP"} if number == len(parts) else {}
        piece = {**answer, "candidates": [{"content": {"role": "model", "parts": [part]}, **ended}]}
        out += stream.feed(b"data: " + json_text.encode(piece) + b"\r\n\r\n").data
    out += stream.end().data
    assert stream.fault is None
    return out


def events(stream: bytes) -> list[Any]:
    frames = [frame.data for frame in Decoder().feed(stream)]
    return [json.loads(data) for data in frames if data and data != b"[DONE]"]


def test_a_chat_client_gets_pictures_beside_the_text() -> None:
    message = answered(translation("openai_chat", chat()))["choices"][0]["message"]
    assert message["content"] == "Here: "
    assert message["images"] == [
        {"index": 0, "type": "image_url", "image_url": {"url": URL}},
        {"index": 1, "type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{JPEG}"}},
    ]


def test_a_chat_client_gets_pictures_in_its_stream() -> None:
    stream = streamed(translation("openai_chat", chat(stream=True)))
    grammar_openai_chat.check(stream, include_usage=False)
    deltas = [choice["delta"] for event in events(stream) for choice in event["choices"]]
    images = [image for delta in deltas for image in delta.get("images", [])]
    assert [(image["index"], image["image_url"]["url"]) for image in images] == [
        (0, URL),
        (1, f"data:image/jpeg;base64,{JPEG}"),
    ]


def test_a_responses_client_gets_items_of_generated_pictures() -> None:
    output = answered(translation("openai_responses", drawing()))["output"]
    pictures = [item for item in output if item["type"] == "image_generation_call"]
    assert [(item["result"], item["output_format"], item["status"]) for item in pictures] == [
        (PNG, "png", "completed"),
        (JPEG, "jpeg", "completed"),
    ]
    stream = streamed(translation("openai_responses", {**drawing(), "stream": True}))
    grammar_openai_responses.check(stream)
    done = [event["item"] for event in events(stream) if event["type"] == "response.output_item.done"]
    assert [item["result"] for item in done if item["type"] == "image_generation_call"] == [PNG, JPEG]


def test_a_messages_client_is_told_that_there_was_a_picture() -> None:
    found = translation("anthropic", messages())
    texts = [block["text"] for block in answered(found)["content"] if block["type"] == "text"]
    assert texts == ["Here: ", "[image]", "[image]"]
    assert lost(found) == {"answer": "warn"}
    grammar_anthropic.message(streamed(translation("anthropic", messages(stream=True))))
    assert not translation("anthropic", messages(), model="gemini-2.5-flash").losses


# And back


def spoken(found: Translation) -> list[Any]:
    """The model's parts in the history that is sent."""
    contents: Any = found.rendered["contents"]
    return [part for content in contents if content["role"] == "model" for part in content["parts"]]


SAID = [
    {"text": "Here: ", "thoughtSignature": "dGV4dA=="},
    {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "b25l"},
    {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}, "thoughtSignature": "dHdv"},
]


def chat_again(message: dict[str, Any]) -> dict[str, Any]:
    asked = chat()["messages"]
    return chat(messages=[*asked, message, {"role": "user", "content": "make it blue"}])


def test_pictures_that_a_chat_client_sends_back_keep_their_signatures() -> None:
    message = answered(translation("openai_chat", chat()))["choices"][0]["message"]
    assert spoken(translation("openai_chat", chat_again(message))) == SAID


def test_pictures_that_a_responses_client_sends_back_keep_their_signatures() -> None:
    output = answered(translation("openai_responses", drawing()))["output"]
    again = responses(input=[{"role": "user", "content": "a cat"}, *output, {"role": "user", "content": "blue"}])
    said = spoken(translation("openai_responses", again))
    assert [part for part in said if not part.get("thought")] == SAID


def test_a_picture_that_nobody_signed_is_excused() -> None:
    message = {"role": "assistant", "content": "Here: ", "images": [{"image_url": {"url": URL}}]}
    body = chat_again(message)
    picture = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    excuse = {"thoughtSignature": SKIP_SIGNATURE}
    assert spoken(translation("openai_chat", body)) == [{"text": "Here: ", **excuse}, {**picture, **excuse}]
    plain = [{"text": "Here: "}, picture]
    assert spoken(translation("openai_chat", body, model="gemini-2.5-flash-image")) == plain
    assert spoken(translation("openai_chat", body, model="gemini-2.5-flash")) == plain


def test_a_signature_whose_picture_is_gone_stays_behind() -> None:
    said = answered(translation("anthropic", messages()))["content"]
    asked = messages()["messages"]
    again = messages(messages=[*asked, {"role": "assistant", "content": said}, {"role": "user", "content": "blue"}])
    found = translation("anthropic", again)
    parts = spoken(found)
    assert "".join(part["text"] for part in parts if not part.get("thought")) == "Here: [image][image]"
    assert not {"b25l", "dHdv"} & {part.get("thoughtSignature") for part in parts}
    assert "note" in {loss.weight for loss in found.losses if "picture" in loss.why}


def test_pictures_beside_an_answer_are_read() -> None:
    image = {"type": "image_url", "image_url": {"url": URL}}
    message = {"role": "assistant", "content": "Here", "images": [image]}
    body = chat(messages=[{"role": "user", "content": "a cat"}, message])
    turn = DIALECTS["openai_chat"].client.parse_request(body, model="m", stream=False, losses=Losses()).turns[1]
    assert turn.parts == (Text("Here"), Image(Source("image/png", data=PNG)))
    broken = chat(messages=[{"role": "assistant", "content": "", "images": [{"image_url": {"url": "x"}}]}])
    with pytest.raises(Invalid) as caught:
        DIALECTS["openai_chat"].client.parse_request(broken, model="m", stream=False, losses=Losses())
    assert caught.value.param == "messages[0].images[0].image_url.url"


def test_another_vendors_model_is_told_that_there_was_a_picture() -> None:
    message = {"role": "assistant", "content": None, "images": [{"image_url": {"url": URL}}]}
    found = translation("openai_chat", chat_again(message), "anthropic")
    sent: Any = found.rendered["messages"]
    assert sent[1] == {"role": "assistant", "content": [{"type": "text", "text": "[image]"}]}
    assert lost(found) == {"messages[1].content[0]": "warn"}
