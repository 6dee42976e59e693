"""Pictures by Google's models: Gemini's `generateContent`, Imagen's `predict` (docs/wire/gemini.md#pictures).

Gemini makes one picture a call and edits pictures; Imagen makes up to four and edits none. What neither can be told is
a loss; how a size becomes one of theirs is told in `pictures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from agcore.codecs import json_text
from agcore.conversation.images import Drawn, ImageAnswer, ImageRequest
from agcore.conversation.losses import Losses
from agcore.conversation.usage import count
from agcore.conversation.values import Consumed, Finished, ImageMade, Pictures, Source, Stop, TextDelta
from agcore.dialects.gemini import answer_reader as gemini_answer
from agcore.dialects.gemini.contents_writer import OWN_FILES
from agcore.dialects.gemini.media import action_path
from agcore.dialects.gemini.pictures import image_config
from agcore.dialects.openai.media_parts import clean_base64
from agcore.dialects.shared.loose import objects_of, text_of
from agcore.dialects.tasks import Destination
from agcore.models.profiles import Profile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Weight

_Object = dict[str, object]

Method: TypeAlias = Literal["generateContent", "predict"]
"""How a model is called: the action at the end of the request's path."""

PER_CALL: Final[Mapping[Method, int]] = {"generateContent": 1, "predict": 4}
"""The most pictures of one call."""

_UNKNOWN: Final[tuple[tuple[str, str, Weight], ...]] = (
    ("background", "transparent", "warn"),
    ("moderation", "low", "note"),
    ("style", "natural", "warn"),
    ("style", "vivid", "note"),
    ("input_fidelity", "high", "warn"),
    ("input_fidelity", "low", "note"),
    ("output_format", "gif", "refuse"),
    ("output_format", "svg", "refuse"),
)
"""Fields that Google's models do not have, the values that ask for something, and what is lost with them."""

_BLOCKED: Final = "moderation_blocked"
_NO_IMAGE: Final = "no_image"
_LONGEST_QUOTE: Final = 300


def method_of(profile: Profile) -> Method:
    """How a model of Google's is asked for pictures: those that take part in conversations, in one."""
    return "predict" if profile.image_output and not profile.chat else "generateContent"


def division(request: ImageRequest, method: Method) -> list[int]:
    """How many pictures each call is to make; as few calls as there can be, at most `MAX_IMAGES`."""
    most = PER_CALL[method]
    whole, rest = divmod(request.n, most)
    return [most] * whole + ([rest] if rest else [])


# Requests


def target(request: ImageRequest, at: Destination) -> bytes:
    """The path of the model's own action."""
    return action_path(at, method_of(at.profile))


def write_requests(request: ImageRequest, at: Destination, losses: Losses) -> list[bytes]:
    """The body of each call; calls that make equally many pictures share theirs."""
    method = method_of(at.profile)
    counts = division(request, method)
    if method == "generateContent":
        return [json_text.encode(render_gemini(request, model=at.model, losses=losses))] * len(counts)
    bodies = {
        count: json_text.encode(render_imagen(request, model=at.model, images=count, losses=losses))
        for count in dict.fromkeys(counts)
    }
    return [bodies[count] for count in counts]


def render_gemini(request: ImageRequest, *, model: str, losses: Losses) -> _Object:
    """The body of one `generateContent` call, which makes one picture."""
    _note_unknown(request, "Gemini", losses)
    if request.output_compression is not None:
        losses.add("output_compression", "Gemini has no such setting", weight="note")
    if request.mask is not None:
        why = "Gemini cannot keep its edits to a part of the picture; say in the prompt what is to change"
        losses.add("mask", why, weight="refuse")
    parts: list[_Object] = [{"text": request.prompt}]
    for index, source in enumerate(request.images):
        parts += _part(source, f"{request.images_at}[{index}]", losses)
    config: _Object = {"responseModalities": ["TEXT", "IMAGE"]}
    image = image_config(_look(request), model=model, losses=losses)
    if image:
        config["imageConfig"] = image
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def render_imagen(request: ImageRequest, *, model: str, images: int, losses: Losses) -> _Object:
    """The body of one `predict` call that makes `images` pictures, one of the numbers of `division`."""
    _note_unknown(request, "Imagen", losses)
    for field, given in ((request.images_at, request.images), ("mask", request.mask)):
        if given:
            losses.add(field, "Imagen draws from the prompt alone", weight="refuse")
    parameters: _Object = {"sampleCount": images, "includeRaiReason": True}
    for name, value in image_config(_look(request), model=model, losses=losses).items():
        parameters["sampleImageSize" if name == "imageSize" else name] = value
    if request.output_format in ("png", "jpeg"):
        output: _Object = {"mimeType": f"image/{request.output_format}"}
        if request.output_format == "jpeg" and request.output_compression is not None:
            output["compressionQuality"] = request.output_compression
        parameters["outputOptions"] = output
    if request.output_compression is not None and request.output_format != "jpeg":
        losses.add("output_compression", "Imagen compresses JPEG only", weight="note")
    return {"instances": [{"prompt": request.prompt}], "parameters": parameters}


def _note_unknown(request: ImageRequest, who: str, losses: Losses) -> None:
    for field, value, weight in _UNKNOWN:
        if getattr(request, field) == value:
            losses.add(field, f"{who} has no such setting", weight=weight)
    if request.user:
        losses.add("user", f"{who} is not told who asks", weight="note")
    if request.partial_images:
        losses.add("partial_images", f"{who} shows finished pictures only", weight="note")


def _look(request: ImageRequest) -> Pictures:
    return Pictures(
        size=request.size,
        aspect_ratio=request.aspect_ratio,
        resolution=request.resolution,
        quality=request.quality,
    )


def _part(source: Source, path: str, losses: Losses) -> list[_Object]:
    """A picture to be edited, as a part of the prompt."""
    uri = source.url or source.file_id
    if not uri:
        return [{"inlineData": {"mimeType": source.media_type, "data": source.data}}]
    if OWN_FILES.match(uri):
        return [{"fileData": {"fileUri": uri}}]
    at = f"{path}.image_url" if source.url else f"{path}.file_id"
    losses.add(at, "Gemini reads files inline or from Google only; send a data URL", weight="refuse")
    return []


# Answers


def read_answer(answer: _Object, request: ImageRequest, at: Destination) -> ImageAnswer | Fault:
    """The answer to one call."""
    return (read_gemini if method_of(at.profile) == "generateContent" else read_imagen)(answer)


def read_gemini(answer: _Object) -> ImageAnswer | Fault:
    """The answer to `render_gemini`. Pictures that are drafts, which belong to the model's thoughts, are left out."""
    deltas = gemini_answer.read_answer(answer, signer="")
    if isinstance(deltas, Fault):
        return deltas
    said = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    images = tuple(Drawn(delta.source) for delta in deltas if isinstance(delta, ImageMade))
    if not images:
        filtered = any(isinstance(delta, Finished) and delta.stop is Stop.FILTER for delta in deltas)
        reason, told = _reason(answer)
        return _blocked(reason, told) if filtered else _nothing(reason, told or said)
    return ImageAnswer(
        images=images,
        text=said,
        usage=next((delta.usage for delta in reversed(deltas) if isinstance(delta, Consumed)), None),
        image_input=_of_images(answer, "promptTokensDetails"),
        image_output=_of_images(answer, "candidatesTokensDetails"),
    )


def read_imagen(answer: _Object) -> ImageAnswer | Fault:
    """The answer to `render_imagen`. Imagen counts no tokens."""
    images: list[Drawn] = []
    reasons: list[str] = []
    for prediction in objects_of(answer.get("predictions")):
        data = clean_base64(text_of(prediction.get("bytesBase64Encoded")))
        if data:
            source = Source(media_type=text_of(prediction.get("mimeType")) or "image/png", data=data)
            images.append(Drawn(source, text_of(prediction.get("prompt"))))
        if text_of(prediction.get("raiFilteredReason")):
            reasons.append(text_of(prediction.get("raiFilteredReason")))
    if images:
        return ImageAnswer(images=tuple(images))
    return _blocked("", reasons[0]) if reasons else _nothing("", "")


def _reason(answer: _Object) -> tuple[str, str]:
    """Why there is no picture: Google's word for it, and its explanation."""
    feedback = answer.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return text_of(feedback["blockReason"]), text_of(feedback.get("blockReasonMessage"))
    candidate = next(iter(objects_of(answer.get("candidates"))), {})
    return text_of(candidate.get("finishReason")), text_of(candidate.get("finishMessage"))


def _blocked(reason: str, told: str) -> Fault:
    return Fault(status=400, message=_sentence("the provider's safety system blocked it", reason, told), code=_BLOCKED)


def _nothing(reason: str, told: str) -> Fault:
    reason = "" if reason == "STOP" else reason
    return Fault(status=502, message=_sentence("the model answered without a picture", reason, told), code=_NO_IMAGE)


def _sentence(what: str, reason: str, told: str) -> str:
    quote = told if len(told) <= _LONGEST_QUOTE else told[:_LONGEST_QUOTE] + "..."
    return what + (f" ({reason})" if reason else "") + (f": {quote}" if quote else "")


def _of_images(answer: _Object, name: str) -> int:
    """The tokens of pictures among those of one direction."""
    usage = answer.get("usageMetadata")
    details = objects_of(usage.get(name)) if isinstance(usage, dict) else []
    return sum(count(detail, "tokenCount") for detail in details if detail.get("modality") == "IMAGE")
