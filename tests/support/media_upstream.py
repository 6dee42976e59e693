"""A vendor of images, audio, moderations and Gemini's vectors: answers tell what was received, as SDKs can read it.

Pictures by Google's models are a PNG's first bytes with what was asked for behind them.

Nothing here shares code with the gateway: a form is taken apart by its boundary, byte by byte as it came.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tests.support.pictures import png
from tests.support.upstreams import Answer, Recorded

JSON: Final = ((b"content-type", b"application/json"),)
TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
SSE: Final = ((b"content-type", b"text/event-stream; charset=utf-8"),)

SPEECH: Final = tuple(bytes([index]) * 5000 for index in range(8))
"""The pieces of what is said."""


class Part(msgspec.Struct, frozen=True):
    """A field of a form, or a file."""

    name: str
    filename: str
    content_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """What an answer says of a file's bytes."""
        return f"{self.filename} {len(self.data)} {zlib.crc32(self.data):08x}"


def form_of(request: Recorded) -> tuple[Part, ...]:
    """The parts of the form that was received. Raises ValueError for what is not one to the letter."""
    kind, _, boundary = request.fields[b"content-type"].partition(b"; boundary=")
    first, *parts, last = request.body.split(b"--" + boundary)
    if kind != b"multipart/form-data" or first or last not in (b"--", b"--\r\n"):
        raise ValueError(f"not a form: {kind!r}, {first!r}, {last!r}")
    return tuple(_part(part) for part in parts)


def _part(text: bytes) -> Part:
    head, blank, data = text.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not (text.startswith(b"\r\n") and blank and data.endswith(b"\r\n")):
        raise ValueError(f"not a part: {text[:80]!r}")
    fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n"))
    options = dict(option.split("=", 1) for option in fields["content-disposition"].split("; ")[1:])
    name, filename = (options.get(option, "").strip('"') for option in ("name", "filename"))
    return Part(name, filename, fields.get("content-type", ""), data[:-2])


class Refused(Exception):
    """A request that is not what it should be."""


def media_answer(request: Recorded) -> Answer | None:
    """The answer to a request for media, for the model `vendor-real` only; None for any other request."""
    path = request.target.decode().partition("?")[0]
    answer = ANSWERS.get(path) or ANSWERS.get(path.rpartition("/models/")[2])
    if answer is None:
        return None
    try:
        length = request.fields.get(b"content-length")
        if length is not None and int(length) != len(request.body):
            raise Refused(f"{length.decode()} bytes were announced and {len(request.body)} came")
        return answer(request)
    except (Refused, ValueError, LookupError) as error:
        message = f"{type(error).__name__}: {error}"
        return Answer(status=400, pieces=(_json({"error": {"message": message, "type": "invalid_request_error"}}),))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _body(request: Recorded) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    _check_model(body.get("model"))
    return body


def _check_model(name: object) -> None:
    if name != "vendor-real":
        raise Refused(f"there is no model {name!r}")


def _form(request: Recorded) -> tuple[dict[str, str], list[Part]]:
    parts = form_of(request)
    fields = {part.name: part.data.decode() for part in parts if not part.filename}
    _check_model(fields.get("model"))
    return fields, [part for part in parts if part.filename]


def _events(*events: Mapping[str, object]) -> Answer:
    pieces = tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    return Answer(headers=SSE, pieces=pieces)


def _image(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _generations(request: Recorded) -> Answer:
    body = _body(request)
    picture = _image(f"{body['prompt']} in {body['size']}".encode())
    usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
    if body.get("stream"):
        return _events(
            {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": _image(b"half")},
            {"type": "image_generation.completed", "b64_json": picture, "usage": usage},
        )
    return Answer(pieces=(_json({"created": 1, "data": [{"b64_json": picture}] * body["n"], "usage": usage}),))


def _edits(request: Recorded) -> Answer:
    fields, files = _form(request)
    data = [{"b64_json": _image(file.data), "revised_prompt": f"{file.name} {file.content_type}"} for file in files]
    return Answer(pieces=(_json({"created": 1, "background": fields["prompt"], "data": data}),))


def _transcriptions(request: Recorded) -> Answer:
    fields, (file,) = _form(request)
    heard = f"{file.digest} {fields.get('language', '?')}"
    if fields.get("stream") == "true":
        words = heard.split(" ")
        deltas = [{"type": "transcript.text.delta", "delta": f"{word} "} for word in words]
        return _events(*deltas, {"type": "transcript.text.done", "text": heard})
    match fields.get("response_format", "json"):
        case "text":
            return Answer(headers=TEXT, pieces=(f"{heard}\n".encode(),))
        case "srt":
            return Answer(headers=TEXT, pieces=(f"1\n00:00:00,000 --> 00:00:01,000\n{heard}\n\n".encode(),))
        case "vtt":
            text = f"WEBVTT\n\n00:00.000 --> 00:01.000\n{heard}\n\n"
            return Answer(headers=((b"content-type", b"text/vtt"),), pieces=(text.encode(),))
        case "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": 1.0, "text": heard, "tokens": [1], "seek": 0, "temperature": 0.0}
            scores = {"avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0}
            granularities = [
                part.data.decode() for part in form_of(request) if part.name == "timestamp_granularities[]"
            ]
            value = {"task": "transcribe", "language": "english", "duration": 1.0, "text": heard}
            return Answer(pieces=(_json({**value, "segments": [segment | scores], "asked": granularities}),))
    return Answer(pieces=(_json({"text": heard, "usage": {"type": "duration", "seconds": 1}}),))


def _translations(request: Recorded) -> Answer:
    _, (file,) = _form(request)
    return Answer(pieces=(_json({"text": f"translated {file.digest}"}),))


def _speech(request: Recorded) -> Answer:
    body = _body(request)
    if body.get("stream_format") == "sse":
        return _events(
            *({"type": "speech.audio.delta", "audio": _image(piece)} for piece in SPEECH),
            {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}},
        )
    return Answer(headers=((b"content-type", b"audio/mpeg"),), pieces=SPEECH)


def _moderations(request: Recorded) -> Answer:
    body: dict[str, Any] = json.loads(request.body)
    results = [{"flagged": "bad" in text, "categories": {}, "category_scores": {}} for text in body["input"]]
    return Answer(pieces=(_json({"id": "modr-1", "model": body.get("model", "none named"), "results": results}),))


def _batch_embed(request: Recorded) -> Answer:
    asked = json.loads(request.body)["requests"]
    for each in asked:
        _check_model(each["model"].removeprefix("models/"))
    texts = ["".join(part["text"] for part in each["content"]["parts"]) for each in asked]
    return Answer(pieces=(_json({"embeddings": [{"values": [float(len(text)), 0.5]} for text in texts]}),))


def _embed(request: Recorded) -> Answer:
    body = json.loads(request.body)
    if "model" in body:
        _check_model(body["model"].removeprefix("models/"))
    text = "".join(part["text"] for part in body["content"]["parts"])
    return Answer(pieces=(_json({"embedding": {"values": [float(len(text)), 0.5]}}),))


def _drawn(request: Recorded) -> dict[str, Any]:
    """A Gemini model's answer with one picture."""
    body = json.loads(request.body)
    (content,) = body["contents"]
    told, *pictures = content["parts"]
    seen = b"".join(base64.b64decode(each["inlineData"]["data"]) for each in pictures)
    picture = _image(png(64, 48) + told["text"].encode() + seen)
    parts = [{"text": "Here: "}, {"inlineData": {"mimeType": "image/png", "data": picture}}]
    usage = {
        "promptTokenCount": 7,
        "candidatesTokenCount": 100,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 90}],
        "totalTokenCount": 107,
    }
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    return {"responseId": "r", "modelVersion": "m", "candidates": [candidate], "usageMetadata": usage}


def _draw(request: Recorded) -> Answer:
    return Answer(pieces=(_json(_drawn(request)),))


def _draw_in_stream(request: Recorded) -> Answer:
    return Answer(headers=SSE, pieces=(b"data: " + _json(_drawn(request)) + b"\r\n\r\n",))


def _predict(request: Recorded) -> Answer:
    body = json.loads(request.body)
    (instance,) = body["instances"]
    pictures = [
        png(32, 32) + f"{instance['prompt']} {each}".encode() for each in range(body["parameters"]["sampleCount"])
    ]
    made = [{"mimeType": "image/png", "bytesBase64Encoded": _image(each)} for each in pictures]
    return Answer(pieces=(_json({"predictions": made}),))


ANSWERS: Final[Mapping[str, Callable[[Recorded], Answer]]] = {
    "/v1/images/generations": _generations,
    "/v1/images/edits": _edits,
    "/v1/audio/transcriptions": _transcriptions,
    "/v1/audio/translations": _translations,
    "/v1/audio/speech": _speech,
    "/v1/moderations": _moderations,
    "vendor-real:batchEmbedContents": _batch_embed,
    "vendor-real:embedContent": _embed,
    "gemini-3-pro-image:generateContent": _draw,
    "gemini-3-pro-image:streamGenerateContent": _draw_in_stream,
    "imagen-4.0-generate-001:predict": _predict,
}
