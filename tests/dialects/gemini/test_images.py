"""Pictures by Google's models: what is asked for, what is lost on the way, and what comes of their answers."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.globs import matches
from agcore.conversation.images import MAX_IMAGES, Drawn, ImageAnswer, ImageRequest, merged
from agcore.conversation.losses import Losses
from agcore.conversation.values import Source
from agcore.dialects.gemini import images as images_google
from agcore.dialects.gemini.pictures import ABILITIES, EDGES
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.pictures import coded, jpeg, png

FLASH_2 = "gemini-2.5-flash-image"
PRO_3 = "gemini-3-pro-image-preview"
FLASH_3 = "gemini-3.1-flash-image"
LITE_3 = "gemini-3.1-flash-lite-image"
IMAGEN = "imagen-4.0-generate-001"
PNG = coded(png(1024, 1024))
JPEG = coded(jpeg(1376, 768))


def ask(**values: Any) -> ImageRequest:
    return ImageRequest(prompt="a cat", **values)


def gemini(request: ImageRequest, model: str = PRO_3, losses: Losses | None = None) -> Any:
    return images_google.render_gemini(request, model=model, losses=Losses() if losses is None else losses)


def imagen(request: ImageRequest, model: str = IMAGEN, losses: Losses | None = None, images: int = 1) -> Any:
    losses = Losses() if losses is None else losses
    return images_google.render_imagen(request, model=model, images=images, losses=losses)


def drawn(request: ImageRequest, model: str = PRO_3) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """The `imageConfig` of a request, and its losses as (path, action, weight)."""
    losses = Losses()
    config = gemini(request, model, losses)["generationConfig"]
    return config.get("imageConfig", {}), [(loss.path, loss.action, loss.weight) for loss in losses]


def lost(losses: Losses) -> dict[str, str]:
    return {loss.path: loss.weight for loss in losses}


# Requests to Gemini


def test_a_plain_request_is_the_prompt_and_nothing_of_the_pictures() -> None:
    losses = Losses()
    assert gemini(msgspec.structs.replace(ask(), prompt=" a cat\n"), losses=losses) == {
        "contents": [{"role": "user", "parts": [{"text": " a cat\n"}]}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }
    assert not losses


def test_pictures_to_be_edited_follow_the_prompt() -> None:
    sources = (
        Source(media_type="image/png", data=PNG),
        Source(media_type="image/jpeg", data=JPEG),
        Source(file_id="files/abc"),
        Source(url="https://generativelanguage.googleapis.com/v1beta/files/x"),
    )
    losses = Losses()
    [content] = gemini(ask(edit=True, images=sources), losses=losses)["contents"]
    assert content["parts"] == [
        {"text": "a cat"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}},
        {"fileData": {"fileUri": "files/abc"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
    ]
    assert not losses


def test_pictures_that_google_cannot_read_are_refused_where_they_stand() -> None:
    losses = Losses()
    sources = (Source(url="https://a.example/b.png"), Source(file_id="file-1"))
    gemini(ask(edit=True, images=sources), losses=losses)
    assert lost(losses) == {"images[0].image_url": "refuse", "images[1].file_id": "refuse"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"background": "transparent"}, {"background": "warn"}),
        ({"background": "opaque"}, {}),
        ({"moderation": "low"}, {"moderation": "note"}),
        ({"style": "vivid"}, {"style": "note"}),
        ({"style": "natural"}, {"style": "warn"}),
        ({"user": "u"}, {"user": "note"}),
        ({"input_fidelity": "high"}, {"input_fidelity": "warn"}),
        ({"input_fidelity": "low"}, {"input_fidelity": "note"}),
        ({"output_compression": 0}, {"output_compression": "note"}),
        ({"output_format": "gif"}, {"output_format": "refuse"}),
        ({"output_format": "svg"}, {"output_format": "refuse"}),
        ({"output_format": "webp"}, {}),
        ({"partial_images": 1, "stream": True}, {"partial_images": "note"}),
        ({"stream": True, "n": 4, "response_format": "url"}, {}),
        ({"mask": Source(media_type="image/png", data=PNG)}, {"mask": "refuse"}),
    ],
)
def test_what_google_cannot_be_told_is_lost_with_its_weight(values: Any, expected: dict[str, str]) -> None:
    for render in (gemini, imagen):
        losses = Losses()
        rendered = render(ask(**values), losses=losses)
        assert lost(losses) == expected
        assert rendered == render(ask(output_format=values.get("output_format", "")))


@pytest.mark.parametrize(
    ("size", "ratio", "resolution"),
    [
        ("256x256", "1:1", "512"),
        ("512x512", "1:1", "512"),
        ("1024x1024", "1:1", "1K"),
        ("1536x1024", "3:2", "1K"),
        ("1024x1536", "2:3", "1K"),
        ("1792x1024", "16:9", "1K"),
        ("1024x1792", "9:16", "1K"),
        ("1376x768", "16:9", "1K"),
        ("1264x848", "3:2", "1K"),
        ("848x1264", "2:3", "1K"),
        ("1200x896", "4:3", "1K"),
        ("896x1200", "3:4", "1K"),
        ("1152x928", "5:4", "1K"),
        ("928x1152", "4:5", "1K"),
        ("768x1376", "9:16", "1K"),
        ("1584x672", "21:9", "1K"),
        ("512x2048", "1:4", "1K"),
        ("3072x384", "8:1", "1K"),
        ("1536x1536", "1:1", "2K"),
        ("1920x1080", "16:9", "2K"),
        ("2048x2048", "1:1", "2K"),
        ("2560x1440", "16:9", "2K"),
        ("3840x2160", "16:9", "4K"),
        ("4096x4096", "1:1", "4K"),
        ("16384x16384", "1:1", "4K"),
    ],
)
def test_a_size_in_pixels_becomes_a_ratio_and_a_size(size: str, ratio: str, resolution: str) -> None:
    config, losses = drawn(ask(size=size), FLASH_3)
    assert config == {"aspectRatio": ratio, "imageSize": resolution}
    exact = size in ("512x512", "1024x1024", "2048x2048", "4096x4096")
    assert losses == ([] if exact else [("size", f"sent as {ratio}", "note")])


def test_a_shape_that_the_model_does_not_draw_is_told() -> None:
    config, losses = drawn(ask(size="2048x512"), PRO_3)
    assert config["aspectRatio"] == "21:9"
    assert losses == [("size", "sent as 21:9", "warn")]
    assert drawn(ask(size="2048x512"), FLASH_3)[0]["aspectRatio"] == "4:1"
    assert drawn(ask(aspect_ratio="1:8"), PRO_3) == (
        {"aspectRatio": "9:16"},
        [("aspect_ratio", "sent as 9:16", "warn")],
    )


def test_a_ratio_or_a_class_counts_before_the_pixels() -> None:
    assert drawn(ask(size="1024x1024", aspect_ratio="16:9", resolution="4K")) == (
        {"aspectRatio": "16:9", "imageSize": "4K"},
        [],
    )
    assert drawn(ask(aspect_ratio="32:18")) == ({"aspectRatio": "16:9"}, [])


@pytest.mark.parametrize(
    ("quality", "size"),
    [
        ("low", "1K"),
        ("standard", "1K"),
        ("medium", "2K"),
        ("high", "4K"),
        ("hd", "4K"),
        ("xhigh", "4K"),
        ("max", "4K"),
    ],
)
def test_quality_chooses_the_size_where_nothing_else_does(quality: str, size: str) -> None:
    assert drawn(ask(quality=quality)) == ({"imageSize": size}, [])
    assert drawn(ask(quality=quality, aspect_ratio="1:1")) == ({"aspectRatio": "1:1", "imageSize": size}, [])
    config, losses = drawn(ask(quality=quality, size="1024x1024"))
    assert config == {"aspectRatio": "1:1", "imageSize": "1K"}
    assert losses == ([] if size == "1K" else [("quality", "dropped", "warn")])


@pytest.mark.parametrize(
    ("model", "values", "size", "losses"),
    [
        (FLASH_2, {"size": "1024x1024"}, None, []),
        (FLASH_2, {"quality": "low"}, None, []),
        (FLASH_2, {"resolution": "512"}, None, []),
        (FLASH_2, {"quality": "hd"}, None, [("quality", "left to the model", "warn")]),
        (FLASH_2, {"size": "2048x2048"}, None, [("size", "left to the model", "warn")]),
        (f"models/{FLASH_2}", {"resolution": "4K"}, None, [("image_size", "left to the model", "warn")]),
        (LITE_3, {"resolution": "1K"}, "1K", []),
        (LITE_3, {"resolution": "4K"}, "1K", [("image_size", "sent as 1K", "warn")]),
        (LITE_3, {"resolution": "512"}, "1K", [("image_size", "sent as 1K", "note")]),
        (FLASH_3, {"resolution": "512"}, "512", []),
        (PRO_3, {"resolution": "512"}, "1K", [("image_size", "sent as 1K", "note")]),
        ("someone/new-image-model", {"quality": "medium"}, "2K", []),
    ],
)
def test_each_model_is_asked_for_a_size_that_it_knows(model: str, values: Any, size: str | None, losses: Any) -> None:
    config, noted = drawn(ask(**values), model)
    assert config.get("imageSize") == size
    assert noted == losses


sizes = st.tuples(st.integers(1, 16_384), st.integers(1, 16_384))
models = st.sampled_from([FLASH_2, PRO_3, FLASH_3, LITE_3, IMAGEN, "imagen-4.0-fast-generate-001", "other"])


@given(sizes, models)
def test_a_ratio_is_the_nearest_that_the_model_has(pixels: tuple[int, int], model: str) -> None:
    request = ask(size=f"{pixels[0]}x{pixels[1]}")
    config = gemini(request, model)["generationConfig"]["imageConfig"]
    ratios = next(row[1] for row in ABILITIES if matches(row[0], model))
    asked = math.log(pixels[0] / pixels[1])

    def off(ratio: str) -> float:
        width, height = map(int, ratio.split(":"))
        return abs(math.log(width / height) - asked)

    assert config["aspectRatio"] in ratios
    assert off(config["aspectRatio"]) <= min(map(off, ratios)) + 1e-9


@given(sizes)
def test_no_more_pixels_are_asked_for_than_are_needed(pixels: tuple[int, int]) -> None:
    sent = gemini(ask(size=f"{pixels[0]}x{pixels[1]}"), FLASH_3)["generationConfig"]["imageConfig"]["imageSize"]
    edge, wanted = EDGES[sent], math.sqrt(pixels[0] * pixels[1])
    assert edge >= 0.74 * wanted or sent == "4K"
    assert edge // 2 < 0.75 * wanted or sent == "512"


# Requests to Imagen


def test_imagen_is_told_how_many_and_in_which_shape() -> None:
    losses = Losses()
    assert imagen(ask(n=6, size="1024x1024"), losses=losses, images=4) == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {
            "sampleCount": 4,
            "includeRaiReason": True,
            "aspectRatio": "1:1",
            "sampleImageSize": "1K",
        },
    }
    assert not losses


@pytest.mark.parametrize(
    ("values", "output", "losses"),
    [
        ({"output_format": "png"}, {"mimeType": "image/png"}, {}),
        ({"output_format": "jpeg"}, {"mimeType": "image/jpeg"}, {}),
        (
            {"output_format": "jpeg", "output_compression": 0},
            {"mimeType": "image/jpeg", "compressionQuality": 0},
            {},
        ),
        (
            {"output_format": "png", "output_compression": 9},
            {"mimeType": "image/png"},
            {"output_compression": "note"},
        ),
        ({"output_format": "webp"}, None, {}),
        ({"output_compression": 9}, None, {"output_compression": "note"}),
    ],
)
def test_imagen_is_told_the_format(values: Any, output: Any, losses: dict[str, str]) -> None:
    noted = Losses()
    assert imagen(ask(**values), losses=noted)["parameters"].get("outputOptions") == output
    assert lost(noted) == losses


def test_imagen_has_fewer_shapes_and_sizes() -> None:
    losses = Losses()
    parameters = imagen(ask(size="1536x1024", resolution="4K"), losses=losses)["parameters"]
    assert (parameters["aspectRatio"], parameters["sampleImageSize"]) == ("4:3", "2K")
    assert lost(losses) == {"size": "warn", "image_size": "warn"}
    assert "sampleImageSize" not in imagen(ask(quality="low"), "imagen-4.0-fast-generate-001")["parameters"]


def test_imagen_edits_nothing() -> None:
    losses = Losses()
    source = Source(media_type="image/png", data=PNG)
    imagen(ask(edit=True, images=(source,), images_at="image"), losses=losses)
    assert lost(losses) == {"image": "refuse"}


# Calls


@pytest.mark.parametrize(
    ("model", "method"),
    [(FLASH_2, "generateContent"), (PRO_3, "generateContent"), (IMAGEN, "predict"), ("imagen-9", "predict"),
     ("unheard-of", "generateContent")],
)  # fmt: skip
def test_the_method_follows_from_the_model(model: str, method: str) -> None:
    assert images_google.method_of(profile(model)) == method


def test_a_request_is_divided_into_as_few_calls_as_there_can_be() -> None:
    assert [images_google.division(ask(n=n), "generateContent") for n in (1, 3)] == [[1], [1, 1, 1]]
    assert [images_google.division(ask(n=n), "predict") for n in (1, 4, 5, 10)] == [[1], [4], [4, 1], [4, 4, 2]]
    for n in range(1, MAX_IMAGES + 1):
        assert sum(images_google.division(ask(n=n), "predict")) == n


# Answers of Gemini


def picture(data: str = PNG, kind: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": data}, **more}


def candidate(*parts: dict[str, Any], reason: str = "STOP", **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason, **more}]}


def test_an_answer_has_its_pictures_its_words_and_its_counts() -> None:
    usage = {
        "promptTokenCount": 270,
        "candidatesTokenCount": 1_140,
        "thoughtsTokenCount": 100,
        "totalTokenCount": 1_510,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}, {"modality": "IMAGE", "tokenCount": 258}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": "1120"}],
    }
    said = candidate({"text": "Here "}, {"text": "it is."}, picture(JPEG, "image/jpeg", thoughtSignature="c2ln"))
    assert images_google.read_gemini({**said, "usageMetadata": usage}) == ImageAnswer(
        images=(Drawn(Source(media_type="image/jpeg", data=JPEG)),),
        text="Here it is.",
        usage=Usage(fresh=270, output=1_240, reasoning=100),
        image_input=258,
        image_output=1_120,
    )


def test_drafts_among_the_thoughts_are_no_pictures() -> None:
    read = images_google.read_gemini(candidate(picture(JPEG, thought=True), picture(PNG)))
    assert isinstance(read, ImageAnswer)
    assert [image.source.data for image in read.images] == [PNG]
    assert isinstance(images_google.read_gemini(candidate(picture(JPEG, thought=True))), Fault)


def test_counts_that_are_missing_or_strange_are_none() -> None:
    read = images_google.read_gemini(candidate(picture()))
    assert isinstance(read, ImageAnswer)
    assert (read.usage, read.image_input, read.image_output) == (None, 0, 0)
    odd = {"promptTokensDetails": {}, "candidatesTokensDetails": [7, {"modality": "IMAGE", "tokenCount": -1}]}
    read = images_google.read_gemini({**candidate(picture()), "usageMetadata": odd})
    assert isinstance(read, ImageAnswer)
    assert (read.image_input, read.image_output) == (0, 0)


@pytest.mark.parametrize(
    ("answer", "status", "code", "said"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, 400, "moderation_blocked", "PROHIBITED_CONTENT"),
        (
            {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}},
            400,
            "moderation_blocked",
            "(SAFETY): No.",
        ),
        (candidate(reason="IMAGE_SAFETY", finishMessage="Unsafe."), 400, "moderation_blocked", "Unsafe."),
        (candidate({"text": "No."}, reason="SAFETY"), 400, "moderation_blocked", "(SAFETY)"),
        (candidate(reason="IMAGE_RECITATION"), 400, "moderation_blocked", "(IMAGE_RECITATION)"),
        (candidate(reason="NO_IMAGE"), 502, "no_image", "(NO_IMAGE)"),
        (candidate({"text": "Which cat?"}), 502, "no_image", "without a picture: Which cat?"),
        (candidate(reason="MAX_TOKENS"), 502, "no_image", "(MAX_TOKENS)"),
        (candidate({"text": "x" * 400}), 502, "no_image", "x" * 300 + "..."),
        (candidate(reason="MALFORMED_RESPONSE"), 502, None, "MALFORMED_RESPONSE"),
        ({}, 502, None, ""),
        ({"candidates": []}, 502, None, ""),
        ({"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}, 429, None, "Slow down."),
    ],
)
def test_an_answer_without_a_picture_is_a_fault(answer: Any, status: int, code: str | None, said: str) -> None:
    fault = images_google.read_gemini(answer)
    assert isinstance(fault, Fault)
    assert (fault.status, said in fault.message) == (status, True), fault
    assert code in (None, fault.code)


# Answers of Imagen


def test_imagen_gives_several_pictures() -> None:
    predictions = [
        {"bytesBase64Encoded": PNG, "mimeType": "image/png", "prompt": "a fluffy cat"},
        {"raiFilteredReason": "filtered"},
        {"bytesBase64Encoded": JPEG},
        {"safetyAttributes": {}},
        7,
    ]
    assert images_google.read_imagen({"predictions": predictions}) == ImageAnswer(
        images=(
            Drawn(Source(media_type="image/png", data=PNG), "a fluffy cat"),
            Drawn(Source(media_type="image/png", data=JPEG)),
        )
    )


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"predictions": [{"raiFilteredReason": "People."}]}, 400, "People."),
        ({"predictions": [{"bytesBase64Encoded": "!"}]}, 502, "without a picture"),
        ({"predictions": None}, 502, "without a picture"),
        ({}, 502, "without a picture"),
    ],
)
def test_imagen_without_a_picture_is_a_fault(answer: Any, status: int, said: str) -> None:
    fault = images_google.read_imagen(answer)
    assert isinstance(fault, Fault)
    assert fault.status == status
    assert said in fault.message


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["candidates", "content", "parts", "inlineData", "mimeType", "data", "finishReason", "promptFeedback",
             "blockReason", "predictions", "bytesBase64Encoded", "raiFilteredReason", "usageMetadata",
             "promptTokensDetails"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["candidates", "promptFeedback", "predictions", "usageMetadata"]), values))
def test_any_answer_has_a_picture_or_is_a_fault(answer: Any) -> None:
    for read in (images_google.read_gemini, images_google.read_imagen):
        found = read(answer)
        assert isinstance(found, Fault) or found.images


# Several answers together


def made(*data: str, usage: Usage | None = None, text: str = "") -> ImageAnswer:
    images = tuple(Drawn(Source(media_type="image/png", data=each)) for each in data)
    return ImageAnswer(images=images, usage=usage, text=text, image_input=1, image_output=2)


BLOCKED = Fault(status=400, message="blocked", code="moderation_blocked")
BUSY = Fault(status=429, message="busy")


def test_answers_are_merged_in_order_with_their_counts() -> None:
    losses = Losses()
    answers = [made(PNG, usage=Usage(fresh=5, output=7)), made(JPEG, usage=Usage(fresh=5, output=8)), made(PNG)]
    answer = merged(ask(n=3), answers, losses)
    assert isinstance(answer, ImageAnswer)
    assert [image.source.data for image in answer.images] == [PNG, JPEG, PNG]
    assert (answer.usage, answer.image_input, answer.image_output) == (Usage(fresh=10, output=15), 3, 6)
    assert not losses


def test_pictures_that_were_made_are_handed_out_though_others_failed() -> None:
    losses = Losses()
    answer = merged(ask(n=4), [BUSY, made(PNG), BUSY, BLOCKED], losses)
    assert isinstance(answer, ImageAnswer)
    assert len(answer.images) == 1
    [loss] = losses
    assert (loss.path, loss.why, loss.weight) == ("n", "busy; blocked", "warn")
    assert loss.action == "answered with 1 of 4 images"


def test_without_a_picture_the_first_fault_is_the_answer() -> None:
    assert merged(ask(n=2), [BUSY, BLOCKED], Losses()) is BUSY


def test_no_more_pictures_are_handed_out_than_were_asked_for() -> None:
    losses = Losses()
    answer = merged(ask(n=1), [made(PNG, JPEG, text="two")], losses)
    assert isinstance(answer, ImageAnswer)
    assert [image.source.data for image in answer.images] == [PNG]
    assert lost(losses) == {"n": "note", "text": "note"}
    assert answer.text == "two"


@pytest.mark.parametrize(
    ("asked", "losses"),
    [("", {}), ("png", {}), ("jpeg", {"output_format": "warn"}), ("webp", {"output_format": "warn"})],
)
def test_another_format_than_was_asked_for_is_told(asked: str, losses: dict[str, str]) -> None:
    noted = Losses()
    merged(ask(output_format=asked), [made(PNG)], noted)
    assert lost(noted) == losses


def test_a_picture_without_a_known_header_has_the_format_that_was_declared() -> None:
    noted = Losses()
    answer = ImageAnswer(images=(Drawn(Source(media_type="image/avif", data="AAAA")),))
    merged(ask(output_format="png"), [answer], noted)
    assert [loss.action for loss in noted] == ["left as avif"]
