"""Carriers and refused signatures in requests that otherwise pass through as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.config.values import dialect_of
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Signature
from agcore.dialects.foreign_signatures import unsigned
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import Story, gateway
from tests.support.dialogues import config, ids

HISTORY = {"anthropic": "messages", "gemini": "contents", "openai": "messages", "openai_responses": "input"}


def thinking(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def reasoning(encrypted: str | None, id: str = "rs_gw") -> dict[str, Any]:
    return {"type": "reasoning", "id": id, "summary": [], "encrypted_content": encrypted}


TEXT = {"type": "text", "text": "hello"}
ASK = {"role": "user", "content": "hi"}


SIGNED: dict[str, dict[str, Any]] = {
    "anthropic": {"model": "up-anthropic", "max_tokens": 9, "messages": [ASK, said(thinking("EqQB"), TEXT), ASK]},
    "gemini": {
        "contents": [model({"text": "x", "thoughtSignature": "c2ln"}), {"role": "user", "parts": [{"text": "y"}]}]
    },
    "openai_responses": {"model": "up-openai_responses", "store": False, "input": [reasoning("gAAA"), ASK]},
    "openai": {
        "model": "up-openai",
        "messages": [{"role": "assistant", "content": "a", "reasoning_details": [1]}, ASK],
    },
}
REFUSALS = {
    "anthropic": "Invalid `signature` in `thinking` block",
    "gemini": "Corrupted thought signature",
    "openai_responses": "encrypted content could not be verified",
    "openai": "Corrupted thought signature",
}


def refused(dialogue: Dialogue) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": REFUSALS[dialogue.dialect]}}
    ).encode()


@pytest.mark.parametrize("dialogue", [ANTHROPIC, GEMINI, RESPONSES, CHAT], ids=ids)
def test_a_request_whose_signature_is_refused_is_asked_once_more_without(dialogue: Dialogue) -> None:
    story = Story(gateway(config()))
    body = json.dumps(SIGNED[dialogue.dialect]).encode()
    story.open("POST", dialogue.target(dialogue.model, stream=False), body=body)
    story.upstream_answers(400, refused(dialogue))
    first, second = story.requests[1].body, story.requests[2].body
    assert first == body
    assert second == unsigned(dialect_of(dialogue.dialect), body, losses=Losses())
    story.upstream_answers(200, dialogue.answer)
    assert story.status == 200
    assert HISTORY[dialogue.dialect].encode() in story.headers[b"x-agcore-losses"]


def test_a_carrier_becomes_native_on_the_way_through() -> None:
    own = Signature("anthropic", "thinking", "EqQB")
    request = {"model": "up-anthropic", "max_tokens": 9, "messages": [ASK, said(thinking(carrier(own)), TEXT), ASK]}
    story = Story(gateway(config()))
    story.open("POST", "/v1/messages", body=json.dumps(request).encode())
    raw = story.requests[1].body
    assert isinstance(raw, bytes)
    assert json.loads(raw)["messages"] == [ASK, said(thinking("EqQB"), TEXT), ASK]
