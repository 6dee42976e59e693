"""What a generateContent request asks for, and the edits that send it on."""

from __future__ import annotations

import msgspec

from agcore.codecs.json_splice import Members, splice
from agcore.dialects.base import PathParts, RequestSummary
from agcore.protocol.fault import Fault


def read_summary(members: Members, parts: PathParts) -> RequestSummary | Fault:
    """The model from the path; a stream when the path's action says so, as SSE only with `alt=sse`."""
    framing = next((value for name, value in parts.query if name == "alt"), None)
    return RequestSummary(
        model=parts.model,
        stream=parts.action == "streamGenerateContent",
        framing="sse" if framing == "sse" else "array",
    )


def edits(members: Members, summary: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """The model is in the path; where the body names it too (token counts and batches do, inside), that follows."""
    if model == summary.model:
        return {}, False
    changes: dict[str, bytes | None] = {}
    name = msgspec.json.encode(f"models/{model}")
    if "model" in members:
        changes["model"] = name
    inner = members.raw("generateContentRequest")
    if inner is not None:
        changes["generateContentRequest"] = splice(inner, ("model",), name) or inner
    batch = members.raw("requests")
    if batch is not None:
        changes["requests"] = _renamed(batch, name)
    return changes, False


def _renamed(batch: bytes, name: bytes) -> bytes:
    """The requests of a batch, each of which names the model again."""
    try:
        each = [bytes(raw) for raw in msgspec.json.decode(batch, type=list[msgspec.Raw])]
    except msgspec.ValidationError:
        return batch
    return b"[" + b",".join([splice(raw, ("model",), name) or raw for raw in each]) + b"]"
