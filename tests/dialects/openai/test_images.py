"""OpenAI's image requests read, field by field, and its answers written."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.multipart import FormFile
from agcore.conversation.images import Drawn, ImageAnswer, ImageRequest
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid, Source
from agcore.dialects.openai import images as images_openai
from agcore.protocol.report import Usage
from tests.support.pictures import coded, jpeg, png, webp_lossy

PNG = png(1024, 768)
JPEG = jpeg(800, 600)
URL = f"data:image/png;base64,{coded(PNG)}"


def generation(losses: Losses | None = None, **members: Any) -> ImageRequest:
    body = {"prompt": "a cat", "model": "m", **members}
    return images_openai.parse_generation(body, Losses() if losses is None else losses)


def edit(losses: Losses | None = None, **members: Any) -> ImageRequest:
    body = {"prompt": "a cat", "model": "m", "images": [{"image_url": URL}], **members}
    return images_openai.parse_edit(body, Losses() if losses is None else losses)


def form(*fields: tuple[str, str], files: Any = (("image", PNG),), losses: Losses | None = None) -> ImageRequest:
    uploaded = [FormFile(name, "", "", data) for name, data in files]
    asked = (("prompt", "a cat"), ("model", "m"), *fields)
    return images_openai.parse_edit_form(asked, uploaded, Losses() if losses is None else losses)


def refused(call: Any, *args: Any, **kwargs: Any) -> tuple[str, str | None]:
    with pytest.raises(Invalid) as caught:
        call(*args, **kwargs)
    return str(caught.value), caught.value.param


# Requests


def test_a_request_of_two_members_leaves_everything_else_to_the_model() -> None:
    losses = Losses()
    assert generation(losses) == ImageRequest(prompt="a cat", model="m")
    assert not losses


def test_every_member_is_read() -> None:
    losses = Losses()
    read = generation(
        losses,
        prompt="  a cat\n",
        n=10,
        size="1536x1024",
        aspect_ratio="16:9",
        image_size="2k",
        quality="high",
        background="transparent",
        output_format="webp",
        output_compression=0,
        response_format="url",
        moderation="low",
        style="vivid",
        user="u",
        stream=True,
        partial_images=3,
    )
    assert read == ImageRequest(
        prompt="  a cat\n",
        model="m",
        n=10,
        size="1536x1024",
        aspect_ratio="16:9",
        resolution="2K",
        quality="high",
        background="transparent",
        output_format="webp",
        output_compression=0,
        response_format="url",
        moderation="low",
        style="vivid",
        user="u",
        stream=True,
        partial_images=3,
    )
    assert not losses


def test_auto_and_null_are_no_choice() -> None:
    absent = dict.fromkeys(("n", "style", "output_format", "stream", "partial_images", "user", "wibble"))
    auto = dict.fromkeys(("size", "quality", "background", "moderation", "aspect_ratio"), "auto")
    losses = Losses()
    assert generation(losses, **absent, **auto) == ImageRequest(prompt="a cat", model="m")
    assert not losses


def test_the_safety_identifier_counts_before_the_user() -> None:
    assert generation(user="u", safety_identifier="s").user == "s"
    assert generation(user="u", safety_identifier="").user == "u"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("256x256", ("256x256", "", "")),
        ("3840x2160", ("3840x2160", "", "")),
        ("16384x1", ("16384x1", "", "")),
        ("16:9", ("", "16:9", "")),
        ("4K", ("", "", "4K")),
        ("1k", ("", "", "1K")),
        ("512", ("", "", "512")),
    ],
)
def test_a_size_is_pixels_or_a_ratio_or_a_class(size: str, expected: tuple[str, str, str]) -> None:
    read = generation(size=size)
    assert (read.size, read.aspect_ratio, read.resolution) == expected


@pytest.mark.parametrize("size", ["big", "1024", "1024x", "x", "0x100", "1024X1024", "1e3x1", "16385x1", "1:0", "8K"])
def test_other_sizes_are_refused(size: str) -> None:
    message, param = refused(generation, size=size)
    assert param == "size"
    assert size in message


def test_the_size_of_geminis_clients_has_two_spellings() -> None:
    assert generation(imageSize="4K").resolution == "4K"
    assert generation(imageSize="4K", image_size="1K", size="2K").resolution == "1K"
    assert refused(generation, imageSize="8K")[1] == "imageSize"
    assert refused(generation, image_size="big")[1] == "image_size"
    assert refused(generation, aspect_ratio="wide")[1] == "aspect_ratio"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", None),
        ("prompt", ""),
        ("prompt", ["a"]),
        ("model", 1),
        ("n", 0),
        ("n", 11),
        ("n", -1),
        ("n", "2"),
        ("n", 1.5),
        ("n", True),
        ("size", 1024),
        ("quality", "best"),
        ("background", "red"),
        ("output_format", "bmp"),
        ("output_compression", 101),
        ("output_compression", -1),
        ("response_format", "png"),
        ("moderation", "none"),
        ("style", "dull"),
        ("user", 1),
        ("stream", "true"),
        ("partial_images", 4),
        ("partial_images", -1),
        ("input_fidelity", "exact"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(field: str, value: object) -> None:
    message, param = refused(generation, **{field: value})
    assert param == field
    assert f"`{field}`" in message


def test_the_words_that_a_field_takes_are_told() -> None:
    message, _ = refused(generation, background="red")
    assert message == "`background` must be one of `auto`, `transparent`, `opaque`; it is 'red'"
    assert refused(generation, n=11)[0] == "`n` must be between 1 and 10; it is 11"


def test_unknown_members_are_lost_in_their_order() -> None:
    losses = Losses()
    generation(losses, wibble=1, frame_count=4, input_fidelity="high")
    assert [(loss.path, loss.weight) for loss in losses] == [
        ("wibble", "warn"),
        ("frame_count", "warn"),
        ("input_fidelity", "warn"),
    ]


# Edits in JSON


def test_an_edit_names_its_pictures_by_url_or_by_id() -> None:
    losses = Losses()
    images = [{"image_url": URL}, {"image_url": "https://a.example/b.png"}, {"file_id": "file-1", "image_url": None}]
    read = edit(losses, images=images, mask={"image_url": URL}, input_fidelity="high")
    inline = Source(media_type="image/png", data=coded(PNG))
    assert read.images == (inline, Source(url="https://a.example/b.png"), Source(file_id="file-1"))
    assert (read.mask, read.edit, read.images_at, read.input_fidelity) == (inline, True, "images", "high")
    assert not losses


def test_a_picture_of_json_has_the_type_that_its_bytes_say() -> None:
    [source] = edit(images=[{"image_url": f"data:image/png;base64,{coded(JPEG)}"}]).images
    assert source.media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("members", "at"),
    [
        ({"images": None}, "images"),
        ({"images": []}, "images"),
        ({"images": URL}, "images"),
        ({"images": [URL]}, "images[0]"),
        ({"images": [{"image_url": URL}, {}]}, "images[1]"),
        ({"images": [{"image_url": URL, "file_id": "f"}]}, "images[0]"),
        ({"images": [{"image_url": 5}]}, "images[0].image_url"),
        ({"images": [{"image_url": "data:image/png;base64,!"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "data:application/pdf;base64,JVBERi0x"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "file:///etc/passwd"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "cat.png"}]}, "images[0].image_url"),
        ({"mask": {"image_url": "cat.png"}}, "mask.image_url"),
        ({"mask": {}}, "mask"),
        ({"images": [{"image_url": URL}] * 17}, "images"),
    ],
)
def test_an_edit_without_readable_pictures_is_refused(members: dict[str, Any], at: str) -> None:
    message, param = refused(edit, **members)
    assert param == at
    assert at in message


def test_sixteen_pictures_can_be_edited() -> None:
    assert len(edit(images=[{"image_url": URL}] * 16).images) == 16


# Edits as a form


def test_a_form_has_its_pictures_in_order_however_they_are_named() -> None:
    files = [("image[]", PNG), ("mask", PNG), ("image[]", JPEG), ("image", webp_lossy(2, 2)), ("image[3]", PNG)]
    read = form(files=files)
    assert [source.media_type for source in read.images] == ["image/png", "image/jpeg", "image/webp", "image/png"]
    assert [base64.b64decode(source.data) for source in read.images] == [PNG, JPEG, webp_lossy(2, 2), PNG]
    assert read.mask == Source(media_type="image/png", data=coded(PNG))
    assert (read.edit, read.images_at) == (True, "image")


def test_a_forms_fields_mean_what_they_mean_in_json() -> None:
    losses = Losses()
    fields = {
        "n": "2",
        "size": "1024x1024",
        "quality": "low",
        "stream": "true",
        "partial_images": "0",
        "output_compression": "50",
        "output_format": "jpeg",
        "input_fidelity": "low",
        "response_format": "",
    }
    read = form(*fields.items(), losses=losses)
    assert msgspec.structs.replace(read, images=()) == ImageRequest(
        prompt="a cat",
        model="m",
        n=2,
        size="1024x1024",
        quality="low",
        stream=True,
        output_compression=50,
        output_format="jpeg",
        input_fidelity="low",
        edit=True,
        images_at="image",
    )
    assert not losses
    assert form(("stream", "False")).stream is False


@pytest.mark.parametrize(
    ("fields", "files", "at"),
    [
        ([("n", "two")], [("image", PNG)], "n"),
        ([("n", "2.0")], [("image", PNG)], "n"),
        ([("n", "9999999999999")], [("image", PNG)], "n"),
        ([("n", "-1")], [("image", PNG)], "n"),
        ([("stream", "maybe")], [("image", PNG)], "stream"),
        ([("prompt", "twice")], [("image", PNG)], "prompt"),
        ([], [], "image"),
        ([("image", "a name")], [], "image"),
        ([], [("image", b"")], "image"),
        ([], [("image", b"GIF89a")], "image"),
        ([], [("image", PNG), ("mask", b"%PDF")], "mask"),
        ([], [("image", PNG), ("mask", PNG), ("mask", PNG)], "mask"),
        ([], [("image", PNG), ("size", b"1024x1024")], "size"),
        ([], [("image[]", PNG)] * 17, "image"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_with_its_field(fields: Any, files: Any, at: str) -> None:
    message, param = refused(form, *fields, files=files)
    assert param == at
    assert f"`{at}`" in message


def test_what_a_form_has_besides_is_lost() -> None:
    losses = Losses()
    form(("svg[model]", "x"), files=[("image", PNG), ("markup", PNG), ("images", PNG)], losses=losses)
    assert [loss.path for loss in losses] == ["markup", "images", "svg[model]"]


def param_of(call: Any, *args: Any) -> str | None:
    """The field at fault; `prompt`, which every request needs, where the request is read."""
    try:
        read = call(*args, Losses())
    except Invalid as error:
        return error.param
    return "prompt" if read.prompt and 1 <= read.n <= 10 else None


@given(st.dictionaries(st.sampled_from(["n", "size", "quality", "stream", "prompt", "x"]), st.text(max_size=8)))
def test_a_form_of_any_texts_is_read_or_refused(fields: dict[str, str]) -> None:
    param = param_of(images_openai.parse_edit_form, fields.items(), [FormFile("image", "", "", PNG)])
    assert param in {*fields, "prompt"}


@given(
    st.dictionaries(
        st.sampled_from(sorted(ImageRequest.__struct_fields__)),
        st.none() | st.booleans() | st.integers(-2, 12) | st.text(max_size=8) | st.lists(st.none(), max_size=1),
    )
)
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    assert param_of(images_openai.parse_generation, body) in {*body, "prompt"}
    assert str(param_of(images_openai.parse_edit, body)).partition("[")[0] in {*body, "prompt", "images"}


# Answers


def answer(*pictures: bytes, usage: Usage | None = None, revised: str = "") -> ImageAnswer:
    images = tuple(Drawn(Source(media_type="image/png", data=coded(picture)), revised) for picture in pictures)
    return ImageAnswer(images=images, usage=usage, image_input=30, image_output=1_000)


def write(request: ImageRequest, made: ImageAnswer, *, created: int = 1) -> Any:
    return json.loads(images_openai.write_answer(made, request, model="m", created=created).body)


def test_an_answer_tells_the_true_size_and_format() -> None:
    written = write(
        generation(size="1536x1024", output_format="webp", quality="high"), answer(JPEG, PNG), created=1_700_000_000
    )
    assert written == {
        "created": 1_700_000_000,
        "data": [{"b64_json": coded(JPEG)}, {"b64_json": coded(PNG)}],
        "size": "800x600",
        "quality": "high",
        "background": "opaque",
        "output_format": "jpeg",
    }


def test_an_answer_without_a_known_size_tells_none() -> None:
    written = write(generation(), answer(b"\x89PNG\r\n\x1a\n"))
    assert written.keys() == {"created", "data", "background", "output_format"}


@pytest.mark.parametrize(("asked", "told"), [("max", "max"), ("hd", None), ("standard", None), ("auto", None)])
def test_an_answer_tells_the_qualities_that_answers_know(asked: str, told: str | None) -> None:
    written = write(generation(quality=asked), answer(PNG))
    assert written.get("quality") == told


def test_an_answer_by_url_holds_data_urls() -> None:
    written = write(generation(response_format="url"), answer(PNG, revised="a dog"))
    assert written["data"] == [{"url": URL, "revised_prompt": "a dog"}]


def test_usage_is_told_by_kind() -> None:
    usage = Usage(fresh=40, cache_read=10, output=1_200, reasoning=200)
    written = write(generation(), answer(PNG, usage=usage))
    assert written["usage"] == {
        "input_tokens": 50,
        "input_tokens_details": {"image_tokens": 30, "text_tokens": 20},
        "output_tokens": 1_200,
        "output_tokens_details": {"image_tokens": 1_000, "text_tokens": 200},
        "total_tokens": 1_250,
    }


@pytest.mark.parametrize(
    ("request_", "kind"),
    [(generation(stream=True), "image_generation.completed"), (edit(stream=True), "image_edit.completed")],
)
def test_a_stream_has_an_event_for_each_picture_and_usage_in_the_last(request_: ImageRequest, kind: str) -> None:
    made = answer(PNG, JPEG, usage=Usage(fresh=50, output=1_000))
    frames = list(images_openai.write_events(made, request_, created=7))
    assert [frame.partition(b"\n")[0] for frame in frames] == [f"event: {kind}".encode()] * 2
    first, last = (json.loads(frame.partition(b"data: ")[2]) for frame in frames)
    assert first == {
        "type": kind,
        "b64_json": coded(PNG),
        "created_at": 7,
        "size": "1024x768",
        "quality": "auto",
        "background": "opaque",
        "output_format": "png",
    }
    assert last["b64_json"] == coded(JPEG)
    assert last["usage"]["total_tokens"] == 1_050
    assert all(frame.endswith(b"\n\n") and frame.count(b"\n") == 3 for frame in frames)
