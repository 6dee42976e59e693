"""Embeddings between OpenAI's shape (docs/wire/openai-media.md) and Gemini's (docs/wire/gemini.md).

Texts go across and vectors come back; both are as they were. No vector is scaled: Gemini's shortened ones do not have
the length one that OpenAI's always have, and only the client knows whether it compares by angle or by product.
OpenAI's clients get numbers, or their bytes in base64 as little-endian 32-bit floats, as they ask.

A client's request that cannot be read, or that asks for what the other side cannot do at all (token ids, pictures),
raises `conversation.Invalid`. What the other side merely does not know is a note among the losses.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.usage import Usage
from agcore.conversation.values import Invalid
from agcore.dialects.gemini import traits as gemini
from agcore.dialects.gemini.fields import Message
from agcore.dialects.openai.fields import integer, text, wrong
from agcore.dialects.openai_chat import traits as openai_chat
from agcore.protocol.fault import Fault

_Object = dict[str, object]

_OPENAI_FIELDS: Final = frozenset({"model", "input", "dimensions", "encoding_format"})
_FLOAT: Final = 4
"""Bytes of a 32-bit float."""
_MAX_FLOAT: Final = (2 - 2**-23) * 2.0**127
"""The largest finite 32-bit float."""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """What a client wants embedded, and in which form it wants the vectors."""

    texts: tuple[str, ...]
    """At least one, none of them empty."""
    dimensions: int | None = None
    """Numbers in each vector; None leaves that to the model."""
    packed: bool = False
    """OpenAI: vectors in base64."""
    batch: bool = True
    """Gemini: the answer to `batchEmbedContents`; False for `embedContent`, which has one text."""


class Embeddings(msgspec.Struct, frozen=True):
    """What an upstream answered."""

    vectors: tuple[list[float], ...]
    """One for each text, in order; none is empty, and all numbers fit 32-bit floats."""
    usage: Usage | None
    """None where the upstream did not count."""


# Requests


def parse_openai(body: _Object, losses: Losses) -> EmbeddingRequest:
    """A client's `/v1/embeddings`."""
    encoding = text(body, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise wrong("encoding_format", "`float` or `base64`")
    dimensions = integer(body, "dimensions")
    _check_dimensions(dimensions, "dimensions")
    texts = _inputs(body.get("input"))
    for name, value in body.items():
        if name not in _OPENAI_FIELDS and value is not None:
            losses.add(name, "Gemini's embeddings have no such setting", weight="note")
    return EmbeddingRequest(texts, dimensions, packed=encoding == "base64")


def _inputs(value: object) -> tuple[str, ...]:
    if value is None or value == []:
        raise Invalid("`input` is required and must not be empty", param="input")
    inputs = value if isinstance(value, list) else [value]
    texts: list[str] = []
    for index, item in enumerate(inputs):
        if isinstance(value, list) and isinstance(item, int | list) and not isinstance(item, bool):
            message = "`input` holds token ids, which mean nothing to a model of another vendor; send text instead"
            raise Invalid(message, param="input")
        if not isinstance(item, str):
            raise wrong("input", "a string or an array of strings")
        path = f"input[{index}]" if isinstance(value, list) else "input"
        if not item:
            raise Invalid(f"`{path}` must not be an empty string", param=path)
        texts.append(item)
    return tuple(texts)


def parse_gemini(body: _Object, losses: Losses, *, model: str, batch: bool) -> EmbeddingRequest:
    """A client's `:batchEmbedContents`, or its `:embedContent`; `model` is the one that the path names."""
    whole = Message(body, "")
    each = whole.messages("requests") if batch else [whole]
    if not each:
        raise Invalid("requests is required and must not be empty", param="requests")
    texts: list[str] = []
    asked: list[int | None] = []
    noted: set[str] = set()  # a batch says the same of each text; once is enough
    for request in each:
        _check_model(request, model)
        texts.append(_content(request, losses))
        path = request.at("outputDimensionality")
        asked.append(request.integer("outputDimensionality"))
        _check_dimensions(asked[-1], path)
        if asked[-1] != asked[0]:
            raise Invalid(f"{path} differs from the first one, and OpenAI's embeddings have one for all", param=path)
        for name in request.left():
            if name not in noted:
                losses.add(request.at(name), "OpenAI's embeddings have no such setting", weight="note")
            noted.add(name)
    _check_model(whole, model)  # a batch may name it once more
    for name in whole.left() if batch else ():
        losses.add(whole.at(name), "OpenAI's embeddings have no such setting", weight="note")
    return EmbeddingRequest(tuple(texts), asked[0], batch=batch)


def _check_model(request: Message, model: str) -> None:
    path, name = request.at("model"), request.text("model")
    if name and name.removeprefix("models/").removeprefix("tunedModels/") != model:
        raise Invalid(f"{path} is {name!r}, but the path names {model!r}", param=path)


def _content(request: Message, losses: Losses) -> str:
    """The text of a request's content. Several parts are one text to Gemini, so they must become one here."""
    path = request.at("content")
    content = request.message("content")
    parts = [] if content is None else content.messages("parts")
    texts: list[str] = []
    for part in parts:
        texts.append(part.text("text"))
        if part.left():
            raise Invalid(f"{part.path} is not a text, and OpenAI's embeddings take texts only", param=part.path)
    if not any(texts):
        raise Invalid(f"{path} is required and must hold a text", param=path)
    if len(texts) > 1:
        losses.add(path, "OpenAI's embeddings know no parts", action="joined by line breaks", weight="note")
    return "\n".join(texts)


def _check_dimensions(dimensions: int | None, path: str) -> None:
    if dimensions is not None and dimensions < 1:
        raise wrong(path, "at least 1")


def render_openai(request: EmbeddingRequest, *, model: str) -> _Object:
    """The request as `/v1/embeddings`."""
    body: _Object = {"model": model, "input": request.texts, "encoding_format": "float"}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return body


def render_gemini(request: EmbeddingRequest, *, model: str) -> _Object:
    """The request as `:batchEmbedContents`, each part of which names the model again."""
    size = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
    return {
        "requests": [
            {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **size} for text in request.texts
        ]
    }


# Answers


class _OpenAIItem(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _OpenAIAnswer(msgspec.Struct):
    data: list[_OpenAIItem]


class _GeminiVector(msgspec.Struct):
    values: list[float]


class _GeminiAnswer(msgspec.Struct):
    embeddings: list[_GeminiVector]


def read_openai(answer: _Object, *, count: int) -> Embeddings | Fault:
    """An upstream's answer to `render_openai` for `count` texts. Some servers send base64 unasked, or no index."""
    try:
        data = msgspec.convert(answer, _OpenAIAnswer).data
        order = [position if item.index is None else item.index for position, item in enumerate(data)]
        if sorted(order) != list(range(len(data))):
            return _unreadable("their indices are no order")
        vectors = {
            place: unpacked(item.embedding) if isinstance(item.embedding, str) else item.embedding
            for place, item in zip(order, data, strict=True)
        }
    except ValueError as error:
        return _unreadable(str(error))
    return _checked([vectors[place] for place in range(len(data))], openai_chat.read_usage(answer), count)


def read_gemini(answer: _Object, *, count: int) -> Embeddings | Fault:
    """An upstream's answer to `render_gemini` for `count` texts."""
    try:
        vectors = [item.values for item in msgspec.convert(answer, _GeminiAnswer).embeddings]
    except msgspec.ValidationError as error:
        return _unreadable(str(error))
    return _checked(vectors, gemini.read_usage(answer), count)


def _checked(vectors: Sequence[list[float]], usage: Usage | None, count: int) -> Embeddings | Fault:
    if len(vectors) != count:
        return _unreadable(f"there are {len(vectors)} for {count} texts")
    for vector in vectors:
        if not vector:
            return _unreadable("one of them is empty")
        if not all(map(math.isfinite, vector)) or max(map(abs, vector)) > _MAX_FLOAT:
            return _unreadable("a number in them is out of range")
    return Embeddings(tuple(vectors), usage if usage is not None and usage.input else None)


def _unreadable(why: str) -> Fault:
    message = f"the upstream's embeddings cannot be read: {why}"
    return Fault(status=502, message=message, code="upstream_invalid_answer")


def answer_openai(embeddings: Embeddings, request: EmbeddingRequest, *, model: str, tokens: int) -> _Object:
    """The answer to `/v1/embeddings`; `tokens` are those of the texts, counted or estimated."""
    data = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if request.packed else vector}
        for index, vector in enumerate(embeddings.vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def answer_gemini(embeddings: Embeddings, request: EmbeddingRequest) -> _Object:
    """The answer to `:batchEmbedContents`, or to `:embedContent`."""
    values = [{"values": vector} for vector in embeddings.vectors]
    answer: _Object = {"embeddings": values} if request.batch else {"embedding": values[0]}
    if embeddings.usage is not None:
        answer["usageMetadata"] = {"promptTokenCount": embeddings.usage.input}
    return answer


def packed(vector: Sequence[float]) -> str:
    """The base64 of a vector's little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def unpacked(coded: str) -> list[float]:
    """The vector that `packed` wrote. Raises ValueError for what is not base64 of whole floats."""
    data = base64.b64decode(coded, validate=True)
    if len(data) % _FLOAT:
        raise ValueError(f"{len(data)} bytes are no whole 32-bit floats")
    return list(struct.unpack(f"<{len(data) // _FLOAT}f", data))
