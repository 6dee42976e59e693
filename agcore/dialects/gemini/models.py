"""Google's lists of models (https://ai.google.dev/api/models)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.dialects.shared.paging import index_of, whole_number
from agcore.models.listing import ListedModel

PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000


def write_list(models: Sequence[ListedModel], target: RequestTarget) -> bytes:
    """The body of `GET /v1beta/models`: one page.

    It has `pageSize` models; 0 stands for the usual 50, and what exceeds 1000 counts as that. `pageToken` is the
    `nextPageToken` of the page before.

    Raises:
        ValueError: For a size that is no number, or a token that this list did not give.
    """
    size = min(whole_number(target, "pageSize", default=0) or PAGE_SIZE, MAX_PAGE_SIZE)
    page_token = target.first("pageToken")
    start = index_of(models, _token_id(page_token), "pageToken") + 1 if page_token else 0
    page = models[start : start + size]
    body: dict[str, object] = {"models": [_entry(model) for model in page]}
    if start + size < len(models):
        body["nextPageToken"] = base64.urlsafe_b64encode(page[-1].id.encode()).rstrip(b"=").decode()
    return msgspec.json.encode(body)


def write_model(model: ListedModel) -> bytes:
    """The body of `GET /v1beta/models/{id}`."""
    return msgspec.json.encode(_entry(model))


def _entry(model: ListedModel) -> dict[str, object]:
    profile = model.profile
    methods: list[str] = []
    if profile.chat:
        methods += ["generateContent", "streamGenerateContent", "countTokens"]
    if profile.embeddings:
        methods += ["embedContent", "batchEmbedContents"]
    entry: dict[str, object] = {
        "name": f"models/{model.id}",
        "baseModelId": model.id,
        "version": "001",
        "displayName": model.display_name,
        "description": f"{model.model} at {model.provider}",
        "inputTokenLimit": profile.context_window,
        "outputTokenLimit": profile.max_output_tokens,
        "supportedGenerationMethods": methods,
    }
    if profile.chat:
        entry["thinking"] = profile.reasoning != "none"
    if profile.chat and profile.sampling:
        entry |= {"temperature": 1.0, "maxTemperature": 1.0 if profile.vendor == "anthropic" else 2.0, "topP": 0.95}
    return entry


def _token_id(token: str) -> str:
    """The id in a page token; one that is no token of ours gives an id that no list holds."""
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
