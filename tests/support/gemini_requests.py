"""Short spellings for Gemini requests and neutral conversations, and one history (docs/wire/messages-and-media.md)."""

from __future__ import annotations

from typing import Any, Literal

from agcore.conversation.losses import Losses
from agcore.conversation.repair import repair_history
from agcore.conversation.values import (
    Conversation,
    Signature,
    Text,
    ToolResult,
    Turn,
)
from agcore.dialects.gemini.contents_writer import SKIP_SIGNATURE
from agcore.dialects.gemini.request_reader import parse_request
from agcore.dialects.gemini.request_writer import render_request
from agcore.models.known import profile
from agcore.models.profiles import Profile

FLASH = profile("gemini-3-flash")
OLD = profile("gemini-2.5-flash")
PRO = profile("gemini-2.5-pro")
PNG = "iVBORw0KGgoAAAA/+8=="


def parse(body: dict[str, Any], losses: Losses | None = None) -> Conversation:
    return parse_request(body, model="m", stream=False, losses=losses if losses is not None else Losses())


def asked(*contents: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"contents": list(contents), **more}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def render(conversation: Conversation, losses: Losses | None = None, like: Profile = FLASH) -> dict[str, Any]:
    losses = losses if losses is not None else Losses()
    ordered = repair_history(conversation, losses=Losses())
    return render_request(ordered, model="g", profile=like, signer="gemini", losses=losses)


def said(*turns: Turn, **more: Any) -> Conversation:
    return Conversation(model="m", turns=turns, **more)


def hi(*parts: Any) -> Turn:
    return Turn("user", parts or (Text("hi"),))


def call(id: str, name: str = "f", args: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"id": id, "name": name, "args": args or {}, **more}}


def own(kind: Literal["thinking", "redacted", "reasoning", "call", "text"], data: str, id: str = "") -> Signature:
    return Signature("gemini", kind, data, id=id)


def results(*ids: str) -> Turn:
    return hi(*(ToolResult(id, (Text("x"),)) for id in ids))


ONE_HISTORY = {
    "systemInstruction": {"parts": [{"text": "S"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "weather?"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "get", "args": {"city": "Paris"}}, "thoughtSignature": SKIP_SIGNATURE},
                {"functionCall": {"name": "get", "args": {"city": "Rome"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "get", "response": {"output": "18C"}}},
                {"functionResponse": {"name": "get", "response": {"error": "timeout"}}},
                {"text": "be brief"},
            ],
        },
    ],
}
