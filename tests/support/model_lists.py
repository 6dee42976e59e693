"""Lists of models: lines to be written, and what upstreams send."""

from __future__ import annotations

import json
from typing import Any, Final

from agcore.codecs.request_target import RequestTarget
from agcore.models.known import KNOWN_IDS, profile
from agcore.models.listing import ListedModel


def listed(model: str, provider: str = "somewhere", upstream: str = "") -> ListedModel:
    """A line of a list."""
    return ListedModel(model, provider, upstream or model, profile(upstream or model))


EVERY: Final = tuple(listed(model) for model in (*KNOWN_IDS, "my-own-llm", "models with / strange: names"))


def query(**pairs: object) -> RequestTarget:
    """The target of a request for a list, with such a query."""
    asked = tuple((name, str(value)) for name, value in pairs.items())
    return RequestTarget(path="/v1/models", query=asked, raw_query=b"", key=None)


def read(body: bytes) -> Any:
    """What a body says."""
    return json.loads(body)


def openai_list(*names: str) -> bytes:
    """A provider's list in OpenAI's shape."""
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def anthropic_list(*names: str) -> bytes:
    """The same in Anthropic's."""
    entries = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01"} for name in names]
    return json.dumps({"data": entries, "has_more": False}).encode()


def gemini_list(*names: str) -> bytes:
    """The same in Google's."""
    methods = ["generateContent", "countTokens"]
    entries = [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in names]
    return json.dumps({"models": entries}).encode()
