"""Pictures asked of Google's models: shape and size in `imageConfig` (docs/wire/gemini.md#pictures).

Google's models take a shape and a class of size, not pixels. So a size in pixels becomes the nearest ratio that the
model knows and the smallest class that has at least three quarters of each edge asked for. What is not as it was asked
for is a loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

from agcore.codecs.globs import matches
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, HostedTool, Pictures
from agcore.dialects.gemini.fields import Message
from agcore.dialects.shared.picture_fields import RESOLUTIONS, read_ratio, read_resolution
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

_USUAL: Final = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_LONG: Final = ("1:4", "4:1", "1:8", "8:1")
_IMAGEN: Final = ("1:1", "3:4", "4:3", "9:16", "16:9")

Abilities: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A glob over models, the aspect ratios that they take, and the sizes; none where the size is not to be chosen."""
ABILITIES: Final[tuple[Abilities, ...]] = (
    ("gemini-2*", _USUAL, ()),
    ("gemini-3.1-flash-lite-image*", (*_USUAL, *_LONG), ("1K",)),
    ("gemini-3.1-flash-image*", (*_USUAL, *_LONG), ("512", "1K", "2K", "4K")),
    ("imagen-3*", _IMAGEN, ()),
    ("imagen-4.0-fast-*", _IMAGEN, ()),
    ("imagen-*", _IMAGEN, ("1K", "2K")),
    ("*", _USUAL, ("1K", "2K", "4K")),
)
"""The first that matches counts."""

EDGES: Final[Mapping[str, int]] = dict(zip(RESOLUTIONS, (512, 1024, 2048, 4096), strict=True))
"""The edge of a square picture of each size, in pixels; pictures of other shapes have about as many of them."""
_CLOSE: Final = 0.75
"""How much of an edge a picture must have, so as not to count as too small."""
_ALIKE: Final = math.log(1.03)
"""How far two shapes may differ to be called the same."""

_QUALITIES: Final[Mapping[str, str]] = {
    "low": "1K",
    "standard": "1K",
    "medium": "2K",
    "high": "4K",
    "hd": "4K",
    "xhigh": "4K",
    "max": "4K",
}
"""The size for a quality, where the client says nothing else of the size: pixels are all that there is to choose."""


# Requests of Gemini's clients


def read_pictures(config: Message, losses: Losses) -> Pictures | None:
    """The pictures that a `generationConfig` asks for. Spoken answers are refused on the way."""
    path = config.at("responseModalities")
    modalities = {modality.upper() for modality in config.texts("responseModalities")}
    if "AUDIO" in modalities:
        losses.add(path, "spoken answers cannot be translated", weight="refuse")
    image = config.message("imageConfig")
    if image is None:
        return Pictures(only="TEXT" not in modalities) if "IMAGE" in modalities else None
    ratio_at, size_at = image.at("aspectRatio"), image.at("imageSize")
    pictures = Pictures(
        only="IMAGE" in modalities and "TEXT" not in modalities,
        aspect_ratio=read_ratio(image.text("aspectRatio"), ratio_at),
        resolution=read_resolution(image.text("imageSize"), size_at),
    )
    for name in image.left():
        losses.add(image.at(name), "other dialects have no such setting", weight="note")
    return pictures


# Requests to Google


def picture_config(conversation: Conversation, profile: Profile, losses: Losses) -> dict[str, object]:
    """The members of `generationConfig` that ask for pictures; none where none are wanted or can be had."""
    pictures = conversation.pictures
    if pictures is None:
        return {}
    if profile.vendor and not profile.image_output:
        weight: Weight = "refuse" if pictures.only else "warn"
        losses.add("modalities", f"{profile.model} makes no pictures", weight=weight)
        return {}
    for tool in conversation.hosted_tools:
        _note_tool(tool, losses)
    config: dict[str, object] = {"responseModalities": ["IMAGE"] if pictures.only else ["TEXT", "IMAGE"]}
    image = image_config(pictures, model=profile.model, losses=losses)
    return {**config, "imageConfig": image} if image else config


def _note_tool(tool: HostedTool, losses: Losses) -> None:
    """What OpenAI's tool for pictures says besides."""
    if tool.kind != "image_generation" or not isinstance(tool.value, dict):
        return
    for name, value in tool.value.items():
        if name not in ("type", "size", "quality") and value not in (None, "auto"):
            weight: Weight = "refuse" if name == "input_image_mask" else "note"
            losses.add(f"tools.image_generation.{name}", "Gemini has no such setting", weight=weight)


def image_config(pictures: Pictures, *, model: str, losses: Losses) -> dict[str, str]:
    """`aspectRatio` and `imageSize` for a model, each where it is not left to the model."""
    name = model.rpartition("/")[2]
    _, ratios, sizes = next(row for row in ABILITIES if matches(row[0], name))
    found = {"aspectRatio": _ratio(pictures, model, ratios, losses), "imageSize": _size(pictures, model, sizes, losses)}
    return {name: value for name, value in found.items() if value}


def _ratio(pictures: Pictures, model: str, ratios: tuple[str, ...], losses: Losses) -> str:
    asked = pictures.aspect_ratio
    if asked in ratios or not (asked or pictures.size):
        return asked
    field, wanted = ("aspect_ratio", _numbers(asked, ":")) if asked else ("size", _numbers(pictures.size, "x"))
    nearest = min(ratios, key=lambda ratio: _distance(_numbers(ratio, ":"), wanted))
    if _distance(_numbers(nearest, ":"), wanted) > _ALIKE:
        losses.add(field, f"{model} draws no other shapes than {', '.join(ratios)}", action=f"sent as {nearest}")
    elif field == "size" and not (wanted[0] == wanted[1] in EDGES.values()):
        losses.add(field, f"{model} takes no size in pixels", action=f"sent as {nearest}", weight="note")
    return nearest


def _numbers(text: str, between: str) -> tuple[int, int]:
    width, _, height = text.partition(between)
    return int(width), int(height)


def _distance(one: tuple[int, int], other: tuple[int, int]) -> float:
    """How different two shapes are; the same for a shape that is too wide and one that is as much too high."""
    return abs(math.log(one[0] * other[1]) - math.log(one[1] * other[0]))


def _size(pictures: Pictures, model: str, sizes: tuple[str, ...], losses: Losses) -> str:
    by_quality = _QUALITIES.get(pictures.quality, "")
    if pictures.resolution:
        field, wanted = "image_size", pictures.resolution
    elif pictures.size:
        field, wanted = "size", _enough(*_numbers(pictures.size, "x"))
    else:
        field, wanted = "quality", by_quality
    if by_quality not in ("", wanted):
        losses.add("quality", f"{model} can draw more pixels, no better ones, and their number is given")
    if not wanted or wanted in sizes:
        return wanted
    if not sizes:
        if EDGES[wanted] > EDGES["1K"]:
            losses.add(field, f"{model} draws pictures of one size", action="left to the model")
        return ""
    smaller = [size for size in sizes if EDGES[size] < EDGES[wanted]]
    sent = smaller[-1] if smaller else sizes[0]
    weight: Weight = "warn" if smaller else "note"
    losses.add(field, f"{model} draws {', '.join(sizes)} only", action=f"sent as {sent}", weight=weight)
    return sent


def _enough(width: int, height: int) -> str:
    """The smallest size whose pictures are not too small to stand for so many pixels; the largest where none is."""
    least = math.isqrt(width * height) * _CLOSE
    return next((size for size, edge in EDGES.items() if edge >= least), RESOLUTIONS[-1])
