"""OpenAI's embeddings, `/v1/embeddings` (docs/wire/openai-media.md).

Both a client's request and an upstream's answer are read, both an upstream's request and a client's answer written.

Clients get numbers, or their bytes in base64 as little-endian 32-bit floats, as they ask. Token ids and pictures mean
nothing to a model of another vendor.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.embeddings import EmbeddingRequest, Embeddings, checked, unreadable
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import of_texts
from agcore.conversation.values import Invalid
from agcore.dialects.openai.fields import integer, text, wrong
from agcore.dialects.openai_chat import stream_events as openai_chat
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.protocol.fault import Fault

_FIELDS: Final = frozenset({"model", "input", "dimensions", "encoding_format"})
_FLOAT: Final = 4
"""Bytes of a 32-bit float."""


def read_request(body: Mapping[str, object], *, path: str, model: str, losses: Losses) -> EmbeddingRequest:
    """A client's request; see `tasks.ClientTask`."""
    encoding = text(body, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise wrong("encoding_format", "`float` or `base64`")
    dimensions = integer(body, "dimensions")
    if dimensions is not None and dimensions < 1:
        raise wrong("dimensions", "at least 1")
    texts = _inputs(body.get("input"))
    for name, value in body.items():
        if name not in _FIELDS and value is not None:
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


def target(request: EmbeddingRequest, at: Destination) -> bytes:
    """`PREFIX/embeddings`."""
    return at.prefix + b"/embeddings"


def write_requests(request: EmbeddingRequest, at: Destination, losses: Losses) -> list[bytes]:
    """The body of the one call, which asks for numbers."""
    body: dict[str, object] = {"model": at.model, "input": request.texts, "encoding_format": "float"}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return [json_text.encode(body)]


class _Item(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Item]


def read_answer(answer: dict[str, object], request: EmbeddingRequest, at: Destination) -> Embeddings | Fault:
    """An upstream's vectors. Some servers send base64 unasked, or no index."""
    try:
        data = msgspec.convert(answer, _Answer).data
        order = [position if item.index is None else item.index for position, item in enumerate(data)]
        if sorted(order) != list(range(len(data))):
            return unreadable("their indices are no order")
        vectors = {
            place: unpacked(item.embedding) if isinstance(item.embedding, str) else item.embedding
            for place, item in zip(order, data, strict=True)
        }
    except ValueError as error:
        return unreadable(str(error))
    usage = openai_chat.read_usage(answer)
    return checked([vectors[place] for place in range(len(data))], usage, count=len(request.texts))


def write_answer(answer: Embeddings, request: EmbeddingRequest, *, model: str, created: int) -> WrittenAnswer:
    """A client's answer, in which tokens that the upstream did not count are estimated."""
    data = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if request.packed else vector}
        for index, vector in enumerate(answer.vectors)
    ]
    tokens = of_texts(request.texts) if answer.usage is None else answer.usage.input
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"object": "list", "data": data, "model": model, "usage": usage}
    return WrittenAnswer(json_text.encode(body), estimated=answer.usage is None)


def packed(vector: Sequence[float]) -> str:
    """The base64 of a vector's little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def unpacked(coded: str) -> list[float]:
    """The vector that `packed` wrote. Raises ValueError for what is not base64 of whole floats."""
    data = base64.b64decode(coded, validate=True)
    if len(data) % _FLOAT:
        raise ValueError(f"{len(data)} bytes are no whole 32-bit floats")
    return list(struct.unpack(f"<{len(data) // _FLOAT}f", data))
