"""OpenAI's lists of models (https://platform.openai.com/docs/api-reference/models)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.models.listing import ListedModel


def write_list(models: Sequence[ListedModel], target: RequestTarget) -> bytes:
    """The body of `GET /v1/models`, which has no pages."""
    return msgspec.json.encode({"object": "list", "data": [_entry(model) for model in models]})


def write_model(model: ListedModel) -> bytes:
    """The body of `GET /v1/models/{id}`."""
    return msgspec.json.encode(_entry(model))


def _entry(model: ListedModel) -> dict[str, object]:
    return {"id": model.id, "object": "model", "created": model.profile.created, "owned_by": model.provider}
