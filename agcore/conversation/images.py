"""Requests for pictures and their answers, in no vendor's words.

A client asks for `n` pictures in one request; what an upstream makes in one call is its own affair. So a request is
divided into calls, each call has its `ImageAnswer` or its `Fault`, and `merged` makes one answer of them. Prompts
and pictures go across as they are: no word is added to a prompt, and nothing is encoded anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.image_header import ImageHeader, read_base64_header
from agcore.conversation.losses import Losses
from agcore.conversation.usage import total
from agcore.conversation.values import Source
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

MAX_IMAGES: Final = 10
"""The most pictures that one request may ask for."""


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants drawn. Texts are empty where it left the choice to the model, or said `auto`."""

    prompt: str
    model: str = ""
    n: int = 1
    """1 to `MAX_IMAGES`."""
    size: str = ""
    """`WIDTHxHEIGHT` in pixels."""
    aspect_ratio: str = ""
    """`W:H`. Where `size` is given too, this one counts for the shape."""
    resolution: str = ""
    """`512`, `1K`, `2K` or `4K`. Where `size` is given too, this one counts for the number of pixels."""
    quality: str = ""
    background: str = ""
    output_format: str = ""
    """`png`, `jpeg`, `webp`, `gif` or `svg`."""
    output_compression: int | None = None
    """0 to 100, for `jpeg` and `webp`."""
    response_format: str = "b64_json"
    """`b64_json`, or `url`, which becomes a data URL."""
    moderation: str = ""
    style: str = ""
    user: str = ""
    input_fidelity: str = ""
    stream: bool = False
    partial_images: int = 0
    """How many unfinished pictures a stream is to show."""
    edit: bool = False
    images: tuple[Source, ...] = ()
    """What is to be edited; at least one for an edit, none otherwise."""
    mask: Source | None = None
    """Where the first of `images` may change: where this one is transparent."""
    images_at: str = "images"
    """The client's field that held `images`."""


class Drawn(msgspec.Struct, frozen=True):
    """A finished picture."""

    source: Source
    """Holds its bytes, not a URL."""
    revised_prompt: str = ""
    """The prompt as the upstream rewrote it; empty where it did not."""

    def header(self) -> ImageHeader:
        """Its true format and size; the format that the upstream declared where its bytes say nothing."""
        found = read_base64_header(self.source.data)
        return ImageHeader(self.source.media_type) if found is None else found


class ImageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call, or of several together."""

    images: tuple[Drawn, ...]
    """At least one."""
    text: str = ""
    """What the model said beside them."""
    usage: Usage | None = None
    """None where the upstream does not count."""
    image_input: int = 0
    """The part of the input tokens that pictures took."""
    image_output: int = 0
    """The part of the output tokens that pictures took."""


def merged(request: ImageRequest, answers: Sequence[ImageAnswer | Fault], losses: Losses) -> ImageAnswer | Fault:
    """One answer of those to all calls that a request was divided into, in their order.

    Pictures that were made are handed out, even where other calls failed: they are paid for. Without any, the first
    fault is the answer. There is at least one answer. `losses` get what is not as the client asked.
    """
    made = [answer for answer in answers if isinstance(answer, ImageAnswer)]
    if not made:
        return next(answer for answer in answers if isinstance(answer, Fault))
    images = [image for answer in made for image in answer.images]
    if len(images) < request.n:
        faults = [answer.message for answer in answers if isinstance(answer, Fault)]
        why = "; ".join(dict.fromkeys(faults)) or "the model made fewer images"
        losses.add("n", why, action=f"answered with {len(images)} of {request.n} images")
    elif len(images) > request.n:
        losses.add("n", "the model made more images", action=f"answered with the first {request.n}", weight="note")
    if any(answer.text for answer in made):
        losses.add("text", "image answers have no place for what the model said", weight="note")
    usages = [answer.usage for answer in made if answer.usage is not None]
    answer = ImageAnswer(
        images=tuple(images[: request.n]),
        text="\n".join(filter(None, (answer.text for answer in made))),
        usage=total(usages) if usages else None,
        image_input=sum(answer.image_input for answer in made),
        image_output=sum(answer.image_output for answer in made),
    )
    note_format(request, answer, losses)
    return answer


def note_format(request: ImageRequest, answer: ImageAnswer, losses: Losses) -> None:
    """Record where pictures came in another format than was asked for."""
    for image in answer.images:
        made = format_of(image)
        if request.output_format not in ("", made):
            losses.add("output_format", "the model chose another format", action=f"left as {made}")


def format_of(image: Drawn) -> str:
    """The format of a picture as requests name it: `png`, `jpeg`, `webp`."""
    return image.header().media_type.rpartition("/")[2]
