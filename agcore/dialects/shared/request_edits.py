"""Requests that name `model` and `stream` in the body: what they ask for, and the edits that send them on."""

from __future__ import annotations

import msgspec

from agcore.codecs.json_splice import Members
from agcore.dialects.base import PathParts, RequestSummary
from agcore.protocol.fault import Fault, invalid


def summary_of_body(members: Members, parts: PathParts) -> RequestSummary | Fault:
    """What a request asks for in a dialect that names `model` and `stream` in the body."""
    model = members.value("model")
    if not isinstance(model, str) or not model:
        return invalid("`model` is required and must be a non-empty string", param="model")
    stream = members.value("stream")
    if stream is not None and not isinstance(stream, bool):
        return invalid("`stream` must be true or false", param="stream")
    return RequestSummary(model=model, stream=bool(stream))


def model_edit(members: Members, model: str) -> dict[str, bytes | None]:
    """The edit that names the upstream's model; none when the client named it so already."""
    return {} if members.value("model") == model else {"model": msgspec.json.encode(model)}


def edit_model(members: Members, summary: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """The edits of a dialect that needs none but the model's name; its usage always comes."""
    return model_edit(members, model), False
