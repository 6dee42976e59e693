"""What a request becomes for an upstream that speaks another dialect."""

from __future__ import annotations

import json
from typing import Any, Final

from agcore.conversation.signed import SignedCalls
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
    upstream: str,
    client: str,
    body: dict[str, Any],
    *,
    model: str = "",
    vendor: str = "",
    stream: bool = False,
    signed_calls: SignedCalls | None = None,
) -> Translation:
    """The translation of a client's request for a model that `vendor` serves in the upstream's dialect."""
    name = model or MODELS[upstream]
    target = ModelTarget(upstream, name, profile(name, vendor=vendor, dialect=upstream), "up")
    made = translate(
        client, json.dumps(body).encode(), model="m", stream=stream, target=target, signed_calls=signed_calls
    )
    assert not isinstance(made, Fault), made
    return made


def asked_of(upstream: str, client: str, body: dict[str, Any], *, model: str = "", vendor: str = "") -> dict[str, Any]:
    """The request that the upstream gets."""
    asked: dict[str, Any] = json.loads(converted(upstream, client, body, model=model, vendor=vendor).body)
    return asked
