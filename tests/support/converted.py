"""What a request becomes for an upstream that speaks another dialect."""

from __future__ import annotations

import json
from typing import Any, Final

from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.models.known import profile
from agcore.protocol.fault import Fault

MODELS: Final = {
    "openai_chat": "mistral-small-latest",
    "openai_responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-flash",
}


def converted(
    upstream: str, client: str, body: dict[str, Any], *, model: str = "", stream: bool = False
) -> Translation:
    """The translation of a client's request for an upstream's model."""
    name = model or MODELS[upstream]
    target = ModelTarget(upstream, name, profile(name), "up")
    made = translate(client, json.dumps(body).encode(), model="m", stream=stream, target=target)
    assert not isinstance(made, Fault), made
    return made


def asked_of(upstream: str, client: str, body: dict[str, Any], *, model: str = "") -> dict[str, Any]:
    """The request that the upstream gets."""
    asked: dict[str, Any] = json.loads(converted(upstream, client, body, model=model).body)
    return asked
