"""Gemini generateContent (docs/wire/gemini.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members, splice
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame
from agcore.conversation.usage import Usage, count
from agcore.dialects import base
from agcore.dialects.base import Meaning, RequestSummary, edited
from agcore.dialects.gemini import errors as gemini_error
from agcore.dialects.gemini.paths import action_path
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault

NAME: Final = "gemini"
FAMILY: Final = gemini_error.FAMILY
KEEPALIVE: Final = b"\r\n"  # anything else, a comment included, makes Google's SDK raise
MODEL_MEMBER: Final = "modelVersion"

parse_error = gemini_error.parse_error
render_error = gemini_error.render_error


def read_ask(members: Members, match: MatchedRoute, target: RequestTarget) -> RequestSummary | Fault:
    """The model from the path; a stream when the path's action says so, as SSE only with `alt=sse`."""
    stream = match.route.path.endswith(":streamGenerateContent")
    return RequestSummary(model=match.model, stream=stream, framing="sse" if target.first("alt") == "sse" else "array")


def generate_target(prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
    """`PREFIX/VERSION/models/MODEL:ACTION`, in the version that the client speaks; streams always as SSE."""
    return action_target(prefix, match, model, b"streamGenerateContent?alt=sse" if ask.stream else b"generateContent")


def count_target(prefix: bytes, match: MatchedRoute, model: str) -> bytes:
    """`PREFIX/VERSION/models/MODEL:countTokens`."""
    return action_target(prefix, match, model, b"countTokens")


def action_target(prefix: bytes, match: MatchedRoute, model: str, action: bytes) -> bytes:
    """`PREFIX/VERSION/models/MODEL:ACTION`."""
    return action_path(prefix, match.version, match.collection, model, action)


def edits(members: Members, ask: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """The model is in the path; where the body names it too (token counts and batches do, inside), that follows."""
    if model == ask.model:
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


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; thoughts are beside the candidates' tokens, cached ones in the prompt's (docs/wire/answers.md#usage)."""
    usage = answer.get("usageMetadata")
    if not isinstance(usage, dict):
        return None
    prompt, read = count(usage, "promptTokenCount"), count(usage, "cachedContentTokenCount")
    tool, thoughts = count(usage, "toolUsePromptTokenCount"), count(usage, "thoughtsTokenCount")
    return Usage(
        fresh=max(prompt - read, 0) + tool,
        cache_read=read,
        output=count(usage, "candidatesTokenCount") + thoughts,
        reasoning=thoughts,
    )


class StreamTap:
    """Watches chunks, each a whole response object with incremental parts."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = None if shown_model is None else msgspec.json.encode(shown_model)

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. Only data and blank lines pass: comments and `event:` lines make the SDK raise."""
        data = frame.data
        if data is None or data.strip() in (b"", b"[DONE]"):
            return Meaning.LIFECYCLE, b""
        try:
            chunk = json_text.decode(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            self.fault = base.NOT_JSON
            return Meaning.ERROR, b""
        error = chunk.get("error")
        if error:
            code = error.get("code") if isinstance(error, dict) else None
            self.fault = parse_error(code if isinstance(code, int) and 400 <= code <= 599 else 502, chunk)
            return Meaning.ERROR, b""
        self.usage = read_usage(chunk) or self.usage
        out = self._edited(frame, chunk)
        return (Meaning.CONTENT if self._has_content(chunk) else Meaning.LIFECYCLE), out

    def closing(self) -> bytes:
        """Nothing: a stream ends with its connection."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """A frame with an `error` object."""
        return gemini_error.stream_error(fault, request_id)

    def _has_content(self, chunk: dict[str, object]) -> bool:
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self.finished = True
            return True
        found = False
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if not isinstance(candidate, dict):
                continue
            if candidate.get("finishReason") is not None:
                self.finished = found = True
            content = candidate.get("content")
            if isinstance(content, dict) and content.get("parts"):
                found = True
        return found

    def _edited(self, frame: Frame, chunk: dict[str, object]) -> bytes:
        assert frame.data is not None
        if self._shown_model is not None and MODEL_MEMBER in chunk:
            data = edited(frame.data, chunk, {MODEL_MEMBER: self._shown_model})
        elif frame.raw.rstrip(b"\r\n") == b"data: " + frame.data:
            return frame.raw
        else:
            data = frame.data
        # One `data: ` line with the space, however the upstream broke it: JSON allows a space for a line break.
        return b"data: " + data.replace(b"\n", b" ") + b"\r\n\r\n"
