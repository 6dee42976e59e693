"""What a Gemini client can read, checked on raw bytes and independent of the code that writes them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

KINDS = {"text", "inlineData", "functionCall"}
REASONS = {"STOP", "MAX_TOKENS", "SAFETY", "OTHER"}


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a well-formed stream; fails where Google's SDK would raise or lose something."""
    frames = stream.split(b"\r\n\r\n")
    assert frames.pop() == b"", "the last frame is not ended"
    out = []
    for frame in frames:
        assert frame.startswith(b"data: {"), frame
        assert b"\n" not in frame, "two lines are joined by the SDK"
        out.append(json.loads(frame.removeprefix(b"data: ")))
    return out


def check_stream(stream: bytes) -> list[dict[str, Any]]:
    """Check a stream that ended properly; return its chunks."""
    found = chunks(stream)
    finished: set[int] = set()
    ids: set[str] = set()
    for position, chunk in enumerate(found):
        last = position == len(found) - 1
        assert chunk["responseId"]
        assert chunk["modelVersion"]
        assert ("usageMetadata" not in chunk) or last
        for candidate in chunk["candidates"]:
            assert candidate["index"] not in finished, "a candidate goes on after its end"
            assert ("finishReason" in candidate) == last
            if last:
                # A chunk without a part would make the SDK's chats forget the whole turn.
                assert candidate["content"] == {"role": "model", "parts": [{"text": ""}]}
                assert candidate["finishReason"] in REASONS
                finished.add(candidate["index"])
            else:
                assert candidate["content"]["parts"], "a chunk that says nothing"
                check_candidate(candidate, ids)
    assert finished, "nothing says that the stream is complete"
    return found


def check_candidate(candidate: dict[str, Any], ids: set[str]) -> None:
    reason = candidate.get("finishReason")
    assert reason is None or reason in REASONS
    content = candidate.get("content", {"role": "model"})
    assert content["role"] == "model"
    for part in content.get("parts", []):
        check_part(part, ids)


def check_part(part: dict[str, Any], ids: set[str]) -> None:
    assert len(KINDS & part.keys()) == 1, part
    assert part.keys() <= KINDS | {"thought", "thoughtSignature"}
    if part.get("text") == "":
        assert "thoughtSignature" in part, "an empty part"
    signature = part.get("thoughtSignature")
    if signature is not None:
        assert re.fullmatch(r"[A-Za-z0-9+/]+=*", signature)
        base64.b64decode(signature, validate=True)
    call = part.get("functionCall")
    if call is not None:
        assert call["name"]
        assert isinstance(call["args"], dict)
        if "id" in call:
            assert call["id"] not in ids
            ids.add(call["id"])


def folded(found: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Each candidate's parts, texts of one kind joined, signatures on thoughts where they stand."""
    out: dict[int, list[dict[str, Any]]] = {}
    for chunk in found:
        for candidate in chunk["candidates"]:
            parts = out.setdefault(candidate["index"], [])
            for part in candidate.get("content", {}).get("parts", []):
                if part == {"text": ""}:
                    continue
                before = parts[-1] if parts else {}
                joins = "text" in part and "text" in before and part.get("thought") == before.get("thought")
                if (
                    joins
                    and "thoughtSignature" not in before
                    and (part.get("thought") or "thoughtSignature" not in part)
                ):
                    parts[-1] = {**before, **part, "text": before["text"] + part["text"]}
                else:
                    parts.append(part)
    return out
