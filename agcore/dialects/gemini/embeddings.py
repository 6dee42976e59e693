"""Gemini's embeddings, `:embedContent` and `:batchEmbedContents` (docs/wire/gemini.md).

Both a client's request and an upstream's answer are read, both an upstream's request and a client's answer written.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.codecs import json_text
from agcore.conversation.embeddings import EmbeddingRequest, Embeddings, checked, unreadable
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid
from agcore.dialects.gemini import stream_events as gemini
from agcore.dialects.gemini.fields import Message
from agcore.dialects.gemini.media import action_path
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.protocol.fault import Fault


def read_request(body: Mapping[str, object], *, path: str, model: str, losses: Losses) -> EmbeddingRequest:
    """A client's request; see `tasks.ClientTask`. `path` ends in the action, and `model` is the one that it names."""
    batch = path.endswith(":batchEmbedContents")
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
        size = request.at("outputDimensionality")
        asked.append(request.integer("outputDimensionality"))
        if asked[-1] is not None and asked[-1] < 1:
            raise Invalid(f"`{size}` must be at least 1", param=size)
        if asked[-1] != asked[0]:
            raise Invalid(f"{size} differs from the first one, and OpenAI's embeddings have one for all", param=size)
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


def target(request: EmbeddingRequest, at: Destination) -> bytes:
    """The path of `:batchEmbedContents`, which takes one text as well."""
    return action_path(at, "batchEmbedContents")


def write_requests(request: EmbeddingRequest, at: Destination, losses: Losses) -> list[bytes]:
    """The body of the one call, each part of which names the model again."""
    size = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
    each = [{"model": f"models/{at.model}", "content": {"parts": [{"text": text}]}, **size} for text in request.texts]
    return [json_text.encode({"requests": each})]


class _Vector(msgspec.Struct):
    values: list[float]


class _Answer(msgspec.Struct):
    embeddings: list[_Vector]


def read_answer(answer: dict[str, object], request: EmbeddingRequest, at: Destination) -> Embeddings | Fault:
    """An upstream's vectors."""
    try:
        vectors = [item.values for item in msgspec.convert(answer, _Answer).embeddings]
    except ValueError as error:  # half a surrogate pair in place of a vector is not even told of
        return unreadable(str(error))
    return checked(vectors, gemini.read_usage(answer), count=len(request.texts))


def write_answer(answer: Embeddings, request: EmbeddingRequest, *, model: str, created: int) -> WrittenAnswer:
    """A client's answer to `:batchEmbedContents`, or to `:embedContent`."""
    values = [{"values": vector} for vector in answer.vectors]
    body: dict[str, object] = {"embeddings": values} if request.batch else {"embedding": values[0]}
    if answer.usage is not None:
        body["usageMetadata"] = {"promptTokenCount": answer.usage.input}
    return WrittenAnswer(json_text.encode(body))
