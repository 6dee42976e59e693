"""OpenAI's image requests, read, and its answers, written (docs/wire/openai-media.md#images).

Edits come as a form with files, or as JSON with URLs. What OpenAI would refuse raises `conversation.values.Invalid`,
which names the field; whether a provider can do what is asked is for that provider's module to say. Beside OpenAI's own
fields `aspect_ratio` and `image_size` are read, which clients of Gemini's image models send, and a `size` may hold
either of them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.image_header import read_header
from agcore.codecs.multipart import Form, FormFile
from agcore.conversation.images import MAX_IMAGES, Drawn, ImageAnswer, ImageRequest, format_of
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid, Source
from agcore.dialects.openai.fields import as_members, flag, integer, items, needed_text, text, wrong
from agcore.dialects.openai.media_parts import source_of, url_of
from agcore.dialects.shared.picture_fields import RESOLUTIONS, is_ratio, read_pixels, read_ratio, read_resolution
from agcore.dialects.tasks import WrittenAnswer

MAX_INPUTS: Final = 16
"""The most pictures that one edit may name."""
MAX_PARTIAL: Final = 3

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "quality": ("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"),
    "background": ("auto", "transparent", "opaque"),
    "output_format": ("png", "jpeg", "webp", "gif", "svg"),
    "response_format": ("url", "b64_json"),
    "moderation": ("auto", "low"),
    "style": ("vivid", "natural"),
    "input_fidelity": ("high", "low"),
}
_TOLD_QUALITIES: Final = ("low", "medium", "high", "xhigh", "max")
"""Those that answers speak of; the others are words of models that are no more."""
_NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "n": (1, MAX_IMAGES),
    "output_compression": (0, 100),
    "partial_images": (0, MAX_PARTIAL),
}
_READ: Final = frozenset(
    {
        *_CHOICES, *_NUMBERS, "prompt", "model", "size", "aspect_ratio", "image_size", "imageSize", "user",
        "safety_identifier", "stream"
    }
)  # fmt: skip
_IMAGE_FIELD: Final = re.compile(r"image(\[[0-9]*\])?")
_INPUT_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False}


# Requests


def read_request(body: Mapping[str, object] | Form, *, path: str, model: str, losses: Losses) -> ImageRequest:
    """A client's request; see `tasks.ClientTask`."""
    if isinstance(body, Form):
        return parse_edit_form(body.fields, body.files, losses)
    return (parse_edit if path.endswith("/edits") else parse_generation)(body, losses)


def parse_generation(body: Mapping[str, object], losses: Losses) -> ImageRequest:
    """A client's `/v1/images/generations`."""
    _note_unread(body, _READ - {"input_fidelity"}, losses)
    return _read(body)


def parse_edit(body: Mapping[str, object], losses: Losses) -> ImageRequest:
    """A client's `/v1/images/edits` in JSON, where `images` and `mask` are `{"image_url"}` or `{"file_id"}`."""
    _note_unread(body, _READ | {"images", "mask"}, losses)
    references = items(body, "images")
    if not references:
        raise Invalid("`images` is required and must name at least one image", param="images")
    images = [_referenced(reference, f"images[{index}]") for index, reference in enumerate(references)]
    mask = None if body.get("mask") is None else _referenced(body["mask"], "mask")
    return _as_edit(_read(body), images, mask, "images")


def parse_edit_form(fields: Iterable[tuple[str, str]], files: Sequence[FormFile], losses: Losses) -> ImageRequest:
    """A client's `/v1/images/edits` as a form: its plain fields as (name, value), and its files, in order.

    Pictures come as `image`, `image[]` or `image[0]`, one or several of each.
    """
    body: dict[str, object] = {}
    for name, value in fields:
        if name in body:
            raise Invalid(f"The field `{name}` stands in the form twice", param=name)
        body[name] = _typed(name, value)
    images: list[Source] = []
    mask: Source | None = None
    for file in files:
        if _IMAGE_FIELD.fullmatch(file.name):
            images.append(_uploaded(file, "image"))
        elif file.name == "mask" and mask is None:
            mask = _uploaded(file, "mask")
        elif file.name == "mask":
            raise Invalid("The field `mask` stands in the form twice", param="mask")
        elif file.name in _READ:
            raise Invalid(f"`{file.name}` is a plain field of the form, not a file", param=file.name)
        else:
            losses.add(file.name, "not a file of an edit that is known")
    if not images:
        raise Invalid("`image` is required and must be a file", param="image")
    _note_unread(body, _READ, losses)
    return _as_edit(_read(body), images, mask, "image")


def _as_edit(request: ImageRequest, images: Sequence[Source], mask: Source | None, field: str) -> ImageRequest:
    if len(images) > MAX_INPUTS:
        raise Invalid(f"`{field}` names {len(images)} images; at most {MAX_INPUTS} can be edited", param=field)
    return msgspec.structs.replace(request, edit=True, images=tuple(images), mask=mask, images_at=field)


def _typed(name: str, value: str) -> object:
    """The value of a form's field as it would stand in JSON. What does not fit is left for `_read` to refuse."""
    if not value:
        return None
    if name in _NUMBERS and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 10:
        return int(value)
    return _TRUTH.get(value.lower(), value) if name == "stream" else value


def _note_unread(body: Mapping[str, object], known: Container[str], losses: Losses) -> None:
    for name, value in body.items():
        if name not in known and value is not None:
            losses.add(name, "not a member of image requests that is known")


def _read(body: Mapping[str, object]) -> ImageRequest:
    """Everything but the pictures."""
    words = {name: _choice(body, name, choices) for name, choices in _CHOICES.items()}
    numbers = {name: _bounded(body, name, *bounds) for name, bounds in _NUMBERS.items()}
    size, ratio, resolution = _size(text(body, "size"))
    return ImageRequest(
        prompt=needed_text(body, "prompt"),
        model=text(body, "model"),
        n=numbers["n"] or 1,
        size=size,
        aspect_ratio=read_ratio(text(body, "aspect_ratio"), "aspect_ratio") or ratio,
        resolution=_resolution(body) or resolution,
        quality=words["quality"],
        background=words["background"],
        output_format=words["output_format"],
        output_compression=numbers["output_compression"],
        response_format=words["response_format"] or "b64_json",
        moderation=words["moderation"],
        style=words["style"],
        user=text(body, "safety_identifier") or text(body, "user"),
        input_fidelity=words["input_fidelity"],
        stream=flag(body, "stream") or False,
        partial_images=numbers["partial_images"] or 0,
    )


def _choice(body: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    """One of a field's words; empty for `auto`."""
    value = text(body, name)
    if value and value not in choices:
        raise wrong(name, f"one of {', '.join(f'`{choice}`' for choice in choices)}; it is {value[:64]!r}")
    return "" if value == "auto" else value


def _bounded(body: Mapping[str, object], name: str, least: int, most: int) -> int | None:
    value = integer(body, name)
    if value is not None and not least <= value <= most:
        raise wrong(name, f"between {least} and {most}; it is {value}")
    return value


def _size(value: str) -> tuple[str, str, str]:
    """What `size` says, as pixels, as an aspect ratio or as a resolution: at most one of them is set."""
    if is_ratio(value):
        return "", value, ""
    if value.upper() in RESOLUTIONS:
        return "", "", value.upper()
    return read_pixels(value, "size"), "", ""


def _resolution(body: Mapping[str, object]) -> str:
    name = "imageSize" if body.get("image_size") is None else "image_size"
    return read_resolution(text(body, name), name)


def _referenced(value: object, path: str) -> Source:
    """A picture that JSON names. What a data URL holds must be a picture; other URLs are not looked at."""
    reference = as_members(value, path)
    url, file_id = text(reference, "image_url", path + "."), text(reference, "file_id", path + ".")
    if bool(url) == bool(file_id):
        raise Invalid(f"`{path}` must have either an `image_url` or a `file_id`", param=path)
    if file_id:
        return Source(file_id=file_id)
    at = path + ".image_url"
    source = source_of(url)
    if source is None or not (source.data or url.lower().startswith(("https://", "http://"))):
        raise wrong(at, "a URL, or a data URL in base64")
    if source.data and source.media_type not in _INPUT_TYPES:
        raise wrong(at, "a PNG, JPEG or WebP image")
    return source


def _uploaded(file: FormFile, field: str) -> Source:
    """A picture's file; its type is what its bytes say."""
    header = read_header(file.data)
    if header is None:
        raise wrong(field, "a PNG, JPEG or WebP image" if file.data else "a file that is not empty")
    return Source(media_type=header.media_type, data=base64.b64encode(file.data).decode("ascii"))


# Answers


def write_answer(answer: ImageAnswer, request: ImageRequest, *, model: str, created: int) -> WrittenAnswer:
    """The answer to a request that is not streamed; `created` is in seconds since the epoch.

    Size and format are those of the first picture itself, whatever was asked for.
    """
    out: dict[str, object] = {"created": created, "data": [_datum(request, image) for image in answer.images]}
    out |= {name: value for name, value in _described(request, answer.images[0]).items() if value != "auto"}
    if answer.usage is not None:
        out["usage"] = _usage(answer)
    return WrittenAnswer(json_text.encode(out))


def write_events(answer: ImageAnswer, request: ImageRequest, *, created: int) -> Iterator[bytes]:
    """The frames for the pictures of one call in a stream: a `completed` event each, the last one with the usage."""
    kind = "image_edit.completed" if request.edit else "image_generation.completed"
    for number, image in enumerate(answer.images, 1):
        event: dict[str, object] = {"type": kind, "b64_json": image.source.data, "created_at": created}
        event |= _described(request, image)
        if number == len(answer.images) and answer.usage is not None:
            event["usage"] = _usage(answer)
        yield b"event: %b\ndata: %b\n\n" % (kind.encode("ascii"), json_text.encode(event))


def _datum(request: ImageRequest, image: Drawn) -> dict[str, object]:
    source = image.source
    datum: dict[str, object] = (
        {"url": url_of(source)} if request.response_format == "url" else {"b64_json": source.data}
    )
    return {**datum, "revised_prompt": image.revised_prompt} if image.revised_prompt else datum


def _described(request: ImageRequest, image: Drawn) -> dict[str, object]:
    """What is said of a picture beside its bytes; `auto` where it is not known."""
    header = image.header()
    return {
        "size": f"{header.width}x{header.height}" if header.width and header.height else "auto",
        "quality": request.quality if request.quality in _TOLD_QUALITIES else "auto",
        "background": "opaque",  # none of the models that requests are translated for leaves one out
        "output_format": format_of(image),
    }


def _usage(answer: ImageAnswer) -> dict[str, object]:
    usage = answer.usage
    assert usage is not None
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "image_tokens": answer.image_input,
            "text_tokens": max(usage.input - answer.image_input, 0),
        },
        "output_tokens": usage.output,
        "output_tokens_details": {
            "image_tokens": answer.image_output,
            "text_tokens": max(usage.output - answer.image_output, 0),
        },
        "total_tokens": usage.input + usage.output,
    }
